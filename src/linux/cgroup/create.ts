import { dirname } from 'node:path'
import { InputError, TareError } from '../error.ts'
import { trySyscall } from '../syscall.ts'
import type { CgroupDirectory } from './apply.ts'
import { applyWrites, enableControllers, toEnable } from './apply.ts'
import { Cgroup } from './cgroup.ts'
import { failedWith, readFile, readIfThere, tryWriteFile } from './file.ts'
import type { CgroupHierarchy, CgroupLayout } from './layout.ts'
import { requireHierarchy } from './layout.ts'
import type { CgroupLimits } from './limits.ts'
import { cgroupWrites } from './writes.ts'

const AT_FDCWD = -100
const AT_REMOVEDIR = 0x200

export interface CreateCgroupOptions {
  /** Controllers that the group shall have besides those of its limits; `unified` for version 2's hierarchy as such. */
  readonly controllers?: readonly string[]
  /** What to do about a group that is there already; by default `refuse`. Its limits are set either way. */
  readonly existing?: 'refuse' | 'use'
  /** What else belongs to making it: if that throws, what was made is removed too. */
  readonly finish?: (cgroup: Cgroup) => void
}

const makeError = (directory: string, errno: number): TareError => {
  const { code } = new TareError({ operation: '', errno })
  const hints: Readonly<Record<string, string>> = {
    EACCES: 'Run as root, or in a subtree that is delegated to you ("systemd-run --user --scope -p Delegate=yes").',
    EPERM: 'Run as root, or in a subtree that is delegated to you ("systemd-run --user --scope -p Delegate=yes").',
    EROFS: 'The cgroup file system is mounted read-only here.',
    EEXIST: 'Another group has this name; if nothing is in it, remove it with rmdir.',
    EAGAIN: 'A limit on the number or depth of groups is reached (cgroup.max.descendants, cgroup.max.depth).',
  }
  return new TareError({ operation: 'make cgroup', target: directory, syscall: 'mkdirat', errno, hint: hints[code] })
}

/** A cpuset of version 1 starts empty, and an empty one lets no process in: each is given what its parent has. */
const inheritCpuset = (mountPoint: string, directory: string): void => {
  if (directory === mountPoint) return
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readFile(`${directory}/${file}`).trim() !== '') continue
    let value = readFile(`${dirname(directory)}/${file}`).trim()
    if (value === '') {
      inheritCpuset(mountPoint, dirname(directory))
      value = readFile(`${dirname(directory)}/${file}`).trim()
    }
    const result = tryWriteFile(`${directory}/${file}`, value)
    if (result >= 0) continue
    throw new TareError({
      operation: `write ${value} to ${file} of`,
      target: directory,
      syscall: 'write',
      errno: -result,
    })
  }
}

/** Makes the directory and those missing above it, and notes each in `made`. */
const makeDirectory = (
  hierarchy: CgroupHierarchy,
  directory: string,
  existing: 'refuse' | 'use',
  made: string[],
): void => {
  let result = trySyscall('mkdirat', AT_FDCWD, directory, 0o755)
  if (failedWith(result, 'ENOENT') && directory.length > hierarchy.mountPoint.length) {
    makeDirectory(hierarchy, dirname(directory), 'use', made)
    result = trySyscall('mkdirat', AT_FDCWD, directory, 0o755)
  }
  if (result >= 0) made.push(directory)
  else if (!(failedWith(result, 'EEXIST') && existing === 'use')) throw makeError(directory, -result)
  if (hierarchy.controllers.includes('cpuset') && hierarchy.version === 1)
    inheritCpuset(hierarchy.mountPoint, directory)
}

const checkName = (name: string): string => {
  const parts = name.split('/')
  if (parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\n\0]/.test(part))) return name
  throw new InputError({
    operation: 'make cgroup',
    target: JSON.stringify(name),
    reason: 'it is not a relative path of plain names',
    hint: 'Give a path such as tare/web, without a slash at either end.',
  })
}

const neededBy = (
  layout: CgroupLayout,
  controllers: readonly string[],
): ReadonlyMap<CgroupHierarchy, readonly string[]> => {
  const needed = new Map<CgroupHierarchy, string[]>()
  const unified = layout.kind === 'v2' ? ['unified'] : []
  for (const controller of [...unified, ...controllers]) {
    const hierarchy = requireHierarchy(layout, controller, `make a cgroup with ${controller}`)
    needed.set(hierarchy, [...(needed.get(hierarchy) ?? []), controller])
  }
  return needed
}

/** Enables what was asked for by name and no limit has brought along. */
const enableAsked = ({ hierarchy, directory }: CgroupDirectory, asked: readonly string[]): void => {
  const wanted = toEnable(hierarchy, asked)
  if (wanted.length === 0) return
  const there = readIfThere(`${directory}/cgroup.controllers`)?.trim().split(' ') ?? []
  const missing = wanted.filter((name) => !there.includes(name))
  enableControllers(hierarchy.mountPoint, dirname(directory), missing)
}

/**
 * Makes a control group with limits. `name` is its path below each hierarchy's mount point (`tare/web`; see
 * `cgroupParent` for where one may be made). On version 1 it is made in the hierarchies of the limits' controllers and
 * of those asked for, on version 2 in the one hierarchy, where the controllers are enabled on the way down.
 *
 * If anything fails, what was made is removed. Throws {@link InputError} before anything is made if this host can't set
 * a limit, {@link TareError} if the kernel refuses.
 */
export const createCgroup = (
  layout: CgroupLayout,
  name: string,
  limits: CgroupLimits = {},
  { controllers = [], existing = 'refuse', finish }: CreateCgroupOptions = {},
): Cgroup => {
  checkName(name)
  const writes = cgroupWrites(layout, limits)
  const needed = neededBy(layout, [...controllers, ...writes.map(({ controller }) => controller)])
  if (needed.size === 0) {
    throw new InputError({
      operation: 'make cgroup',
      target: name,
      reason: 'no controller was asked for',
      hint: 'Name at least one, such as pids.',
    })
  }
  const made: string[] = []
  try {
    const directories = [...needed.keys()].map((hierarchy): CgroupDirectory => {
      const directory = `${hierarchy.mountPoint}/${name}`
      makeDirectory(hierarchy, directory, existing, made)
      return { hierarchy, directory }
    })
    applyWrites(layout, directories, writes)
    for (const place of directories) enableAsked(place, controllers)
    const cgroup = new Cgroup(layout, directories)
    finish?.(cgroup)
    return cgroup
  } catch (error) {
    for (const directory of made.toReversed()) trySyscall('unlinkat', AT_FDCWD, directory, AT_REMOVEDIR)
    throw error
  }
}

/** A group that was made before, from what {@link Cgroup.paths} said of it. Throws if a hierarchy isn't mounted now. */
export const openCgroup = (layout: CgroupLayout, paths: Readonly<Record<string, string>>): Cgroup => {
  const directories = Object.entries(paths).map(([name, directory]): CgroupDirectory => {
    const hierarchy = layout.hierarchies.find((known) => known.name === name)
    if (hierarchy !== undefined) return { hierarchy, directory }
    throw new InputError({ operation: 'open cgroup', target: directory, reason: `no hierarchy ${name} is mounted` })
  })
  return new Cgroup(layout, directories)
}
