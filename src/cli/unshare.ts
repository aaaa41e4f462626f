import type { IdMapOptions, UnshareOptions } from '../index.ts'
import type { IdMapping, NamespaceKind } from '../linux/index.ts'
import { signalNumber } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { runInForeground } from './foreground.ts'
import { kindOption, kindsOf, parseWhole, programOf } from './namespace-options.ts'
import type { OptionValues } from './options.ts'
import { UsageError } from './usage-error.ts'
import { wordOf } from './word-of.ts'
import { wrongValue } from './wrong-value.ts'

const IDS = 'User and group ids'
const FILES = 'Mounts, root and working directory'
const PROCESS = 'The process'
const CLOCKS = 'Clocks'

const RANGE =
  'INSIDE:OUTSIDE:COUNT, or auto: the first range of yours in /etc/sub%s, from 0 on; subids: the same range as itself; all: every id that there is here, as itself. More than your own id takes root, or newuidmap(1). Implies --user.'

const OPTIONS = [
  kindOption('mount', 'm', 'A new mount namespace. FILE must lie on a mount that is not shared.'),
  kindOption('uts', 'u', 'A new namespace of host name and domain name.'),
  kindOption('ipc', 'i', 'A new namespace of message queues, semaphores and shared memory.'),
  kindOption('net', 'n', 'A new network namespace. It has a loopback, which is down.'),
  kindOption('pid', 'p', 'A new pid namespace. Children are in it, and the program only with --fork.'),
  kindOption('user', 'U', 'A new user namespace. Nobody is mapped in it unless an option says so.'),
  kindOption('cgroup', 'C', 'A new cgroup namespace.'),
  kindOption('time', 'T', 'A new time namespace. See --monotonic and --boottime.'),
  {
    long: 'fork',
    short: 'f',
    description:
      'Starts the program as a child of the process that made the namespaces: with --pid it is PID 1, and gets only the signals that it has handlers for, so that neither ^C nor ^Z ends or stops one that has none.',
    group: PROCESS,
  },
  {
    long: 'kill-child',
    argument: 'SIGNAL',
    optional: true,
    description:
      'The program gets SIGNAL, KILL by default, when tare ends. As PID 1 it takes all processes of its pid namespace along. Implies --fork.',
    group: PROCESS,
  },
  { long: 'forward-signals', description: 'Implies --fork. Signals are passed on in any case.', group: PROCESS },
  {
    long: 'setuid',
    short: 'S',
    argument: 'UID',
    description: 'The user id of the program, in the new namespace.',
    group: PROCESS,
  },
  {
    long: 'setgid',
    short: 'G',
    argument: 'GID',
    description: 'Its group id; it has no additional groups then.',
    group: PROCESS,
  },
  {
    long: 'keep-caps',
    description:
      'What the new user namespace gives in capabilities outlives the start of the program, also where that is not run by root.',
    group: PROCESS,
  },
  {
    long: 'whitelist-env',
    argument: 'NAMES',
    description: 'Of the environment the program gets these variables alone, separated by commas.',
    group: PROCESS,
  },
  { long: 'clear-env', description: 'The program gets no environment variables.', group: PROCESS },
  { long: 'map-root-user', short: 'r', description: 'You are root in it: --map-user=0 --map-group=0.', group: IDS },
  { long: 'map-current-user', short: 'c', description: 'You are yourself in it.', group: IDS },
  {
    long: 'map-user',
    argument: 'UID',
    description: 'What your user id is in it: a number or a name. Implies --user.',
    group: IDS,
  },
  {
    long: 'map-group',
    argument: 'GID',
    description:
      'What your group id is in it: a number or a name. Implies --user, and --setgroups=deny unless a range is mapped too.',
    group: IDS,
  },
  { long: 'map-users', argument: 'RANGE', repeatable: true, description: RANGE.replace('%s', 'uid'), group: IDS },
  { long: 'map-groups', argument: 'RANGE', repeatable: true, description: RANGE.replace('%s', 'gid'), group: IDS },
  { long: 'map-auto', description: 'Both --map-users=auto and --map-groups=auto.', group: IDS },
  { long: 'map-subids', description: 'Both --map-users=subids and --map-groups=subids.', group: IDS },
  {
    long: 'owner',
    argument: 'UID:GID',
    description: 'Who owns the new user namespace, and runs the program. It takes root. Implies --user.',
    group: IDS,
  },
  {
    long: 'setgroups',
    argument: 'WORD',
    choices: ['allow', 'deny'],
    description: 'Whether setgroups(2) works in the new user namespace.',
    group: IDS,
  },
  {
    long: 'propagation',
    argument: 'WORD',
    choices: ['private', 'shared', 'slave', 'unchanged'],
    description: 'How mounts reach other mount namespaces, and theirs this one. By default private: not at all.',
    group: FILES,
  },
  {
    long: 'mount-proc',
    argument: 'DIR',
    optional: true,
    description: 'Mounts a proc of the new pid namespace at DIR, /proc by default. Implies --mount.',
    group: FILES,
  },
  {
    long: 'mount-binfmt',
    argument: 'DIR',
    optional: true,
    description:
      'Mounts a binfmt_misc of the new user namespace at DIR, /proc/sys/fs/binfmt_misc by default. Implies --mount. Since Linux 6.7.',
    group: FILES,
  },
  {
    long: 'load-interp',
    short: 'l',
    argument: 'TEXT',
    description:
      'Registers an interpreter there, as :NAME:TYPE:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS. Implies --mount-binfmt.',
    group: FILES,
  },
  { long: 'root', short: 'R', argument: 'DIR', description: 'Makes DIR the root.', group: FILES },
  { long: 'wd', short: 'w', argument: 'DIR', description: 'Makes DIR the working directory.', group: FILES },
  {
    long: 'monotonic',
    argument: 'SECONDS',
    description: 'How far CLOCK_MONOTONIC is ahead; behind if negative.',
    group: CLOCKS,
  },
  {
    long: 'boottime',
    argument: 'SECONDS',
    description: 'How far CLOCK_BOOTTIME, and with it the uptime, is ahead.',
    group: CLOCKS,
  },
] as const

