import { TareError } from './error.ts'
import { AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW } from './fcntl.ts'
import type { DeviceNumbers } from './device-number.ts'
import type { Place } from './mount.ts'
import { syscall } from './syscall.ts'

/** STATX_BASIC_STATS and STATX_MNT_ID (linux/stat.h). */
const MASK = 0x7ff | 0x1000
const SIZE = 256
const AT_STATX_DONT_SYNC = 0x4000
const STATX_ATTR_IMMUTABLE = 0x10
const STATX_ATTR_APPEND = 0x20

/** Bits of a mode (inode(7)). */
export const S_IFMT = 0o170000
export const S_IFSOCK = 0o140000
export const S_IFLNK = 0o120000
export const S_IFREG = 0o100000
export const S_IFBLK = 0o060000
export const S_IFDIR = 0o040000
export const S_IFCHR = 0o020000

/** What statx(2) tells of a file. */
export interface FileStatus {
  /** Type and permissions (inode(7)). */
  readonly mode: number
  /** The owner, as this process's user namespace and the mount's own map show it. */
  readonly uid: number
  readonly gid: number
  readonly inode: bigint
  /** Bytes. */
  readonly size: number
  readonly device: DeviceNumbers
  /** Of a device node: the device that it stands for. */
  readonly represents: DeviceNumbers
  /** The mount that it lies on, as in mountinfo. */
  readonly mount: number
  /** Whether nobody can change it (chattr(1)), where the file system has that. */
  readonly immutable: boolean
  /** Whether it can be added to alone. */
  readonly appendOnly: boolean
}

/**
 * What is at a place, or, with an empty path, behind a descriptor, which may be one of O_PATH; a link at the end isn't
 * followed, and nothing is mounted by looking. Throws {@link TareError}. statx(2)
 */
export const fileStatus = ({ dirfd = AT_FDCWD, path }: Place): FileStatus => look(dirfd, path, 0)

/**
 * What is behind a descriptor, as far as the kernel knows without asking a file system that another program or machine
 * answers for (AT_STATX_DONT_SYNC): that might never answer. Throws {@link TareError}. statx(2)
 */
export const knownFileStatus = (fd: number): FileStatus => {
  try {
    return look(fd, '', AT_STATX_DONT_SYNC)
  } catch (error) {
    // FUSE tells nobody but its own user anything, except where it is: the mode is 0 then.
    if (error instanceof TareError && error.code === 'EACCES') return look(fd, '', AT_STATX_DONT_SYNC, 0)
    throw error
  }
}

const look = (dirfd: number, path: string, sync: number, mask = MASK): FileStatus => {
  const buffer = new Uint8Array(SIZE)
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (path === '' ? AT_EMPTY_PATH : 0) | sync
  const target = path === '' ? `descriptor ${dirfd}` : path
  syscall({ operation: 'look at', target }, 'statx', dirfd, path, flags, mask, buffer)
  const view = new DataView(buffer.buffer)
  const word = (at: number): number => view.getUint32(at, true)
  return {
    mode: view.getUint16(28, true),
    uid: word(20),
    gid: word(24),
    inode: view.getBigUint64(32, true),
    size: Number(view.getBigUint64(40, true)),
    represents: { major: word(128), minor: word(132) },
    device: { major: word(136), minor: word(140) },
    mount: Number(view.getBigUint64(0x90, true)),
    immutable: (word(8) & STATX_ATTR_IMMUTABLE) !== 0,
    appendOnly: (word(8) & STATX_ATTR_APPEND) !== 0,
  }
}
