import { SIGRTMIN } from '../linux/signal.ts'
import type { InitKind } from '../rootfs/init.ts'
import { withTree } from '../rootfs/system-tree.ts'
import { planContainer } from '../runtime/plan.ts'
import type { Running } from '../runtime/running.ts'
import { startContainer } from '../runtime/start.ts'
import type { BootOptions } from './boot-options.ts'
import { BOOT_OPTIONS } from './boot-options.ts'
import { checkOptions } from './check-options.ts'
import type { Result } from './program.ts'
import { Program, resolveWatch } from './program.ts'
import { resolveBoot } from './resolve-boot.ts'
import { makeTerminal } from './stdio.ts'
import { startHeld } from './system-lock.ts'

/** The signals by which an init is told to switch off, and to boot anew. */
const SIGNALS: Readonly<Record<InitKind, { readonly powerOff: number; readonly reboot: number }>> = {
  // systemd(1), "Signals"
  systemd: { powerOff: SIGRTMIN + 4, reboot: SIGRTMIN + 5 },
  // SIGUSR2 and SIGTERM: init/init.c of busybox
  busybox: { powerOff: 12, reboot: 15 },
  // SIGTERM and SIGINT: openrc-init(8)
  openrc: { powerOff: 15, reboot: 2 },
  // SIGPWR, power failing, and SIGINT, ctrl-alt-del: what the kernel itself sends (inittab(5))
  other: { powerOff: 30, reboot: 2 },
}

/** How a system has ended. */
export type MachineEnd =
  | { readonly how: 'power-off' }
  | { readonly how: 'reboot' }
  /** Its init has ended by itself; 0 to 255. */
  | { readonly how: 'exit'; readonly exitCode: number }
  | { readonly how: 'killed'; readonly signal: string }

/** A system that was booted. It ends with this process. */
export interface Machine {
  /** Its PID 1, and the console as its streams. Rejects if the system could not be started. */
  readonly program: Program
  /** Resolves when nothing of it is left. Rejects as `program` does. */
  readonly ended: Promise<MachineEnd>
  /** Asks it to stop its services and switch off. False if it has ended. */
  powerOff(): boolean
  /** Asks it to stop its services and boot anew: whoever sees the end `reboot` is to do that. */
  reboot(): boolean
  /** Ends it at once. */
  kill(): boolean
}

/** The kernel ends PID 1 of a pid namespace by these when it calls reboot(2). */
const endOf = ({ exitCode, signal = 'SIGKILL' }: Result): MachineEnd => {
  if (exitCode !== undefined) return { how: 'exit', exitCode }
  if (signal === 'SIGINT') return { how: 'power-off' }
  return signal === 'SIGHUP' ? { how: 'reboot' } : { how: 'killed', signal }
}

/**
 * Boots the system in a directory with its own init, in a container with a user namespace, a network and control groups
 * of its own. The console is a terminal: {@link Program.stdin} and {@link Program.stdout} of `program`.
 *
 * Rejects with {@link InputError} for bad options, for a directory without an init and for a system that runs already,
 * and with {@link TareError} if the kernel refuses a step; nothing has happened then.
 *
 * @example
 * ```ts
 * const machine = boot('./box', { memory: '1GiB' })
 * machine.program.stdout?.pipe(process.stdout)
 * setTimeout(() => machine.powerOff(), 60_000)
 * console.log((await machine.ended).how)
 * ```
 */
export const boot = (directory: string, options: BootOptions = {}): Machine => {
  let kind: InitKind = 'other'
  const program = new Program(() => {
    checkOptions(options, BOOT_OPTIONS)
    const resolved = withTree(directory, (tree) => resolveBoot(tree, options))
    kind = resolved.init.kind
    const plan = planContainer(resolved.spec, resolved.host)
    const stdio = makeTerminal()
    const start = (): Promise<Running> =>
      startHeld(directory, 'boot', () => startContainer(plan, { stdio: stdio.descriptors, host: resolved.host }))
    return { stdio, watch: resolveWatch({ buffer: false }), start }
  })
  return {
    program,
    ended: program.then(endOf),
    powerOff: () => program.kill(SIGNALS[kind].powerOff),
    reboot: () => program.kill(SIGNALS[kind].reboot),
    kill: () => program.kill('SIGKILL'),
  }
}
