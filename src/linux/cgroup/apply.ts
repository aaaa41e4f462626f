import { dirname } from 'node:path'
import { ERRNO } from '../errno.ts'
import { InputError, TareError } from '../error.ts'
import { attachDeviceProgram } from './device-attach.ts'
import { failedWith, readIfThere, tryReadFile, tryWriteFile } from './file.ts'
import type { CgroupHierarchy, CgroupLayout } from './layout.ts'
import { hierarchyOf } from './layout.ts'
import type { Undo } from './undo.ts'
import { undoAll, undoOf } from './undo.ts'
import type { CgroupFileWrite, CgroupWrite } from './write.ts'

/** One group's directory in one hierarchy. */
export interface CgroupDirectory {
  readonly hierarchy: CgroupHierarchy
  /** Absolute, without a slash at the end. */
  readonly directory: string
}

/** What to do about an error that a control file gave. */
const HINTS: Readonly<Record<string, string>> = {
  EBUSY:
    'The group uses more than that now and the kernel could not reclaim it, or processes are in it that must not be.',
  EINVAL: 'The kernel does not take this value here: a parent group may set a lower limit.',
  EACCES: 'Run as root, or in a subtree that is delegated to you; a cpuset must be part of its parent.',
  EPERM: 'Run as root, or in a subtree that is delegated to you; a group can have no more than its parent.',
  ERANGE: 'It is out of the range of what this host has.',
  EROFS: 'The cgroup file system is mounted read-only here.',
  ENODEV: 'There is no such device, or it is a partition: limits are for whole disks.',
  ENOENT: 'This kernel is too old for this limit, or built or started without it.',
  ENOSPC: 'The cpuset of the group has no processor or memory node: set both first.',
}

const cannotWrite = (
  { hierarchy, directory }: CgroupDirectory,
  { file, value, what }: CgroupFileWrite,
  errno: number,
): TareError => {
  const error = new TareError({ operation: `write ${value} to ${file} of`, target: directory, syscall: 'write', errno })
  const isRoot = error.code === 'ENOENT' && directory === hierarchy.mountPoint
  const hint = isRoot ? 'The root group has no such limit: it is the host itself.' : HINTS[error.code]
  const purpose = `That was to ${what}.`
  return new TareError({
    operation: error.operation,
    target: directory,
    syscall: 'write',
    errno,
    hint: hint === undefined ? purpose : `${purpose} ${hint}`,
  })
}

const ENABLE_HINTS: Readonly<Record<string, string>> = {
  EBUSY:
    'Processes are in that group itself, and cgroup v2 gives controllers to children only of groups without processes of their own: move them into a child (vacateCgroup), or choose another parent.',
  EACCES:
    'That part of the tree is not delegated to you: run as root, or under "systemd-run --user --scope -p Delegate=yes".',
  EPERM:
    'That part of the tree is not delegated to you: run as root, or under "systemd-run --user --scope -p Delegate=yes".',
  EOPNOTSUPP: 'That group is threaded, and this controller is for processes.',
}

const cannotEnable = (directory: string, controllers: readonly string[], errno: number): TareError => {
  const details = { operation: `enable ${controllers.join(', ')} below`, target: directory, syscall: 'write', errno }
  return new TareError({ ...details, hint: ENABLE_HINTS[new TareError(details).code] })
}

/** Controllers that version 2 also gives to single threads. */
const THREADED = ['cpu', 'cpuset', 'pids', 'perf_event']

/**
 * Whether a group has processes of its own, which only the root of all may. For threaded controllers alone the kernel
 * lets that pass: the group turns into the root of a threaded subtree then, and its children can't take processes in.
 */
const wouldTurnThreaded = (directory: string, controllers: readonly string[]): boolean =>
  controllers.every((controller) => THREADED.includes(controller)) &&
  typeof tryReadFile(`${directory}/cgroup.type`) === 'string' &&
  (readIfThere(`${directory}/cgroup.procs`) ?? '') !== ''

/**
 * Makes controllers of version 2 available to the children of a group, and of its ancestors as far as needed
 * (cgroup.subtree_control). `mountPoint` is where to stop. Throws {@link TareError}.
 */
