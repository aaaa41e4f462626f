import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { InputError, TareError } from '../error.ts'
import { trySyscall } from '../syscall.ts'
import { enableControllers } from './apply.ts'
import { failedWith, readIfThere, tryWriteFile } from './file.ts'
import type { CgroupHierarchy, CgroupLayout } from './layout.ts'
import { cgroupDirectory, readCgroupOf, requireHierarchy } from './layout.ts'

/** Below the root of each hierarchy, where the whole tree is ours. */
export const ROOT_PARENT = 'tare'

const writable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

const words = (path: string): readonly string[] =>
  readIfThere(path)
    ?.split(/\s+/)
    .filter((word) => word !== '') ?? []

const DELEGATE =
  'Run as root, or have a subtree delegated to you: "systemd-run --user --scope -p Delegate=yes COMMAND", or as root "systemd-run --uid=NAME -p Delegate=yes COMMAND".'

/** Whether groups with these controllers can be made below a directory of version 2 by this user. */
const canParent = (directory: string, controllers: readonly string[]): boolean => {
  const may = [directory, `${directory}/cgroup.procs`, `${directory}/cgroup.subtree_control`].every(writable)
  if (!may) return false
  const enabled = words(`${directory}/cgroup.subtree_control`)
  const missing = controllers.filter((controller) => !enabled.includes(controller))
  // With processes of its own a group has no controllers to give, and none of the threaded ones either: see apply.ts.
  if ((readIfThere(`${directory}/cgroup.procs`) ?? '') !== '') return enabled.length === 0 && missing.length === 0
  const available = words(`${directory}/cgroup.controllers`)
  return missing.every((controller) => available.includes(controller))
}

const relative = ({ mountPoint }: CgroupHierarchy, directory: string): string => directory.slice(mountPoint.length + 1)

/** Nearest first: the process's own group of version 2, then those above it. */
const delegatedParents = (unified: CgroupHierarchy, controllers: readonly string[]): readonly string[] => {
  const own = cgroupDirectory(unified, readCgroupOf('self').get('unified') ?? '/')
  if (own === undefined) return []
  const found: string[] = []
  for (let directory = own; directory.length > unified.mountPoint.length; directory = dirname(directory)) {
    if (canParent(directory, controllers)) found.push(directory)
  }
  return found
}

/** One that has no processes of its own, if asked for and there is one: only such can ever give controllers to children. */
const delegatedParent = (
  unified: CgroupHierarchy,
  controllers: readonly string[],
  prefer: 'nearest' | 'empty',
): string | undefined => {
  const all = delegatedParents(unified, controllers)
  const empty = all.find((directory) => (readIfThere(`${directory}/cgroup.procs`) ?? '') === '')
  const chosen = prefer === 'empty' ? (empty ?? all[0]) : all[0]
  return chosen === undefined ? undefined : relative(unified, chosen)
}

/**
 * Where this process may make groups with these controllers, as a path for `createCgroup` to put a name below: `tare`
 * at the root of the hierarchies for whoever may write there; else, on version 2, the nearest group of its own or above
 * that is delegated to this user, with `prefer: 'empty'` rather one without processes of its own. Throws
 * {@link InputError} that tells how to have one.
 */
export const cgroupParent = (
  layout: CgroupLayout,
  controllers: readonly string[] = [],
  prefer: 'nearest' | 'empty' = 'nearest',
): string => {
  const what = 'find a place for cgroups'
  const needed = new Set(controllers.map((controller) => requireHierarchy(layout, controller, what)))
  const unified = layout.hierarchies.find(({ version }) => version === 2)
  const hierarchies = needed.size > 0 ? [...needed] : unified === undefined ? layout.hierarchies.slice(0, 1) : [unified]
  if (hierarchies.length === 0) throw new InputError({ operation: what, reason: 'no cgroup hierarchy is mounted' })
  const denied = hierarchies.filter(({ mountPoint }) => !writable(mountPoint))
  if (denied.length === 0) return ROOT_PARENT
  if (unified === undefined || denied.some(({ version }) => version === 1)) {
    const names = denied.map(({ name }) => name).join(', ')
    throw new InputError({
      operation: what,
      reason: `this user may not write to the hierarchies of ${names}`,
      hint: 'Run as root. Only cgroup v2 is delegated to users.',
    })
  }
  const asked = controllers.filter((controller) => unified.controllers.includes(controller))
  const parent = delegatedParent(unified, asked, prefer)
  if (parent !== undefined) return parent
  const own = relative(unified, cgroupDirectory(unified, readCgroupOf('self').get('unified') ?? '/') ?? '')
  if (own !== '' && canParent(`${unified.mountPoint}/${own}`, [])) {
    throw new InputError({
      operation: what,
      reason: `the group of this process, ${own}, is delegated to this user, but has processes of its own`,
      hint: `Move them into a child first (vacateCgroup), or run under "systemd-run --user --scope -p Delegate=yes".`,
    })
  }
  const subject = asked.length === 0 ? '' : ` with ${asked.join(', ')}`
  throw new InputError({
    operation: what,
    reason: `no group of this process is delegated to this user${subject}`,
    hint: DELEGATE,
  })
}

const AT_FDCWD = -100

/**
 * Moves all processes of a group of version 2 into a child of it, made for that, so that the group can give controllers
 * to its children (the "no internal processes" rule of cgroups(7)): what a manager does first in a group that was
 * delegated to it with itself inside. Returns the child's directory. Throws {@link TareError}.
 */
export const vacateCgroup = (
  layout: CgroupLayout,
  name: string,
  child: string,
  controllers: readonly string[] = [],
): string => {
  const { mountPoint } = requireHierarchy(layout, 'unified', `vacate cgroup ${name}`)
  const directory = name === '' ? mountPoint : `${mountPoint}/${name}`
  const leaf = `${directory}/${child}`
  const made = trySyscall('mkdirat', AT_FDCWD, leaf, 0o755)
  if (made < 0 && !failedWith(made, 'EEXIST'))
    throw new TareError({ operation: 'make cgroup', target: leaf, syscall: 'mkdirat', errno: -made })
  // Those who fork meanwhile leave children behind, so it is repeated until none is there.
  for (let round = 0; round < 100; round += 1) {
    const pids = words(`${directory}/cgroup.procs`).filter((pid) => pid !== '0')
    if (pids.length === 0) {
      enableControllers(mountPoint, directory, controllers)
      return leaf
    }
    for (const pid of pids) {
      const result = tryWriteFile(`${leaf}/cgroup.procs`, pid)
      if (result < 0 && !failedWith(result, 'ESRCH')) {
        throw new TareError({
          operation: `move process ${pid} into cgroup`,
          target: leaf,
          syscall: 'write',
          errno: -result,
        })
      }
    }
  }
  throw new TareError({
    operation: 'move all processes out of cgroup',
    target: directory,
    reason: 'they fork faster than they can be moved',
  })
}
