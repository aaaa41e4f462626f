import { ERRNO } from '../../linux/errno.ts'
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from '../../linux/fcntl.ts'
import type { DeviceNumbers } from '../../linux/device-number.ts'
import { knownFileStatus } from '../../linux/file-status.ts'
import type { MountInfo } from '../../linux/mountinfo.ts'
import {
  encodeOpenHow,
  OPEN_HOW_SIZE,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../linux/open-how.ts'
import { trySyscall } from '../../linux/syscall.ts'

/** File systems that another program or machine answers for: one could let whoever looks wait for ever. */
const SERVED = /^(?:fuse|fuseblk|nfs\d?|cifs|smb3|9p|ceph|afs|autofs|glusterfs)(?:\.|$)/

/** File systems of which all is in memory, or made up by the kernel. */
const IN_MEMORY: ReadonlySet<string> = new Set([
  'binfmt_misc', 'bpf', 'cgroup', 'cgroup2', 'configfs', 'debugfs', 'devpts', 'devtmpfs', 'efivarfs', 'hugetlbfs',
  'mqueue', 'proc', 'pstore', 'ramfs', 'securityfs', 'selinuxfs', 'sysfs', 'tmpfs', 'tracefs',
]) // prettier-ignore

const EAGAIN = -(ERRNO['EAGAIN'] ?? 11)
/** Somebody else's change to the tree may make the kernel give up a look at what it knows. */
const TRIES = 3

const FLAGS = O_PATH | O_CLOEXEC
const WAYS = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
const KNOWN = encodeOpenHow({ flags: FLAGS, resolve: WAYS | RESOLVE_CACHED })
const ASKED = encodeOpenHow({ flags: FLAGS, resolve: WAYS })
const KNOWN_ABOVE = encodeOpenHow({ flags: FLAGS | O_DIRECTORY, resolve: RESOLVE_CACHED })

/** Whether a path is a mount point or lies below it. */
export const isBelow = (path: string, directory: string): boolean =>
  directory === '/' || path === directory || path.startsWith(`${directory}/`)

const numbersOf = ({ major, minor }: DeviceNumbers): string => `${major}:${minor}`

/**
 * The devices of the file systems that answer by themselves: what the host has mounted, and what is in memory. One that
 * the process has mounted by itself may wait for a program: FUSE, an overlay of it, or a disk that is a file in it.
 */
export const promptDevices = (mounts: readonly MountInfo[], host: readonly MountInfo[]): ReadonlySet<string> => {
  const hosts = new Set(host.filter(({ type }) => !SERVED.test(type)).map(numbersOf))
  const inMemory = mounts.filter(({ type }) => IN_MEMORY.has(type)).map(numbersOf)
  // Files of btrfs are on devices of its own making, which the table of mounts doesn't have.
  const btrfs = mounts.filter((mount) => mount.type === 'btrfs' && hosts.has(numbersOf(mount)))
  return new Set([...hosts, ...inMemory, ...btrfs.map(({ id }) => mountWord(id))])
}

const mountWord = (id: number): string => `mount ${id}`

/** What a path is looked up by. */
export interface Viewer {
  /** A descriptor (O_PATH) of its root directory. */
  readonly root: number
  /** As of {@link promptDevices}. */
  readonly prompt: ReadonlySet<string>
}

/** Whether what is behind a descriptor may be asked for more than the kernel knows of it. */
export const isPrompt = ({ prompt }: Pick<Viewer, 'prompt'>, fd: number): boolean => {
  const { device, mount } = knownFileStatus(fd)
  return prompt.has(numbersOf(device)) || prompt.has(mountWord(mount))
}

/** Opens as far as the kernel knows the names on the way, without asking any file system; EAGAIN where it doesn't. */
const openKnown = (directory: number, path: string, how: Uint8Array): number => {
  let result = EAGAIN
  for (let attempt = 0; attempt < TRIES && result === EAGAIN; attempt++)
    result = trySyscall('openat2', directory, path, how, OPEN_HOW_SIZE)
  return result
}

/**
 * Part by part, each asked for where the directory above it is known to answer by itself. Elsewhere what the kernel
 * knows will do, as it does of mount points: what is mounted there may answer again.
 */
const openAsked = (viewer: Viewer, directory: number, path: string): number => {
  let at = directory
  try {
    for (const part of path.split('/').filter((each) => each !== '')) {
      const next = isPrompt(viewer, at)
        ? trySyscall('openat2', at, part, ASKED, OPEN_HOW_SIZE)
        : openKnown(at, part, KNOWN)
      if (next < 0) return next
      if (at !== directory) trySyscall('close', at)
      at = next
    }
    const found = at
    at = directory
    return found
  } finally {
    if (at !== directory) trySyscall('close', at)
  }
}

/**
 * A descriptor (O_PATH) of a path below a directory, on a way that the owner of the files can't turn: no link is
 * followed, nothing is opened, and no file system is asked that might let us wait. The errno as a negative number where
 * there is no such way, EAGAIN where it would have to be asked. Close it.
 */
export const tryReach = (viewer: Viewer, directory: number, path: string): number => {
  const known = openKnown(directory, path, KNOWN)
  return known === EAGAIN ? openAsked(viewer, directory, path) : known
}

/** A descriptor (O_PATH) of the directory above one, as the tree of its own mounts has it; a negative errno. Close it. */
export const tryParent = (viewer: Viewer, fd: number): number => {
  const known = openKnown(fd, '..', KNOWN_ABOVE)
  return known === EAGAIN && isPrompt(viewer, fd) ? trySyscall('openat', fd, '..', FLAGS | O_DIRECTORY, 0) : known
}

/** Calls `look` with a descriptor of a path of the process, and closes it; undefined where there is no safe way to it. */
export const lookAt = <T>(viewer: Viewer, path: string, look: (fd: number) => T): T | undefined => {
  const fd = tryReach(viewer, viewer.root, path)
  if (fd < 0) return undefined
  try {
    return look(fd)
  } finally {
    trySyscall('close', fd)
  }
}

/** Whether there may be something at a path, but it would have to be asked for. */
export const isOutOfReach = (viewer: Viewer, path: string): boolean => {
  const fd = tryReach(viewer, viewer.root, path)
  if (fd >= 0) trySyscall('close', fd)
  return fd === EAGAIN
}

/**
 * The mounts that are in sight. The table of mounts has those too that lie below others, in an order that doesn't tell
 * which: so each place is looked at. Where that can't be, the mount counts.
 */
export const mountsInSight = (viewer: Viewer, mounts: readonly MountInfo[]): readonly MountInfo[] =>
  mounts.filter(({ id, mountPoint }) => lookAt(viewer, mountPoint, (fd) => knownFileStatus(fd).mount === id) !== false)
