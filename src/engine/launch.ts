import { Descriptors } from '../runtime/descriptors.ts'
import type { Launched } from '../runtime/launch/launched.ts'
import { planLaunch } from '../runtime/launch/plan.ts'
import { startLaunch } from '../runtime/launch/start.ts'
import type { LaunchOptions } from './launch-options.ts'
import { Program, resolveWatch } from './program.ts'
import { resolveLaunch } from './resolve-launch.ts'
import { makeStdio } from './stdio.ts'

/**
 * Starts a program of this host with none of the walls but those that are asked for: in namespaces of others, in new
 * ones, with another root, in control groups, as another user, with other capabilities. All else it has from this
 * process: environment, working directory, session, process group. Of the descriptors it gets 0, 1 and 2 alone.
 *
 * It is no container: it may outlive this process (see `parentDeathSignal`), and SIGKILL, `timeout` and an aborted
 * `signal` end the program alone. With `stdin`, `stdout` and `stderr` `inherit` it has the caller's terminal.
 *
 * Rejects with {@link InputError} for bad options before anything is started, and with {@link TareError} if the kernel
 * refuses a step: it names the step, and the `syscall` is `execve` where the program itself could not be run.
 *
 * @example
 * ```ts
 * const { stdout } = await launch(['ip', 'link'], { unshare: { kinds: ['user', 'net'], uids: { own: 0 } } })
 * ```
 */
export const launch = (command: readonly string[], options: LaunchOptions = {}): Program =>
  new Program(() => {
    const descriptors = new Descriptors()
    try {
      const watch = resolveWatch(options)
      const plan = planLaunch(resolveLaunch(command, options, descriptors))
      const stdio = makeStdio(options)
      const abandon = (): void => {
        descriptors.closeAll()
        stdio.abandon()
      }
      const start = async (): Promise<Launched> => {
        const launched = await startLaunch(plan, stdio.descriptors)
        descriptors.closeAll()
        return launched
      }
      return { stdio: { ...stdio, abandon }, watch, start }
    } catch (error) {
      descriptors.closeAll()
      throw error
    }
  })
