import { readdirSync } from 'node:fs'
import { ERRNO } from '../../linux/errno.ts'
import { O_CLOEXEC, O_DIRECTORY, O_RDONLY } from '../../linux/fcntl.ts'
import type { FileStatus } from '../../linux/file-status.ts'
import { S_IFBLK, S_IFCHR, S_IFMT, knownFileStatus } from '../../linux/file-status.ts'
import { filesystemStatus } from '../../linux/statfs.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { isDirectory } from './permission.ts'
import { isPrompt, tryReach } from './reach.ts'
import type { Subject } from './subject.ts'

/** A device node that the process sees. */
export interface DeviceNode {
  /** Below /dev. */
  readonly name: string
  readonly type: 'b' | 'c'
  readonly status: FileStatus
  /** Whether the mount lets device nodes work. */
  readonly works: boolean
}

const { EAGAIN = 11 } = ERRNO

/** The most entries that are looked at: a process may make as many as it likes. */
const MOST = 4096
const DEEPEST = 3

interface Walk {
  left: number
  complete: boolean
  readonly nodes: DeviceNode[]
}

/** Undefined where it may not be listed, or might not answer. */
const namesIn = (subject: Subject, directory: number): readonly string[] | undefined => {
  if (!isPrompt(subject, directory)) return undefined
  // O_PATH opens nothing, and can't be listed: it is opened once more, as the directory that it is.
  const fd = trySyscall('openat', directory, '.', O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
  if (fd < 0) return undefined
  try {
    return readdirSync(`/proc/self/fd/${fd}`).toSorted()
  } finally {
    trySyscall('close', fd)
  }
}

const walk = (state: Walk, directory: number, prefix: string, depth: number, subject: Subject): void => {
  const names = namesIn(subject, directory)
  if (names === undefined) state.complete = false
  for (const name of names ?? []) {
    if (state.left-- <= 0) state.complete = false
    if (state.left < 0) return
    const fd = tryReach(subject, directory, name)
    if (fd < 0) {
      if (fd === -EAGAIN) state.complete = false
      continue
    }
    try {
      const status = knownFileStatus(fd)
      const type = status.mode & S_IFMT
      if (type === S_IFBLK || type === S_IFCHR)
        state.nodes.push({
          name: prefix + name,
          type: type === S_IFBLK ? 'b' : 'c',
          status,
          works: !isPrompt(subject, fd) || !filesystemStatus(fd).nodev,
        })
      else if (isDirectory(status) && depth >= DEEPEST) state.complete = false
      else if (isDirectory(status)) walk(state, fd, `${prefix}${name}/`, depth + 1, subject)
    } finally {
      trySyscall('close', fd)
    }
  }
}

/**
 * The device nodes below /dev of a process, without following a link or opening one. Undefined where /dev can't be
 * entered; `complete` is false where there were too many entries, or some
 * that may not be looked at.
 */
export const deviceNodes = (
  subject: Subject,
): { readonly nodes: readonly DeviceNode[]; readonly complete: boolean } | undefined => {
  const directory = tryReach(subject, subject.root, '/dev')
  if (directory < 0) return undefined
  if (!isPrompt(subject, directory)) {
    trySyscall('close', directory)
    return undefined
  }
  const state: Walk = { left: MOST, complete: true, nodes: [] }
  try {
    walk(state, directory, '', 1, subject)
  } finally {
    trySyscall('close', directory)
  }
  return { nodes: state.nodes, complete: state.complete }
}
