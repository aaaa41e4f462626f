import type { MountInfo } from '../../linux/mountinfo.ts'
import { isBelow } from './reach.ts'

/** File systems that hold no files of the host's: what they show is the kernel's, and other walls are about it. */
const KERNEL_TYPES: ReadonlySet<string> = new Set([
  'binfmt_misc', 'bpf', 'cgroup', 'cgroup2', 'configfs', 'debugfs', 'devpts', 'devtmpfs', 'efivarfs', 'fusectl',
  'hugetlbfs', 'mqueue', 'nsfs', 'proc', 'pstore', 'rpc_pipefs', 'securityfs', 'sysfs', 'tracefs',
]) // prettier-ignore

/** A mount through which files of the host are seen. */
export interface HostPath {
  readonly mount: MountInfo
  /** Where the host has them. */
  readonly path: string
  readonly readOnly: boolean
}

const isKernels = ({ type }: MountInfo): boolean => KERNEL_TYPES.has(type)

const deviceOf = ({ major, minor }: MountInfo): string => `${major}:${minor}`

/** Whether the mount, or the whole file system, can't be written to. */
export const isReadOnly = ({ options, superOptions }: MountInfo): boolean =>
  options.includes('ro') || superOptions.includes('ro')

const join = (directory: string, rest: string): string =>
  rest === '/' || rest === '' ? directory : `${directory === '/' ? '' : directory}${rest}`

/** Where on the host the directory `root` of a file system is, by the mounts of it there; undefined if nowhere. */
const placeOf = (candidates: readonly MountInfo[], root: string): string | undefined => {
  const above = candidates.filter((mount) => isBelow(root, mount.root))
  // The nearest: of several mounts of a file system the one that shows the least, and of those the one mounted last.
  const [nearest] = above.toReversed().toSorted((a, b) => b.root.length - a.root.length)
  if (nearest === undefined) return undefined
  return join(nearest.mountPoint, nearest.root === '/' ? root : root.slice(nearest.root.length))
}

/** Lists by key, in order. */
const groupBy = <T>(list: readonly T[], keyOf: (each: T) => string): ReadonlyMap<string, readonly T[]> => {
  const groups = new Map<string, T[]>()
  for (const each of list) {
    const key = keyOf(each)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [each])
    else group.push(each)
  }
  return groups
}

/**
 * Of the mounts of a process that are in sight, those that show files which the host has mounted too, by file system and directory,
 * with the place where the host has them. A file system that only the process has is its own.
 */
export const hostPaths = (mounts: readonly MountInfo[], host: readonly MountInfo[]): readonly HostPath[] => {
  const byDevice = groupBy(
    host.filter((mount) => !isKernels(mount)),
    deviceOf,
  )
  return mounts.flatMap((mount): readonly HostPath[] => {
    if (isKernels(mount)) return []
    const path = placeOf(byDevice.get(deviceOf(mount)) ?? [], mount.root)
    return path === undefined ? [] : [{ mount, path, readOnly: isReadOnly(mount) }]
  })
}
