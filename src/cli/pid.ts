import { UsageError } from './usage-error.ts'

/** The largest id that the kernel gives (PID_MAX_LIMIT, linux/threads.h). */
const LARGEST = 4194304

/** Reads the id of a process; throws {@link UsageError} for what is none. */
export const parsePid = (word: string, hint = 'It is a number, such as "tare ps" shows.'): number => {
  const pid = /^[1-9][0-9]{0,9}$/.test(word) ? Number(word) : Number.NaN
  if (pid <= LARGEST) return pid
  throw new UsageError(`cannot use "${word}": it is no process id`, hint)
}
