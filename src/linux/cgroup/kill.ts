import { TareError } from '../error.ts'
import { trySyscall } from '../syscall.ts'
import type { CgroupDirectory } from './apply.ts'
import { childGroups, failedWith, readIfThere, tryWriteFile } from './file.ts'
import { freezeDirectories, thawDirectories } from './freeze.ts'
import { isNamed, processesInUnnamed, removeUnnamed, unnamedGroups } from './unnamed.ts'
import { waitUntil } from './wait.ts'

const AT_FDCWD = -100
const AT_REMOVEDIR = 0x200
const SIGKILL = 9

/** The processes in a group itself; those that the caller's pid namespace doesn't show are left out. */
export const ownProcessesIn = (directory: string): readonly number[] =>
  (readIfThere(`${directory}/cgroup.procs`) ?? '')
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0)

/** The processes in a group and below it. */
export const processesIn = (directory: string): readonly number[] => {
  const children = childGroups(directory)
  const named = children.filter(isNamed)
  const others = named.length === children.length ? [] : unnamedGroups(directory).flatMap(processesInUnnamed)
  return [...new Set([...ownProcessesIn(directory), ...named.flatMap(processesIn), ...others])]
}

/** Of several directories of a group, the one to ask for its processes: version 2's, which can't be escaped by threads. */
export const mainDirectory = (directories: readonly CgroupDirectory[]): string =>
  (directories.find(({ hierarchy }) => hierarchy.version === 2) ?? directories[0])?.directory ?? ''

/** Whether there are processes in a group or below it. */
export const isPopulated = (directories: readonly CgroupDirectory[]): boolean => {
  const unified = directories.find(({ hierarchy }) => hierarchy.version === 2)
  if (unified === undefined) return processesIn(mainDirectory(directories)).length > 0
  // It stays so for a moment after the last process has left cgroup.procs, and for as long rmdir(2) fails.
  const events = readIfThere(`${unified.directory}/cgroup.events`)
  // The root of all has none.
  return events === undefined ? processesIn(unified.directory).length > 0 : /^populated 1$/m.test(events)
}

/** How many processes are held at a time, each by a descriptor. */
const AT_ONCE = 256

/**
 * Kills the processes of a list, and no others: each is held first (pidfd_open(2)), and must be in the list after that
 * still. By its number alone it might be a process that got the number of one that has just ended. Returns how many
 * were in the list. This process is left out.
 */
export const killListed = (list: () => readonly number[]): number => {
  const pids = list()
  for (let at = 0; at < pids.length; at += AT_ONCE) {
    const held = pids
      .slice(at, at + AT_ONCE)
      .filter((pid) => pid !== process.pid)
      .map((pid) => ({ pid, pidfd: trySyscall('pidfd_open', pid, 0) }))
      .filter(({ pidfd }) => pidfd >= 0)
    const listed = new Set(list())
    for (const { pid, pidfd } of held) {
      if (listed.has(pid)) trySyscall('pidfd_send_signal', pidfd, SIGKILL, null, 0)
      trySyscall('close', pidfd)
    }
  }
  return pids.length
}

const signalAll = (directories: readonly CgroupDirectory[]): number =>
  killListed(() => [...new Set(directories.flatMap(({ directory }) => processesIn(directory)))])

/**
 * Without cgroup.kill: round after round. Where that is not enough, they fork faster than they are killed; frozen they
 * can't, so one round gets them all. What is frozen dies as it is thawed, before it runs.
 */
const killByHand = async (directories: readonly CgroupDirectory[], timeout: number): Promise<boolean> => {
  const hasFreezer = directories.some(
    ({ hierarchy }) => hierarchy.version === 2 || hierarchy.controllers.includes('freezer'),
  )
  const round = (): boolean => signalAll(directories) === 0
  if (round()) return true
  if (hasFreezer) thawDirectories(directories)
  if (await waitUntil(round, Math.min(timeout, 200))) return true
  if (hasFreezer) {
    try {
      await freezeDirectories(directories, Math.min(timeout, 1000))
    } catch {
      // What did not freeze is killed all the same.
    }
    try {
      signalAll(directories)
    } finally {
      thawDirectories(directories)
    }
  }
  return waitUntil(round, timeout)
}

/**
 * Kills all processes in a group and below it, and resolves when they are gone. Throws {@link TareError} if some are
 * left after `timeout` milliseconds.
 */
export const killDirectories = async (directories: readonly CgroupDirectory[], timeout: number): Promise<void> => {
  const main = mainDirectory(directories)
  const unified = directories.find(({ hierarchy }) => hierarchy.version === 2)
  const killed = unified !== undefined && tryWriteFile(`${unified.directory}/cgroup.kill`, '1') >= 0
  const emptied = killed && (await waitUntil(() => !isPopulated(directories), timeout))
  // In a hybrid a process may be in the group on version 1 alone.
  const everywhere = killed && directories.length === 1
  const gone = everywhere ? emptied : await killByHand(directories, timeout)
  if (gone) return
  const left = processesIn(main)
  throw new TareError({
    operation: 'kill all processes of cgroup',
    target: main,
    reason: `${left.length === 0 ? 'some' : left.join(', ')} did not end within ${timeout} ms`,
    hint: 'They may be in an uninterruptible wait (state D in ps), or in a pid namespace that this process does not see.',
  })
}

/** Removes a group with the groups below it; what is still busy counts as not removed. */
const tryRemove = (directory: string): number => {
  let result = trySyscall('unlinkat', AT_FDCWD, directory, AT_REMOVEDIR)
  if (failedWith(result, 'EBUSY') || failedWith(result, 'ENOTEMPTY')) {
    const children = childGroups(directory)
    if (children.length === 0) return result
    for (const child of children.filter(isNamed)) tryRemove(child)
    if (!children.every(isNamed)) for (const child of unnamedGroups(directory)) removeUnnamed(child)
    result = trySyscall('unlinkat', AT_FDCWD, directory, AT_REMOVEDIR)
  }
  return failedWith(result, 'ENOENT') ? 0 : result
}

/**
 * Removes a group and those below it from every hierarchy. It tries at once, so for an empty group it has happened when
 * the call returns; processes that are just exiting are waited for, up to `timeout` milliseconds. That it is gone
 * already is no error. Throws {@link TareError}.
 */
export const removeDirectories = async (directories: readonly CgroupDirectory[], timeout: number): Promise<void> => {
  let left = directories.map(({ directory }) => ({ directory, result: 0 }))
  const attempt = (): boolean => {
    left = left.map(({ directory }) => ({ directory, result: tryRemove(directory) })).filter(({ result }) => result < 0)
    return left.every(({ result }) => !failedWith(result, 'EBUSY') && !failedWith(result, 'ENOTEMPTY'))
  }
  await waitUntil(attempt, timeout)
  const [first] = left
  if (first === undefined) return
  const pids = processesIn(first.directory)
  throw new TareError({
    operation: 'remove cgroup',
    target: first.directory,
    syscall: 'unlinkat',
    errno: -first.result,
    hint: pids.length === 0 ? undefined : `Processes are in it: ${pids.slice(0, 10).join(', ')}. End them first.`,
  })
}
