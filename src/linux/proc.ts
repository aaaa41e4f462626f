import { readFileSync, readlinkSync } from 'node:fs'

import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'

/** A process by its id, this process, or the calling thread. */
export type ProcId = number | 'self' | 'thread-self'

const isErrno = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && 'errno' in error

const HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'There is no such process, or it is not visible from this pid namespace.',
  ESRCH: 'The process has ended.',
  EACCES: 'It belongs to another user: that takes CAP_SYS_PTRACE in its user namespace.',
  EPERM: 'It belongs to another user: that takes CAP_SYS_PTRACE in its user namespace.',
}

/** Words an error of node:fs as one of ours, under the same errno. */
export const fromNodeError = (
  error: unknown,
  operation: string,
  target: string,
  hints: Readonly<Record<string, string>> = {},
): TareError => {
  const code = isErrno(error) ? (error.code ?? '') : ''
  return new TareError({
    operation,
    target,
    errno: ERRNO[code],
    reason: ERRNO[code] === undefined ? String(error) : undefined,
    hint: hints[code],
    cause: error,
  })
}

const named = (pid: ProcId): string =>
  typeof pid === 'number' ? `process ${pid}` : pid === 'self' ? 'this process' : 'this thread'

/** The text of /proc/PID/FILE (proc(5)). The operation words the error: `read the capabilities of`. */
export const readProc = (operation: string, pid: ProcId, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch (error) {
    throw fromNodeError(error, operation, named(pid), HINTS)
  }
}

/** Where the symbolic link /proc/PID/FILE leads (proc(5)). */
export const readProcLink = (operation: string, pid: ProcId, file: string): string => {
  try {
    return readlinkSync(`/proc/${pid}/${file}`)
  } catch (error) {
    throw fromNodeError(error, operation, named(pid), HINTS)
  }
}
