import { Buffer } from 'node:buffer'
import { addressOf, trySyscall } from './syscall.ts'

const PAGE = 4096n
const LONGEST = 4096

/** Reads memory of a process; undefined where it may not be read, or isn't there. process_vm_readv(2) */
export const readProcessMemory = (pid: number, address: bigint, length: number): Uint8Array | undefined => {
  const buffer = Buffer.alloc(length)
  const own = BigUint64Array.of(addressOf(buffer), BigInt(length))
  const theirs = BigUint64Array.of(address, BigInt(length))
  const result = trySyscall('process_vm_readv', pid, own, 1, theirs, 1, 0)
  return result < 0 ? undefined : buffer.subarray(0, result)
}

/** Reads a string, ended by NUL, of at most PATH_MAX bytes from the memory of a process; undefined where it can't be read. */
export const readProcessString = (pid: number, address: bigint): string | undefined => {
  const parts: Uint8Array[] = []
  for (let at = address, left = LONGEST; left > 0;) {
    // Up to the end of the page: the next one may not be there.
    const length = Math.min(left, Number(PAGE - (at % PAGE)))
    const bytes = readProcessMemory(pid, at, length)
    if (bytes === undefined || bytes.length === 0) return undefined
    const end = bytes.indexOf(0)
    parts.push(end < 0 ? bytes : bytes.subarray(0, end))
    if (end >= 0) return Buffer.concat(parts).toString()
    at += BigInt(bytes.length)
    left -= bytes.length
  }
  return undefined
}
