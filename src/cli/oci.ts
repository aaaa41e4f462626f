import { OCI_VERSION } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import type { OciGlobals } from './oci-globals.ts'
import { defaultRoot, withTwoDashes } from './oci-globals.ts'
import { OCI_VERBS } from './oci-verbs.ts'
import { UsageError } from './usage-error.ts'
import { packageVersion } from './package-version.ts'

const OPTIONS = [
  {
    long: 'root',
    argument: 'DIR',
    description:
      'Where the state of containers is kept. By default /run/tare/oci, for an ordinary user $XDG_RUNTIME_DIR/tare/oci.',
  },
  { long: 'log', argument: 'FILE', description: 'Where errors are written to as well, for the engine to read.' },
  { long: 'log-format', argument: 'FORMAT', choices: ['text', 'json'], description: 'How they are written there.' },
  { long: 'debug', description: 'Taken and of no effect: only errors are told.' },
  { long: 'systemd-cgroup', description: 'Control groups by way of systemd, which create and run refuse as yet.' },
  {
    long: 'rootless',
    argument: 'BOOL',
    description: 'Taken and of no effect (true, false, auto): what this user may do is found out.',
  },
  { long: 'version', short: 'v', description: 'Shows the version of the runtime and of the specification.' },
] as const

const globalsOf = (options: {
  readonly root: string | undefined
  readonly log: string | undefined
  readonly 'log-format': string | undefined
  readonly 'systemd-cgroup': boolean | undefined
}): OciGlobals => ({
  root: options.root ?? defaultRoot(),
  log: options.log,
  logFormat: options['log-format'] === 'json' ? 'json' : 'text',
  systemdCgroup: options['systemd-cgroup'] === true,
})

const ociCommand: Command = command({
  usage: ['[OPTION]... VERB [ARGUMENT...]'],
  description:
    'Runs containers of OCI bundles, called as engines call runc or crun: podman, containerd, CRI-O and docker take it for their runtime, by the name of bin/tare-oci. Every verb has its own --help.\n\nErrors go to standard error and to --log; the exit status is 1 then.',
  options: OPTIONS,
  operands: [
    { name: 'VERB', optional: true },
    { name: 'ARGUMENT', optional: true, repeatable: true },
  ],
  stopAtOperand: true,
  examples: [
    { description: 'with podman', command: 'podman --runtime /usr/local/bin/tare-oci run --rm debian true' },
    { description: 'by hand', command: 'tare oci run --bundle ./bundle box' },
  ],
  run: async (context) => {
    const { options, operands, terminal, name } = context
    if (options.version === true) {
      terminal.print(`tare-oci version ${packageVersion()}\nspec: ${OCI_VERSION}\n`)
      return 0
    }
    const [verb, ...rest] = operands
    const entry = OCI_VERBS.find((each) => each.name === verb)
    if (entry === undefined)
      throw new UsageError(
        verb === undefined
          ? `cannot use ${name}: VERB is missing`
          : `cannot use "${name} ${verb}": there is no such verb`,
        `See "${name} --help".`,
      )
    const made = (await entry.verb())(globalsOf(options))
    const invocation = { terminal, commands: context.commands, name: `${name} ${entry.name}`, summary: entry.summary }
    return made.run(rest, invocation)
  },
})

/** `tare oci`, with options before the verb. */
export const oci: Command = {
  ...ociCommand,
  run: (argv, invocation) => ociCommand.run(withTwoDashes(argv, ociCommand), invocation),
}
