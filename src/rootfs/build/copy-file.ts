import type { Stats } from 'node:fs'
import { ftruncateSync, readSync, writeSync } from 'node:fs'
import { ERRNO } from '../../linux/errno.ts'
import { TareError } from '../../linux/error.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { pause } from './pause.ts'

const { EXDEV = 18, EINVAL = 22, ENOTTY = 25, ENOSYS = 38, EOPNOTSUPP = 95, ENXIO = 6 } = ERRNO
/** linux/fs.h */
const FICLONE = 0x40049409
const SEEK_DATA = 3
const SEEK_HOLE = 4
/** How much is copied before anything else gets its turn, in bytes. */
const PIECE = 32 << 20
const BUFFER = 1 << 20

/** Errors by which a file system says that it can't, and not that it failed. */
const CANNOT_CLONE: readonly number[] = [EXDEV, EINVAL, ENOTTY, ENOSYS, EOPNOTSUPP]

/** Two open files, and what to call them. */
export interface Copy {
  readonly from: number
  readonly to: number
  readonly source: string
  readonly target: string
  readonly stats: Stats
  readonly signal: AbortSignal | undefined
}

const failed = ({ target }: Copy, call: string, errno: number): TareError =>
  new TareError({
    operation: 'write',
    target,
    syscall: call,
    errno,
    hint:
      errno === ERRNO['ENOSPC'] || errno === ERRNO['EDQUOT']
        ? 'Make room there, or build elsewhere; nothing is left of this try.'
        : undefined,
  })

/** Makes the one file share the other's blocks until either is changed; false where the file system can't (FICLONE, ioctl_ficlone(2)). */
export const cloneFile = (copy: Copy): boolean => {
  const result = trySyscall('ioctl', copy.to, FICLONE, copy.from)
  if (result === 0) return true
  if (CANNOT_CLONE.includes(-result)) return false
  throw failed(copy, 'ioctl', -result)
}

const copyByHand = (copy: Copy, offset: number, length: number): number => {
  const buffer = Buffer.allocUnsafe(Math.min(BUFFER, length))
  const count = readSync(copy.from, buffer, 0, buffer.length, offset)
  try {
    for (let at = 0; at < count;) at += writeSync(copy.to, buffer, at, count - at, offset + at)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    throw failed(copy, 'write', ERRNO[code] ?? 0)
  }
  return count
}

/** Copies some bytes within the kernel, or by hand where that isn't possible; how many. copy_file_range(2) */
const copyPiece = (copy: Copy, offset: number, length: number): number => {
  const [into, out] = [BigInt64Array.of(BigInt(offset)), BigInt64Array.of(BigInt(offset))]
  const result = trySyscall('copy_file_range', copy.from, out, copy.to, into, length, 0)
  if (result > 0) return result
  // Some file systems say 0 for files that they make up.
  if (result === 0 || CANNOT_CLONE.includes(-result)) return copyByHand(copy, offset, length)
  throw failed(copy, 'copy_file_range', -result)
}

/** Copies what a file holds; holes stay holes. */
export const copyContent = async (copy: Copy): Promise<void> => {
  const { size } = copy.stats
  for (let at = 0; at < size;) {
    const data = trySyscall('lseek', copy.from, at, SEEK_DATA)
    if (data === -ENXIO) break
    const begin = data < 0 ? at : data
    const hole = data < 0 ? size : trySyscall('lseek', copy.from, begin, SEEK_HOLE)
    const end = hole < 0 ? size : Math.min(hole, size)
    at = begin
    while (at < end) {
      const count = copyPiece(copy, at, Math.min(PIECE, end - at))
      // It has become shorter.
      if (count === 0) return
      at += count
      await pause(copy.signal)
    }
  }
  ftruncateSync(copy.to, size)
}
