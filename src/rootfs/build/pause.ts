import { setImmediate as turn } from 'node:timers/promises'

/** Lets other things of this process have their turn; throws what the signal was aborted with. */
export const pause = async (signal: AbortSignal | undefined): Promise<void> => {
  signal?.throwIfAborted()
  await turn()
  signal?.throwIfAborted()
}
