import { ERRNO } from './errno.ts'
import type { DeviceNumbers } from './device-number.ts'
import { TareError } from './error.ts'
import { AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW } from './fcntl.ts'
import { trySyscall } from './syscall.ts'

/** STATX_BASIC_STATS and STATX_MNT_ID (linux/stat.h). */
const MASK = 0x7ff | 0x1000
const SIZE = 256
const SECOND = 1_000_000_000n

/** All that a copy of a file has to have of it, and by what it is told from others. */
export interface FileDetails {
  /** Type and permissions (inode(7)). */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly inode: bigint
  readonly device: DeviceNumbers
  /** Of a device node: the device that it stands for. */
  readonly represents: DeviceNumbers
  /** How many names it has. */
  readonly links: number
  /** Bytes. */
  readonly size: number
  /** Nanoseconds since 1970. */
  readonly accessed: bigint
  readonly modified: bigint
  /** The mount that it lies on, as in mountinfo. */
  readonly mount: bigint
}

/** A name as the kernel takes it: bytes, of which each character here is one, and a NUL. */
export const nameBytes = (name: string): Uint8Array => Buffer.from(`${name}\0`, 'latin1')

/**
 * What is in a directory under a name, each of whose characters is a byte, links not followed; with an empty name the
 * directory itself. Undefined for nothing. Throws {@link TareError}. statx(2)
 */
export const fileDetails = (dirfd: number, name: string): FileDetails | undefined => {
  const buffer = new Uint8Array(SIZE)
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name === '' ? AT_EMPTY_PATH : 0)
  const result = trySyscall('statx', dirfd, nameBytes(name), flags, MASK, buffer)
  if (-result === ERRNO['ENOENT']) return undefined
  if (result < 0) {
    const target = name === '' ? `descriptor ${dirfd}` : Buffer.from(name, 'latin1').toString()
    throw new TareError({ operation: 'look at', target, syscall: 'statx', errno: -result })
  }
  const view = new DataView(buffer.buffer)
  const word = (at: number): number => view.getUint32(at, true)
  const time = (at: number): bigint => view.getBigInt64(at, true) * SECOND + BigInt(word(at + 8))
  return {
    links: word(16),
    uid: word(20),
    gid: word(24),
    mode: view.getUint16(28, true),
    inode: view.getBigUint64(32, true),
    size: Number(view.getBigUint64(40, true)),
    accessed: time(64),
    modified: time(112),
    represents: { major: word(128), minor: word(132) },
    device: { major: word(136), minor: word(140) },
    mount: view.getBigUint64(0x90, true),
  }
}
