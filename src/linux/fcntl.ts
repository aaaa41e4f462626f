import type { Architecture } from './syscall-table.ts'

/** Flags of the `*at` calls (openat(2), statx(2), mount_setattr(2)), the same on every architecture. */
export const AT_FDCWD = -100
export const AT_SYMLINK_NOFOLLOW = 0x100
export const AT_SYMLINK_FOLLOW = 0x400
export const AT_NO_AUTOMOUNT = 0x800
export const AT_EMPTY_PATH = 0x1000
export const AT_RECURSIVE = 0x8000

/** Flags of open(2) whose bits depend on the architecture. */
export interface OpenFlags {
  readonly O_DIRECTORY: number
  readonly O_NOFOLLOW: number
  readonly O_DIRECT: number
  readonly O_TMPFILE: number
}

/** Flags of open(2) that are the same on x86-64 and arm64. */
export const O_RDONLY = 0
export const O_WRONLY = 0o1
export const O_RDWR = 0o2
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_NOCTTY = 0o400
export const O_TRUNC = 0o1000
export const O_APPEND = 0o2000
export const O_NONBLOCK = 0o4000
export const O_NOATIME = 0o1000000
export const O_CLOEXEC = 0o2000000
export const O_PATH = 0o10000000

/** The bits that differ, by architecture: for a plan that is made for another machine. */
export const OPEN_FLAGS: Readonly<Record<Architecture, OpenFlags>> = {
  x86_64: { O_DIRECTORY: 0o200000, O_NOFOLLOW: 0o400000, O_DIRECT: 0o40000, O_TMPFILE: 0o20200000 },
  aarch64: { O_DIRECTORY: 0o40000, O_NOFOLLOW: 0o100000, O_DIRECT: 0o200000, O_TMPFILE: 0o20040000 },
}

const own: OpenFlags = OPEN_FLAGS[process.arch === 'arm64' ? 'aarch64' : 'x86_64']

/** The bits that differ, as this machine has them. */
export const O_DIRECTORY: number = own.O_DIRECTORY
export const O_NOFOLLOW: number = own.O_NOFOLLOW
export const O_DIRECT: number = own.O_DIRECT
export const O_TMPFILE: number = own.O_TMPFILE
