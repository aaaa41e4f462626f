import { readFileSync } from 'node:fs'
import type { OciProcess, OciProcessChange } from '../index.ts'
import { execContainer, parseProcess } from '../index.ts'
import { isWorded } from './error-words.ts'
import { signalStatus } from './exit-status.ts'
import { parseCount } from './oci-create.ts'
import type { OciVerb } from './oci-globals.ts'
import { ociVerb, warner } from './oci-globals.ts'
import { passSignals } from './oci-signals.ts'
import { UsageError } from './usage-error.ts'

/** `UID`, `UID:GID`. */
const parseUser = (text: string | undefined): OciProcessChange['user'] => {
  if (text === undefined) return undefined
  const [, uid, gid = '0'] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? []
  if (uid === undefined)
    throw new UsageError(
      `cannot use --user=${text}: it is neither UID nor UID:GID`,
      'Give numbers, as config.json does.',
    )
  return { uid: Number(uid), gid: Number(gid) }
}

const parseGid = (text: string): number => {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new UsageError(`cannot use --additional-gids=${text}: it is no number`)
}

const readProcess = (path: string): OciProcess => {
  try {
    return parseProcess(readFileSync(path, 'utf8'), path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error) || isWorded(error)) throw error
    throw new UsageError(`cannot read ${path} as a process: ${String(error.code)}`)
  }
}

/** Two options whose meaning is none that this runtime can give. */
const refuse = (option: string, value: unknown): void => {
  if (value !== undefined && value !== '')
    throw new UsageError(`cannot use --${option}: this runtime has no such thing yet`, 'Leave it out.')
}

export const ociExec: OciVerb = ociVerb({
  description:
    'Runs one more program in a container that runs: what it is comes from --process, or from the words and options and else from the container’s own configuration.',
  options: [
    { long: 'process', short: 'p', argument: 'FILE', description: 'A JSON file: process as in config.json.' },
    { long: 'detach', short: 'd', description: 'Ends as soon as the program runs.' },
    { long: 'pid-file', argument: 'FILE', description: 'Where the id of the program is written to.' },
    {
      long: 'console-socket',
      argument: 'SOCKET',
      description: 'A Unix socket on which somebody waits for its terminal.',
    },
    { long: 'tty', short: 't', description: 'With a terminal: ours, or that of --console-socket.' },
    { long: 'user', short: 'u', argument: 'UID[:GID]', description: 'As whom, by numbers.' },
    { long: 'additional-gids', short: 'g', argument: 'GID', repeatable: true, description: 'An additional group.' },
    { long: 'cwd', argument: 'DIR', description: 'The working directory.' },
    {
      long: 'env',
      short: 'e',
      argument: 'NAME=VALUE',
      repeatable: true,
      description: 'A variable of its environment.',
    },
    { long: 'cap', short: 'c', argument: 'CAPABILITY', repeatable: true, description: 'One capability more.' },
    { long: 'no-new-privs', description: 'It can never gain privileges.' },
    { long: 'preserve-fds', argument: 'N', description: 'How many descriptors, from 3 on, it gets.' },
    { long: 'apparmor', argument: 'PROFILE', description: 'Refused as yet.' },
    { long: 'process-label', argument: 'LABEL', description: 'Refused as yet.' },
    { long: 'cgroup', argument: 'PATH', description: 'Refused as yet.' },
  ],
  operands: [
    { name: 'ID' },
    { name: 'COMMAND', optional: true },
    { name: 'ARGUMENT', optional: true, repeatable: true },
  ],
  stopAtOperand: true,
  failure: 255,
  examples: [
    { description: 'look around in a container', command: 'tare oci exec box ls -l /' },
    { description: 'as an engine calls it', command: 'tare oci exec --process p.json --detach --pid-file pid box' },
  ],
  exitStatus: [
    ['N', 'The program’s own.'],
    ['128+N', 'Signal N killed it.'],
    ['255', 'It could not be run.'],
  ],
  run: async ({ options, operands, name, terminal }, globals) => {
    const { root } = globals
    const [id = '', ...words] = operands
    const args = words[0] === '--' ? words.slice(1) : words
    for (const option of ['apparmor', 'process-label', 'cgroup'] as const) refuse(option, options[option])
    const { process: file, tty } = options
    if (file === undefined && args.length === 0)
      throw new UsageError(`cannot use ${name}: COMMAND is missing, and --process too`, `See "${name} --help".`)
    const given = file === undefined ? undefined : readProcess(file)
    const program = await execContainer({
      root,
      id,
      process: given !== undefined && tty === true ? { ...given, terminal: true } : given,
      change: {
        args,
        terminal: tty === true,
        cwd: options.cwd,
        env: options.env,
        user: parseUser(options.user),
        additionalGids: options['additional-gids'].map(parseGid),
        capabilities: options.cap,
        noNewPrivileges: options['no-new-privs'],
      },
      pidFile: options['pid-file'],
      consoleSocket: options['console-socket'],
      preserveFds: parseCount('preserve-fds', options['preserve-fds']),
      foreground: options.detach !== true && options['console-socket'] === undefined,
      stdio: [0, 1, 2],
      warn: warner(globals, terminal),
    })
    if (options.detach === true) return 0
    const status = await passSignals(program)
    if (status.kind === 'exited') return status.code
    return status.kind === 'killed' ? signalStatus(status.signal) : 255
  },
})
