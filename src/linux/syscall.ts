import type { Argument } from './binding.ts'
import { binding } from './binding.ts'
import { TareError } from './error.ts'
import type { Architecture, SyscallName } from './syscall-table.ts'
import { SYSCALLS } from './syscall-table.ts'

export type { Argument } from './binding.ts'
export type { SyscallName } from './syscall-table.ts'

/** The architecture of this process, in the kernel's name. */
export const ARCHITECTURE: Architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64'

/** The number of a system call on an architecture; throws if it has none of that name. */
export const syscallNumber = (name: SyscallName, architecture: Architecture = ARCHITECTURE): number => {
  const nr = SYSCALLS[name][architecture === 'x86_64' ? 0 : 1]
  if (nr < 0)
    throw new TareError({ operation: 'use system call', target: name, reason: `${architecture} has no such call` })
  return nr
}

/**
 * A raw system call (syscall(2)). Returns its result, or the errno as a negative number; never throws for the
 * kernel's refusals. It blocks this thread for as long as the call does: don't pass a descriptor that may block.
 */
export const trySyscall = (name: SyscallName, ...args: readonly Argument[]): number =>
  binding.syscall(syscallNumber(name), ...args)

/** What a failed {@link syscall} was for; it becomes the error's words. */
export interface Purpose {
  readonly operation: string
  readonly target?: string | undefined
  readonly hint?: string | undefined
}

/** A raw system call that throws {@link TareError} when the kernel refuses. */
export const syscall = (purpose: Purpose, name: SyscallName, ...args: readonly Argument[]): number => {
  const result = trySyscall(name, ...args)
  if (result < 0) throw new TareError({ ...purpose, syscall: name, errno: -result })
  return result
}

/** The address of a buffer, for structures that hold pointers. Valid only while the buffer is reachable. */
export const addressOf = (buffer: NodeJS.ArrayBufferView | ArrayBuffer): bigint => binding.address(buffer)
