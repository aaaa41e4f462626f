import { InputError, TareError } from '../error.ts'
import type { CgroupDirectory } from './apply.ts'
import { failedWith, readIfThere, tryWriteFile } from './file.ts'
import { waitUntil } from './wait.ts'

/** Where a group is frozen: version 1's freezer, or cgroup.freeze of version 2. */
const freezer = (directories: readonly CgroupDirectory[]): CgroupDirectory | undefined =>
  directories.find(({ hierarchy }) => hierarchy.version === 1 && hierarchy.controllers.includes('freezer')) ??
  directories.find(({ hierarchy }) => hierarchy.version === 2)

const requireFreezer = (directories: readonly CgroupDirectory[], what: string): CgroupDirectory => {
  const place = freezer(directories)
  if (place !== undefined) return place
  throw new InputError({
    operation: what,
    reason: 'the group was made without the freezer controller',
    hint: 'Ask for freezer when making it.',
  })
}

const write = (operation: string, directory: string, file: string, value: string): void => {
  const result = tryWriteFile(`${directory}/${file}`, value)
  if (result >= 0) return
  const hint = failedWith(result, 'ENOENT') ? 'The root group has no such file: it can not be frozen.' : undefined
  throw new TareError({ operation, target: directory, syscall: 'write', errno: -result, hint })
}

const v1State = (directory: string): string => readIfThere(`${directory}/freezer.state`)?.trim() ?? ''

/** Whether all processes of a group are stopped; false too if it can't be frozen at all. */
export const isFrozen = (directories: readonly CgroupDirectory[]): boolean => {
  const place = freezer(directories)
  if (place === undefined) return false
  if (place.hierarchy.version === 1) return v1State(place.directory) === 'FROZEN'
  return /^frozen 1$/m.test(readIfThere(`${place.directory}/cgroup.events`) ?? '')
}

/**
 * Stops all processes of a group and below it, and resolves when they are. If that takes longer than `timeout`
 * milliseconds they run again, and it throws {@link TareError}.
 */
export const freezeDirectories = async (directories: readonly CgroupDirectory[], timeout: number): Promise<void> => {
  const { hierarchy, directory } = requireFreezer(directories, 'freeze the cgroup')
  const operation = 'freeze cgroup'
  const request = (): void => {
    if (hierarchy.version === 1) write(operation, directory, 'freezer.state', 'FROZEN')
    else write(operation, directory, 'cgroup.freeze', '1')
  }
  request()
  // Version 1 can stay at FREEZING while the group forks or a process waits for one that is frozen already; letting it
  // go for a moment and asking again brings it out of that.
  const again = (attempt: number): void => {
    if (hierarchy.version === 2) return
    if (attempt % 25 === 24) write(operation, directory, 'freezer.state', 'THAWED')
    else if (attempt % 5 === 0) request()
  }
  if (await waitUntil(() => isFrozen(directories), timeout, again)) return
  thawDirectories(directories)
  throw new TareError({
    operation,
    target: directory,
    reason: `processes in it did not stop within ${timeout} ms`,
    hint: 'One may be in an uninterruptible wait (state D in ps). They run again.',
  })
}

/** Lets the processes of a group run again. Throws {@link TareError}. */
export const thawDirectories = (directories: readonly CgroupDirectory[]): void => {
  const { hierarchy, directory } = requireFreezer(directories, 'thaw the cgroup')
  if (hierarchy.version === 1) write('thaw cgroup', directory, 'freezer.state', 'THAWED')
  else write('thaw cgroup', directory, 'cgroup.freeze', '0')
}
