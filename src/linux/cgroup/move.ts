import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { InputError, TareError } from '../error.ts'
import { readProcessStat } from '../process-stat.ts'
import type { CgroupDirectory } from './apply.ts'
import { failedWith, readIfThere, tryWriteFile } from './file.ts'
import { groupsOfProcess } from './group-name.ts'
import type { CgroupLayout } from './layout.ts'

interface Subject {
  readonly id: number
  /** `process 17 (sleep)`, `thread 18 (worker)`. */
  readonly words: string
}

/** A name as it may be shown: processes choose their own. */
const plain = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?')

/** What is to be moved, before anything is. Throws for a process that isn't there, and for a thread of the kernel. */
const subjectOf = (id: number, threads: boolean): Subject => {
  const kind = threads ? 'thread' : 'process'
  const operation = `move ${kind}`
  if (!Number.isSafeInteger(id) || id < 1)
    throw new InputError({ operation, target: String(id), reason: 'an id is a whole number, 1 or more' })
  if (statSync(`/proc/${id}`, { throwIfNoEntry: false }) === undefined) {
    throw new InputError({
      operation,
      target: String(id),
      reason: `there is no such ${kind}, or it has ended`,
      hint: 'Nothing was moved.',
    })
  }
  const { comm, isKernelThread, state } = readProcessStat(id)
  const words = `${kind} ${id} (${plain(comm)})`
  if (isKernelThread) {
    throw new InputError({
      operation: 'move',
      target: words,
      reason: 'it is a thread of the kernel, which works for all groups',
      hint: 'Nothing was moved.',
    })
  }
  if (state === 'Z' && !threads)
    throw new InputError({ operation: 'move', target: words, reason: 'it has ended', hint: 'Nothing was moved.' })
  return { id, words }
}

const mayWrite = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** The nearest group of version 2 above two directories: who moves a process must be allowed to write there too. */
const commonAncestor = (mountPoint: string, a: string, b: string): string => {
  let directory = a
  while (directory !== mountPoint && b !== directory && !b.startsWith(`${directory}/`)) directory = dirname(directory)
  return directory
}

const hintFor = (
  place: CgroupDirectory,
  file: string,
  from: string | undefined,
  result: number,
): string | undefined => {
  const { hierarchy, directory } = place
  const failed = (...names: readonly string[]): boolean => names.some((name) => failedWith(result, name))
  if (failed('ESRCH')) return 'It has ended.'
  if (failed('EBUSY')) {
    const given = readIfThere(`${directory}/cgroup.subtree_control`)?.trim().replaceAll(' ', ', ') ?? ''
    return `The group gives ${given} to its children, so it takes no processes itself: choose one of those.`
  }
  if (failed('ENOSPC'))
    return 'The cpuset of the group has no processor or memory node: set cpuset-cpus and cpuset-mems.'
  if (failed('EOPNOTSUPP')) {
    const type = readIfThere(`${directory}/cgroup.type`)?.trim()
    if (file === 'cgroup.threads') {
      return type === 'threaded'
        ? 'On version 2 a thread moves only between groups of one threaded subtree: its process must be in it.'
        : 'On version 2 single threads move only into threaded groups: set cgroup.type=threaded first.'
    }
    return type === 'threaded'
      ? 'The group is threaded: it takes single threads.'
      : 'The group above has processes of its own and threaded controllers, so this one takes none (cgroup.type).'
  }
  if (failed('EINVAL')) {
    return 'The kernel does not move it there: a realtime process takes cpu.rt_runtime_us of the group, and one that the kernel pins to a processor stays where it is.'
  }
  if (!failed('EACCES', 'EPERM')) return undefined
  if (!mayWrite(`${directory}/${file}`))
    return `This user may not write ${directory}/${file}: run as root, or have the group delegated.`
  if (hierarchy.version === 2 && from !== undefined) {
    const both = commonAncestor(hierarchy.mountPoint, directory, from)
    return `On version 2 it takes permission for the group above both, too, and this user may not write ${both}/cgroup.procs. A process started there can move.`
  }
  return 'Run as root, or as the owner of the process.'
}

interface Moved {
  readonly path: string
  readonly id: number
}

const fileFor = ({ hierarchy: { version } }: CgroupDirectory, threads: boolean): string =>
  threads ? (version === 1 ? 'tasks' : 'cgroup.threads') : 'cgroup.procs'

/** In a hybrid a thread can be moved in version 1's hierarchies, and in version 2's only within a threaded subtree. */
const placesFor = (directories: readonly CgroupDirectory[], threads: boolean): readonly CgroupDirectory[] => {
  const v1 = directories.filter(({ hierarchy }) => hierarchy.version === 1)
  if (!threads || v1.length === 0) return directories
  const isThreaded = ({ directory }: CgroupDirectory): boolean =>
    readIfThere(`${directory}/cgroup.type`)?.trim() === 'threaded'
  return directories.filter((place) => place.hierarchy.version === 1 || isThreaded(place))
}

/**
 * Moves processes, each with all its threads, or with `threads` single threads by their ids, into a group: all or none.
 * Throws {@link InputError} for those that have ended and for threads of the kernel, before any is moved, and
 * {@link TareError} for what the kernel refuses; those moved by then go back to where they were.
 */
export const moveInto = (
  layout: CgroupLayout,
  directories: readonly CgroupDirectory[],
  ids: readonly number[],
  threads: boolean,
): void => {
  const subjects = ids.map((id) => subjectOf(id, threads))
  const moved: Moved[] = []
  for (const { id, words } of subjects) {
    const before = groupsOfProcess(layout, id)
    for (const place of placesFor(directories, threads)) {
      const { hierarchy, directory } = place
      const file = fileFor(place, threads)
      const path = before.get(hierarchy.name)
      const old =
        path === undefined ? undefined : path === '' ? hierarchy.mountPoint : `${hierarchy.mountPoint}/${path}`
      if (old === directory) continue
      const result = tryWriteFile(`${directory}/${file}`, String(id))
      if (result >= 0) {
        if (old !== undefined) moved.push({ path: `${old}/${file}`, id })
        continue
      }
      for (const back of moved.toReversed()) if (existsSync(back.path)) tryWriteFile(back.path, String(back.id))
      throw new TareError({
        operation: `move ${words} into cgroup`,
        target: directory,
        syscall: 'write',
        errno: -result,
        hint: hintFor(place, file, old, result),
      })
    }
  }
}
