import { signalStatus } from './exit-status.ts'

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
