import { resolve } from 'node:path'
import type { InitKind } from '../rootfs/init.ts'
import { withTree } from '../rootfs/system-tree.ts'
import { planContainer } from '../runtime/plan.ts'
import type { Running } from '../runtime/running.ts'
import { startContainer } from '../runtime/start.ts'
import type { BootOptions } from './boot-options.ts'
import { BOOT_OPTIONS } from './boot-options.ts'
import { checkOptions } from './check-options.ts'
import { INIT_SIGNALS } from './init-signals.ts'
import { registerInForeground } from './machine/foreground.ts'
import type { Result } from './program.ts'
import { Program, resolveWatch } from './program.ts'
import { resolveBoot } from './resolve-boot.ts'
import { reserveLink } from './resolve-network.ts'
import { makeTerminal } from './stdio.ts'
import { startHeld } from './system-lock.ts'

/** How a system has ended. */
export type MachineEnd =
  | { readonly how: 'power-off' }
  | { readonly how: 'reboot' }
  /** Its init has ended by itself; 0 to 255. */
  | { readonly how: 'exit'; readonly exitCode: number }
  | { readonly how: 'killed'; readonly signal: string }

/** What a system is booted with, and called. */
export interface ForegroundBootOptions extends BootOptions {
  /** By which others find it (`machine`). Default: the name of the directory, with a number behind it where that is taken. */
  readonly name?: string
}

/** A system that was booted. It ends with this process. */
export interface Machine {
  /** Its PID 1, and the console as its streams. Rejects if the system could not be started. */
  readonly program: Program
  /** What whoever boots it is to know, in words: that nothing asks for a login on its console. */
  readonly warnings: readonly string[]
  /** Resolves when nothing of it is left. Rejects as `program` does. */
  readonly ended: Promise<MachineEnd>
  /** Asks it to stop its services and switch off. False if it has ended. */
  powerOff(): boolean
  /** Asks it to stop its services and boot anew: whoever sees the end `reboot` is to do that. */
  reboot(): boolean
  /** Ends it at once. */
  kill(): boolean
}

type InOrder = 'power-off' | 'reboot'

/** The kernel ends PID 1 of a pid namespace by these when it calls reboot(2). */
const IN_ORDER: Readonly<Record<string, InOrder>> = { SIGINT: 'power-off', SIGHUP: 'reboot' }

const endOf = ({ exitCode, signal = 'SIGKILL' }: Result, asked: InOrder | undefined): MachineEnd => {
  if (exitCode !== undefined) return { how: 'exit', exitCode }
  const how = IN_ORDER[signal]
  return how === undefined ? { how: 'killed', signal } : { how: asked ?? how }
}

/**
 * Boots the system in a directory with its own init, in a container with a user namespace, a network and control groups
 * of its own. The console is a terminal: {@link Program.stdin} and {@link Program.stdout} of `program`.
 *
 * Rejects with {@link InputError} for bad options, for a directory without an init, for a system that runs already and for a
 * name that is taken, and with {@link TareError} if the kernel refuses a step; nothing has happened then.
 *
 * @example
 * ```ts
 * const machine = boot('./box', { memory: '1GiB' })
 * machine.program.stdout?.pipe(process.stdout)
 * setTimeout(() => machine.powerOff(), 60_000)
 * console.log((await machine.ended).how)
 * ```
 */
export const boot = (directory: string, { name, ...options }: ForegroundBootOptions = {}): Machine => {
  let kind: InitKind = 'other'
  let asked: InOrder | undefined
  let warnings: readonly string[] = []
  const program = new Program(() => {
    checkOptions(options, BOOT_OPTIONS)
    const resolved = withTree(directory, (tree) => resolveBoot(tree, options))
    kind = resolved.init.kind
    warnings = resolved.warnings
    const plan = planContainer(resolved.spec, resolved.host)
    const stdio = makeTerminal()
    let address: string | undefined
    const start = (): Promise<Running> =>
      startHeld(directory, 'boot', async () => {
        const network = reserveLink(resolved.spec, options)
        address = network?.addresses.container
        const wanted = { directory: resolve(directory), options, name }
        const registration = await registerInForeground(wanted, resolved).catch((error: unknown) => {
          network?.release()
          throw error
        })
        return registration.keep(() => startContainer(plan, { stdio: stdio.descriptors, host: resolved.host, network }))
      })
    return { stdio, watch: resolveWatch({ buffer: false }), start, address: () => address }
  })
  return {
    program,
    warnings,
    ended: program.then((result) => endOf(result, asked)),
    powerOff: () => {
      asked = 'power-off'
      return program.kill(INIT_SIGNALS[kind].powerOff)
    },
    reboot: () => {
      asked = 'reboot'
      return program.kill(INIT_SIGNALS[kind].reboot)
    },
    kill: () => program.kill('SIGKILL'),
  }
}
