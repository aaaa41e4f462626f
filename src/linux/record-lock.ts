import { Buffer } from 'node:buffer'
import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import { trySyscall } from './syscall.ts'

const F_OFD_SETLK = 37
const F_WRLCK = 1
const { EAGAIN = 11, EACCES = 13 } = ERRNO

/** struct flock of one byte, for writing (fcntl(2)): type and whence, then start and length, then a pid that must be 0. */
const lockOf = (byte: number): Buffer => {
  const bytes = Buffer.alloc(32)
  bytes.writeInt16LE(F_WRLCK, 0)
  bytes.writeBigInt64LE(BigInt(byte), 8)
  bytes.writeBigInt64LE(1n, 16)
  return bytes
}

/**
 * Locks one byte of a file, which need not be that long, for as long as the open file description is there: a lock that
 * goes with its last holder, however that ends (F_OFD_SETLK, fcntl(2)). Never waits; false if another description has
 * it. Throws {@link TareError}.
 */
export const lockByte = (fd: number, byte: number): boolean => {
  const result = trySyscall('fcntl', fd, F_OFD_SETLK, lockOf(byte))
  if (result >= 0) return true
  if (result === -EAGAIN || result === -EACCES) return false
  throw new TareError({ operation: 'lock', target: `byte ${byte}`, syscall: 'fcntl', errno: -result })
}
