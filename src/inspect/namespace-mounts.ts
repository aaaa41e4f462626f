import { Buffer } from 'node:buffer'
import { closeSync, openSync, readlinkSync, readSync } from 'node:fs'

import { parseMountinfoLine } from '../linux/mountinfo.ts'
import type { NamespaceId } from '../linux/namespace.ts'
import { NAMESPACE_KINDS, parseNamespaceId } from '../linux/namespace.ts'
import { fromNodeError } from '../linux/proc.ts'
import { eachMountOf } from '../linux/statmount.ts'
import type { Companions } from './namespace-processes.ts'
import type { Place, Survey } from './namespace-survey.ts'

const PASSING = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL'])
/** linux/magic.h */
const NSFS_MAGIC = 0x6e_73_66_73

const MNT = NAMESPACE_KINDS.indexOf('mnt')

/** What a read below /proc returns; undefined where the process has ended or may not be looked into. */
const ifReadable = <T>(operation: string, path: string, read: (path: string) => T): T | undefined => {
  try {
    return read(`/proc/${path}`)
  } catch (error) {
    const worded = fromNodeError(error, operation, `/proc/${path}`)
    if (PASSING.has(worded.code)) return undefined
    throw worded
  }
}

/** A mount of a namespace's file. */
export interface NamespaceMount {
  /** Where, as seen from the root directory of whose mounts these are. */
  readonly path: string
  readonly id: NamespaceId
}

/** The mounts of namespaces' files in the text of /proc/PID/mountinfo. */
export const namespaceMounts = (mountinfo: string): readonly NamespaceMount[] => {
  if (!mountinfo.includes(' - nsfs ')) return []
  return mountinfo.split('\n').flatMap((line) => {
    if (!line.includes(' - nsfs ')) return []
    const { root, mountPoint } = parseMountinfoLine(line)
    const id = parseNamespaceId(root)
    return id === undefined ? [] : [{ path: mountPoint, id }]
  })
}

/** As much is read at a time, in bytes: a table of mounts can be longer than any text. */
const PIECE = 256 * 1024

/** As {@link namespaceMounts}, of a file. Throws the errors of node:fs. */
export const readNamespaceMounts = (file: string): readonly NamespaceMount[] => {
  const fd = openSync(file, 'r')
  try {
    const found: NamespaceMount[] = []
    const piece = Buffer.allocUnsafe(PIECE)
    let rest: Buffer = Buffer.alloc(0)
    for (let length: number; (length = readSync(fd, piece)) > 0;) {
      const bytes = Buffer.concat([rest, piece.subarray(0, length)])
      const end = bytes.lastIndexOf('\n') + 1
      found.push(...namespaceMounts(bytes.toString('utf8', 0, end)))
      rest = bytes.subarray(end)
    }
    return [...found, ...namespaceMounts(rest.toString())]
  } finally {
    closeSync(fd)
  }
}

/**
 * Of several tasks (directories below /proc) in one mount namespace the one whose mounts are to be read: rather one
 * whose root directory is that of the namespace, since others see only what lies below theirs.
 */
const viewerOf = (tasks: readonly string[]): string | undefined =>
  tasks.find((task) => ifReadable('read the root of', `${task}/root`, readlinkSync) === '/') ?? tasks[0]

/** The tasks in each mount namespace, by its inode. */
const tasksByMountNamespace = (survey: Survey, companions: Iterable<Companions>): Map<number, string[]> => {
  const tasks = new Map<number, string[]>()
  const add = (inode: number, task: string): void => {
    const known = tasks.get(inode)
    if (known === undefined) tasks.set(inode, [task])
    else known.push(task)
  }
  for (const { inodes, pids } of companions) for (const pid of pids) add(inodes[MNT] ?? 0, `${pid}`)
  for (const { kind, inode, threads } of survey.sightings.values()) {
    if (kind === 'mnt') for (const { pid, tid } of threads) add(inode, `${pid}/task/${tid}`)
  }
  tasks.delete(0)
  return tasks
}

/** Adds the namespaces whose files are mounted, in the mount namespace of any task. */
export const surveyMounts = (survey: Survey, companions: Iterable<Companions>): void => {
  for (const [inode, tasks] of tasksByMountNamespace(survey, companions)) {
    const viewer = viewerOf(tasks)
    if (viewer === undefined) continue
    for (const mount of ifReadable('read the mounts of', `${viewer}/mountinfo`, readNamespaceMounts) ?? []) {
      seeMount(survey, inode, mount, { at: 'mount', root: `${viewer}/root`, path: mount.path })
    }
  }
}

const seeMount = (survey: Survey, mountNamespace: number, { path, id }: NamespaceMount, place?: Place): void => {
  const { mounts } = survey.see(id.kind, id.inode, () => place)
  const known = mounts.get(path)
  if (known === undefined) mounts.set(path, [mountNamespace])
  else if (known.at(-1) !== mountNamespace) known.push(mountNamespace)
}

/** Adds the namespaces whose files are mounted in a mount namespace that no task is in, from a descriptor of it. */
export const surveyIdleMounts = (survey: Survey, mountNamespace: number, fd: number): void =>
  eachMountOf(fd, ({ magic, root, mountPoint }) => {
    const id = magic === NSFS_MAGIC ? parseNamespaceId(root) : undefined
    if (id !== undefined) seeMount(survey, mountNamespace, { path: mountPoint, id })
  })
