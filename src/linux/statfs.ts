import { TareError } from './error.ts'
import { trySyscall } from './syscall.ts'

/** Size of struct statfs on machines of 64 bits. */
const SIZE = 120

/** File systems by their magic numbers (linux/magic.h). */
export const FILESYSTEM_MAGIC = {
  proc: 0x9fa0,
  sysfs: 0x62656572,
  cgroup: 0x27e0eb,
  cgroup2: 0x63677270,
  binfmt_misc: 0x42494e4d,
  btrfs: 0x9123683e,
} as const

/** The file system, and the mount, that a file lies on. */
export interface FilesystemStatus {
  readonly magic: number
  /** By this mount or by the whole file system. */
  readonly readOnly: boolean
  /** Device nodes don't work there. */
  readonly nodev: boolean
  /** Set-user-id bits and file capabilities don't work there. */
  readonly nosuid: boolean
}

const ST_RDONLY = 1
const ST_NOSUID = 2
const ST_NODEV = 4

/** What a descriptor, which may be one of O_PATH, lies on. Throws {@link TareError}. statfs(2) */
export const filesystemStatus = (fd: number): FilesystemStatus => {
  const buffer = new Uint8Array(SIZE)
  const result = trySyscall('fstatfs', fd, buffer)
  if (result < 0)
    throw new TareError({
      operation: 'look at the file system of',
      target: `descriptor ${fd}`,
      syscall: 'fstatfs',
      errno: -result,
    })
  const view = new DataView(buffer.buffer)
  const flags = Number(view.getBigUint64(80, true))
  return {
    magic: Number(view.getBigUint64(0, true)),
    readOnly: (flags & ST_RDONLY) !== 0,
    nodev: (flags & ST_NODEV) !== 0,
    nosuid: (flags & ST_NOSUID) !== 0,
  }
}