type Values = OptionValues<typeof OPTIONS>

/** `INSIDE:OUTSIDE:COUNT`, or as unshare(1) once had it, `OUTSIDE,INSIDE,COUNT`. */
const parseRange = (option: string, word: string): IdMapping | 'auto' | 'subids' | 'all' => {
  if (word === 'auto' || word === 'subids' || word === 'all') return word
  const [first, second, size] = (/^(\d{1,10}):(\d{1,10}):(\d{1,10})$/.exec(word) ?? []).slice(1).map(Number)
  if (first !== undefined && second !== undefined && size !== undefined) return { inside: first, outside: second, size }
  const [outside, inside, count] = (/^(\d{1,10}),(\d{1,10}),(\d{1,10})$/.exec(word) ?? []).slice(1).map(Number)
  if (outside !== undefined && inside !== undefined && count !== undefined) return { inside, outside, size: count }
  throw wrongValue(option, word, 'it is no range of ids', 'Write INSIDE:OUTSIDE:COUNT, auto, subids or all.')
}

const idOrName = (word: string): number | string => (/^\d+$/.test(word) ? Number(word) : word)

const mapOf = (values: Values, which: 'user' | 'group', own: () => number): IdMapOptions | undefined => {
  const given = which === 'user' ? values['map-user'] : values['map-group']
  const written = which === 'user' ? values['map-users'] : values['map-groups']
  const asked = [
    ...(values['map-root-user'] === true ? [0] : []),
    ...(values['map-current-user'] === true ? [own()] : []),
    ...(given === undefined ? [] : [idOrName(given)]),
  ]
  if (asked.length > 1)
    throw new UsageError(
      `cannot map your ${which} id to ${asked.join(' and ')}: it is one of them`,
      `Give one of --map-root-user, --map-current-user and --map-${which}.`,
    )
  const ranges = [
    ...written.map((word) => parseRange(`map-${which}s`, word)),
    ...(values['map-auto'] === true ? (['auto'] as const) : []),
    ...(values['map-subids'] === true ? (['subids'] as const) : []),
  ]
  const [single] = asked
  if (single === undefined) return ranges.length === 0 ? undefined : { ranges }
  return { own: single, ranges }
}

