import type { Fault } from '../runtime/fault.ts'
import type { Running } from '../runtime/running.ts'
import { startContainer } from '../runtime/start.ts'
import { checkOptions } from './check-options.ts'
import type { RunOptions } from './options.ts'
import { CONTAINER_OPTIONS, PROGRAM_OPTIONS } from './options.ts'
import type { ProgramParts } from './program.ts'
import { Program, resolveWatch } from './program.ts'
import { prepareContainer } from './prepare.ts'
import { reserveLink } from './resolve-network.ts'
import { checkCommand } from './resolve.ts'
import { makeStdio, makeTerminal } from './stdio.ts'

const RUN_OPTIONS: readonly string[] = [...CONTAINER_OPTIONS, ...PROGRAM_OPTIONS]

/** What a contained program is made of. Throws {@link InputError}; nothing has happened then. */
export const runParts = (command: readonly string[], options: RunOptions, fault: Fault | undefined): ProgramParts => {
  checkOptions(options, RUN_OPTIONS)
  const watch = resolveWatch(options)
  const { plan, host, forget } = prepareContainer(checkCommand(command), options, fault !== undefined)
  const stdio = plan.spec.process.terminal ? makeTerminal() : makeStdio(options)
  let address: string | undefined
  const start = async (): Promise<Running> => {
    try {
      const network = reserveLink(plan.spec, options)
      address = network?.addresses.container
      return await startContainer(plan, { stdio: stdio.descriptors, host, fault, network })
    } catch (error) {
      forget()
      throw error
    }
  }
  return { stdio, watch, start, failed: forget, address: () => address }
}

/** As {@link run}, with a fault for tests. */
export const runWithFault = (command: readonly string[], options: RunOptions, fault: Fault | undefined): Program =>
  new Program(() => runParts(command, options, fault))

/**
 * Runs a command in a container of its own, and resolves with what became of it. All walls are up unless an option
 * takes one down, nothing of the host is seen but its programs and libraries, and nothing is left when it has ended.
 *
 * Works as root and as any user who may make user namespaces. Rejects with {@link InputError} for bad options before
 * anything is started, with {@link TareError} if the kernel refuses a step, and with the reason of an aborted signal.
 *
 * @example
 * ```ts
 * const { exitCode, stdout } = await run(['python3', '-c', 'print(6 * 7)'], { memory: '256MiB', timeout: '5s' })
 * ```
 */
export const run = (command: readonly string[], options: RunOptions = {}): Program =>
  runWithFault(command, options, undefined)
