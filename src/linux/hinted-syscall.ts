import { errnoName } from './errno.ts'
import { TareError } from './error.ts'
import type { Argument, Purpose, SyscallName } from './syscall.ts'
import { trySyscall } from './syscall.ts'

/** What to do about a failure, by the name of its errno. */
export type Hints = Readonly<Record<string, string>>

/** As `syscall`, with a hint that depends on the errno: advice on privileges helps nobody whose path is wrong. */
export const hintedSyscall = (
  purpose: Omit<Purpose, 'hint'>,
  hints: Hints,
  name: SyscallName,
  ...args: readonly Argument[]
): number => {
  const result = trySyscall(name, ...args)
  if (result >= 0) return result
  throw new TareError({ ...purpose, syscall: name, errno: -result, hint: hints[errnoName(-result)] })
}