const seconds = (option: 'monotonic' | 'boottime', values: Values): number | undefined => {
  const word = values[option]
  if (word === undefined) return undefined
  if (values.time === undefined)
    throw new UsageError(`cannot use --${option}: there is no new time namespace`, 'Give --time too.')
  return parseWhole(option, word, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
}

const parseOwner = (word: string): NonNullable<UnshareOptions['owner']> => {
  const [uid, gid] = (/^(\d{1,10}):(\d{1,10})$/.exec(word) ?? []).slice(1).map(Number)
  if (uid !== undefined && gid !== undefined) return { uid, gid }
  throw wrongValue('owner', word, 'it is no user and group', 'Write UID:GID.')
}

/** What is left of the environment; undefined: all. */
const environmentOf = (values: Values): Readonly<Record<string, string | undefined>> | undefined => {
  const names = values['whitelist-env']?.split(',') ?? []
  if (values['clear-env'] !== true && names.length === 0) return undefined
  return Object.fromEntries(names.map((name) => [name, process.env[name]]))
}

/** What the options mean: the new namespaces. */
const unshareOptions = (values: Values): UnshareOptions | undefined => {
  const { kinds, files } = kindsOf(values)
  const uids = mapOf(values, 'user', () => process.geteuid?.() ?? 0)
  const gids = mapOf(values, 'group', () => process.getegid?.() ?? 0)
  const setgroups = wordOf(values.setgroups, ['allow', 'deny'])
  const mountBinfmt = values['mount-binfmt'] ?? (values['load-interp'] === undefined ? undefined : true)
  const all = new Set<NamespaceKind>(kinds)
  const owner = values.owner === undefined ? undefined : parseOwner(values.owner)
  if (uids !== undefined || gids !== undefined || owner !== undefined) all.add('user')
  if (values['mount-proc'] !== undefined || mountBinfmt !== undefined) all.add('mnt')
  if (setgroups !== undefined && !all.has('user'))
    throw new UsageError('cannot use --setgroups: there is no new user namespace', 'Give --user too.')
  const monotonic = seconds('monotonic', values)
  const boottime = seconds('boottime', values)
  if (all.size === 0) return undefined
  const propagation = wordOf(values.propagation, ['private', 'shared', 'slave', 'unchanged'])
  return {
    kinds: [...all],
    persistent: files,
    ...(owner === undefined ? {} : { owner }),
    ...(uids === undefined ? {} : { uids }),
    ...(gids === undefined ? {} : { gids }),
    ...(setgroups === undefined ? {} : { setgroups }),
    ...(propagation === undefined ? {} : { propagation }),
    ...(monotonic === undefined ? {} : { monotonic }),
    ...(boottime === undefined ? {} : { boottime }),
    ...(values['mount-proc'] === undefined ? {} : { mountProc: values['mount-proc'] }),
    ...(mountBinfmt === undefined ? {} : { mountBinfmt }),
    ...(values['load-interp'] === undefined ? {} : { loadInterp: values['load-interp'] }),
  }
}

/** The program ends with us if it is what tare has become, so to speak; as a child it goes on unless --kill-child says not to. */
const deathSignal = (values: Values, fork: boolean): string | undefined => {
  const given = values['kill-child']
  if (given === undefined) return fork ? undefined : 'KILL'
  if (given === true) return 'KILL'
  signalNumber(given)
  return given
}

export const unshare: Command = command({
  usage: ['[OPTION]... [[--] PROGRAM [ARGUMENT...]]'],
  description:
    'Runs a program in new namespaces, and a shell if there is none, with nothing else changed: the options are those of unshare(1). It takes root, or --user, where this host lets ordinary users make user namespaces (see "tare info").\n\n' +
    'A kind of namespace with a FILE, which must exist, is kept: it is mounted there, and stays when the program has ended. "tare enter" enters it, "umount FILE" ends it.\n\n' +
    'Unlike unshare(1), tare stays beside the program, in its terminal and process group, passes signals on to it, and ends as it did. If tare is killed, the program is killed too; with --fork it goes on, unless there is --kill-child.',
  options: OPTIONS,
  operands: [
    { name: 'PROGRAM', optional: true },
    { name: 'ARGUMENT', optional: true, repeatable: true },
  ],
  stopAtOperand: true,
  examples: [
    {
      description: 'a shell that is root, and alone with its processes, as an ordinary user',
      command: 'tare unshare -r --pid --fork --mount-proc',
    },
    { description: 'what a program can do without any network', command: 'tare unshare -rn curl https://example.org' },
    {
      description: 'a network namespace that stays, and how it is entered and ended',
      command: 'touch blue; tare unshare --net=blue true; tare enter --net=blue ip link; umount blue',
    },
    {
      description: 'a machine that has been up for a year',
      command: 'tare unshare --time --fork --boottime=31536000 uptime',
    },
    {
      description: 'many users, of your subordinate ids',
      command: 'tare unshare --map-auto -r cat /proc/self/uid_map',
    },
  ],
  exitStatus: [
    ['N', "The program's own."],
    ['126', 'The program was found, and cannot be executed.'],
    ['127', 'The program was not found.'],
    ['128+N', 'Signal N killed it.'],
  ],
  run: async ({ options, operands }) => {
    const made = unshareOptions(options)
    const fork = options.fork === true || options['forward-signals'] === true || options['kill-child'] !== undefined
    const env = environmentOf(options)
    const death = deathSignal(options, fork)
    const { command: words, argv0 } = programOf(operands, process.env)
    return runInForeground(words, {
      fork,
      ...(argv0 === undefined ? {} : { argv0 }),
      ...(made === undefined ? {} : { unshare: made }),
      ...(death === undefined ? {} : { parentDeathSignal: death }),
      ...(options.root === undefined ? {} : { root: options.root }),
      ...(options.wd === undefined ? {} : { workdir: options.wd }),
      ...(options.setuid === undefined ? {} : { uid: parseWhole('setuid', options.setuid) }),
      ...(options.setgid === undefined ? {} : { gid: parseWhole('setgid', options.setgid) }),
      ...(options['keep-caps'] === true && made?.kinds.includes('user') === true ? { keepCapabilities: true } : {}),
      ...(env === undefined ? {} : { env }),
    })
  },
})
