import { TareError } from '../../linux/error.ts'
import { openPidfd } from '../../linux/pidfd.ts'
import { readProcessStat } from '../../linux/process-stat.ts'
import { trySyscall } from '../../linux/syscall.ts'

/** A process that no later one of the same number is taken for. */
export interface ProcessIdentity {
  readonly pid: number
  /** Milliseconds from the boot of the host to its start. */
  readonly startTime: number
}

const isGone = (error: unknown): boolean =>
  error instanceof TareError && (error.code === 'ENOENT' || error.code === 'ESRCH')

/** Throws where it has ended. */
export const identify = (pid: number): ProcessIdentity => ({ pid, startTime: readProcessStat(pid).startTime })

/** Whether it runs; one that has ended and was not waited for yet doesn't. */
export const isRunning = ({ pid, startTime }: ProcessIdentity): boolean => {
  try {
    const stat = readProcessStat(pid)
    return stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X'
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

/** A descriptor of it, to be closed; undefined where it has ended. */
export const openProcess = (identity: ProcessIdentity): number | undefined => {
  let pidfd: number
  try {
    pidfd = openPidfd(identity.pid)
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
  // Asked while the descriptor is open: the number is not given away meanwhile, unless it was before.
  if (isRunning(identity)) return pidfd
  trySyscall('close', pidfd)
  return undefined
}
