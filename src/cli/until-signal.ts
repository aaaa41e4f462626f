import { EXIT_STATUS, signalStatus } from './exit-status.ts'

/** Signals that ask a program to end, as ^C does. */
const ENDING = [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const

/** A wait that signals end, rather than this process. */
export interface SignalWait {
  /** Is aborted when one came. */
  readonly signal: AbortSignal
  /** The exit status for the one that came; 0 if none did. */
  status(): number
  /** Leaves signals to the kernel again. */
  release(): void
}

/** From now on a signal that asks for the end aborts what goes by {@link SignalWait.signal}, so that it can tidy up. */
export const untilSignal = (): SignalWait => {
  const controller = new AbortController()
  let status = 0
  const listeners = ENDING.map(([name, number]) => {
    const listener = (): void => {
      status = signalStatus(number)
      controller.abort()
    }
    process.on(name, listener)
    return [name, listener] as const
  })
  return {
    signal: controller.signal,
    status: () => status,
    release: () => {
      for (const [name, listener] of listeners) process.off(name, listener)
    },
  }
}

/**
 * Does work until it is done, or a signal asks for the end, which aborts it. Resolves with the exit status of the work, or
 * for the signal.
 */
export const untilDone = async (work: (signal: AbortSignal) => Promise<number>): Promise<number> => {
  const { signal, status, release } = untilSignal()
  try {
    return await work(signal)
  } catch (error) {
    if (signal.aborted && error === signal.reason) return status() || EXIT_STATUS.failure
    throw error
  } finally {
    release()
  }
}
