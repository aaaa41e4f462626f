import type { CreateOptions } from '../index.ts'
import { createContainer, runContainer, runDetached } from '../index.ts'
import { signalStatus } from './exit-status.ts'
import type { OciGlobals, OciVerb } from './oci-globals.ts'
import { ociVerb, warner } from './oci-globals.ts'
import { passSignals } from './oci-signals.ts'
import type { OptionValues } from './options.ts'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

const OPTIONS = [
  {
    long: 'bundle',
    short: 'b',
    argument: 'DIR',
    description: 'The bundle: a directory with config.json. By default the working directory.',
  },
  { long: 'pid-file', argument: 'FILE', description: 'Where the id of the first process is written to.' },
  {
    long: 'console-socket',
    argument: 'SOCKET',
    description:
      'A Unix socket on which somebody waits for the container’s terminal, where process.terminal asks for one.',
  },
  {
    long: 'preserve-fds',
    argument: 'N',
    description: 'How many descriptors, from 3 on, the program gets besides its standard streams. By default none.',
  },
  { long: 'no-pivot', description: 'Uses chroot(2) instead of pivot_root(2), which can not leave a ramfs.' },
  { long: 'no-new-keyring', description: 'The program keeps the session keyring of its caller.' },
] as const

const IDS = [{ name: 'ID' }] as const

/** A number of descriptors. */
export const parseCount = (option: string, text: string | undefined): number => {
  if (text === undefined) return 0
  if (/^\d{1,3}$/.test(text)) return Number(text)
  throw new UsageError(`cannot use --${option}=${text}: it is no number`, 'Write how many descriptors are passed on.')
}

const createOptions = (
  globals: OciGlobals,
  options: OptionValues<typeof OPTIONS>,
  id: string,
  terminal: Terminal,
): CreateOptions => ({
  root: globals.root,
  id,
  bundle: options.bundle ?? '.',
  pidFile: options['pid-file'],
  consoleSocket: options['console-socket'],
  preserveFds: parseCount('preserve-fds', options['preserve-fds']),
  noPivot: options['no-pivot'] === true,
  noNewKeyring: options['no-new-keyring'] === true,
  systemdCgroup: globals.systemdCgroup,
  stdio: [0, 1, 2],
  warn: warner(globals, terminal),
})

export const ociCreate: OciVerb = ociVerb({
  description:
    'Makes the container of a bundle: its namespaces, mounts, limits, and a process that waits to be started. The process is a child of whoever called this, or of the nearest that adopts orphans (PR_SET_CHILD_SUBREAPER, prctl(2)).\n\nWhatever can be found out before is: a program that is not there is an error here, not when it is started.',
  options: OPTIONS,
  operands: IDS,
  examples: [{ description: 'make a container', command: 'tare oci create --bundle ./bundle --pid-file pid box' }],
  run: async ({ options, operands: [id = ''], terminal }, globals) => {
    await createContainer(createOptions(globals, options, id, terminal))
    return 0
  },
})

export const ociRun: OciVerb = ociVerb({
  description:
    'Makes the container of a bundle, runs its program, and deletes it when that has ended. Signals go to the program, and so does what is typed, where the bundle asks for a terminal.',
  options: [
    ...OPTIONS,
    { long: 'detach', short: 'd', description: 'Ends as soon as the program runs, and leaves it running.' },
  ],
  operands: IDS,
  examples: [{ description: 'run a bundle', command: 'tare oci run --bundle ./bundle box' }],
  exitStatus: [
    ['N', 'The program’s own.'],
    ['128+N', 'Signal N killed it.'],
    ['1', 'The container could not be made.'],
  ],
  run: async ({ options, operands: [id = ''], terminal }, globals) => {
    const asked = createOptions(globals, options, id, terminal)
    if (options.detach === true) {
      await runDetached(asked)
      return 0
    }
    const container = await runContainer({ ...asked, foreground: asked.consoleSocket === undefined })
    const status = await passSignals(container)
    if (status.kind === 'exited') return status.code
    return status.kind === 'killed' ? signalStatus(status.signal) : 1
  },
})