export const enableControllers = (mountPoint: string, directory: string, controllers: readonly string[]): void => {
  if (controllers.length === 0) return
  if (wouldTurnThreaded(directory, controllers)) throw cannotEnable(directory, controllers, ERRNO['EBUSY'] ?? 0)
  const value = controllers.map((controller) => `+${controller}`).join(' ')
  const file = `${directory}/cgroup.subtree_control`
  let result = tryWriteFile(file, value)
  if (failedWith(result, 'ENOENT') && directory !== mountPoint) {
    enableControllers(mountPoint, dirname(directory), controllers)
    result = tryWriteFile(file, value)
  }
  if (result >= 0) return
  if (!failedWith(result, 'ENOENT') && !failedWith(result, 'EINVAL'))
    throw cannotEnable(directory, controllers, -result)
  const here = readIfThere(`${directory}/cgroup.controllers`)?.trim() ?? ''
  throw new InputError({
    operation: `enable ${controllers.join(', ')} below`,
    target: directory,
    reason: here === '' ? 'no controller is available there' : `only ${here} are available there`,
    hint: 'The controller must be on cgroup v2 and enabled in every group above.',
  })
}

/** The controllers that must be enabled above a group of version 2; the others are always there. */
export const toEnable = (hierarchy: CgroupHierarchy, controllers: Iterable<string>): readonly string[] => {
  return hierarchy.version === 1 ? [] : [...new Set(controllers)].filter((name) => hierarchy.controllers.includes(name))
}

const writeAll = (directory: string, write: CgroupFileWrite, undos: Undo[]): number => {
  const note = (file: string, value: string): number => {
    const undo = undoOf(directory, file, value)
    const result = tryWriteFile(`${directory}/${file}`, value)
    if (result >= 0) undos.push(...undo)
    return result
  }
  let result = note(write.file, write.value)
  for (const { file, value } of write.others ?? []) {
    if (result < 0 && !failedWith(result, 'ENOENT')) return result
    const other = note(file, value)
    if (!failedWith(other, 'ENOENT')) result = other
  }
  return result
}

/**
 * Carries writes out in a group's directories. Controllers of version 2 that turn out not to be enabled for it are, all
 * at once. Throws {@link TareError}, and then takes back what was written before, as far as the kernel tells what that was.
 */
export const applyWrites = (
  layout: CgroupLayout,
  directories: readonly CgroupDirectory[],
  writes: readonly CgroupWrite[],
): void => {
  const undos: Undo[] = []
  try {
    // A program that was attached can't be taken back, so nothing that may fail comes after it.
    const isProgram = ({ kind }: CgroupWrite): boolean => kind === 'device-program'
    const ordered = [...writes.filter((write) => !isProgram(write)), ...writes.filter(isProgram)]
    carryOut(layout, directories, ordered, undos)
  } catch (error) {
    undoAll(undos)
    throw error
  }
}

const carryOut = (
  layout: CgroupLayout,
  directories: readonly CgroupDirectory[],
  writes: readonly CgroupWrite[],
  undos: Undo[],
): void => {
  let enabled = false
  for (const write of writes) {
    const hierarchy = hierarchyOf(layout, write.controller)
    const place = directories.find((known) => known.hierarchy.name === hierarchy?.name)
    if (place === undefined) {
      throw new InputError({
        operation: write.what,
        reason: `the group was made without the ${write.controller} controller`,
        hint: `Make it there too: tare cgroup create --controllers=${write.controller} NAME`,
      })
    }
    const { directory } = place
    if (write.kind === 'device-program') {
      attachDeviceProgram(directory, write.program)
      continue
    }
    let result = writeAll(directory, write, undos)
    const isRoot = directory === place.hierarchy.mountPoint
    if (failedWith(result, 'ENOENT') && place.hierarchy.version === 2 && !enabled && !isRoot) {
      enabled = true
      const controllers = toEnable(
        place.hierarchy,
        writes.map(({ controller }) => controller),
      )
      enableControllers(place.hierarchy.mountPoint, dirname(directory), controllers)
      result = writeAll(directory, write, undos)
    }
    if (result < 0) throw cannotWrite(place, write, -result)
  }
}
