import type { WaitStatus } from '../../linux/wait.ts'
import type { CreateOptions } from './create.ts'
import { makeContainer } from './create.ts'
import { removeContainer } from './delete.ts'
import { runHooks } from './host-hooks.ts'
import { stateOf } from './status.ts'

/** A container that runs in the foreground. */
export interface ForegroundContainer {
  readonly pid: number
  /** The other side of its terminal, where the caller takes that. */
  readonly terminal: number | undefined
  /** Sends a signal to its first process. False if that has ended. */
  readonly signal: (signal: number) => boolean
  /** Resolves when it has ended and nothing is left of it. */
  readonly ended: () => Promise<WaitStatus>
}

/**
 * `run`: makes a container and lets it go on to its program at once. Throws {@link TareError} if the program could not be
 * reached; nothing is left then.
 */
export const runContainer = async (options: CreateOptions): Promise<ForegroundContainer> => {
  const { record, directory, launched, terminal } = await makeContainer(options, false)
  try {
    await launched.started()
    await runHooks('poststart', record.poststart, stateOf(record, 'running'))
  } catch (error) {
    await launched.kill()
    launched.release()
    await removeContainer(directory, record, options.warn)
    throw error
  }
  directory.unlock()
  return {
    pid: launched.pid,
    terminal,
    signal: (signal) => launched.signal(signal),
    ended: async () => {
      const { status } = await launched.ended()
      launched.release()
      directory.lock()
      await removeContainer(directory, record, options.warn)
      return status
    },
  }
}

/** `run --detach`: the same, and the container stays when this process ends. */
export const runDetached = async (options: CreateOptions): Promise<void> => {
  await runContainer(options)
}
