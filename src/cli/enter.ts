import type { EnterOptions } from '../index.ts'
import type { NamespaceKind } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { runInForeground } from './foreground.ts'
import { kindOption, kindsOf, parseWhole, programOf } from './namespace-options.ts'
import type { OptionValues } from './options.ts'
import { parsePid } from './pid.ts'
import { UsageError } from './usage-error.ts'

const FILES = 'Root and working directory'
const PROCESS = 'The process'

const OPTIONS = [
  {
    long: 'target',
    short: 't',
    argument: 'PID',
    description:
      'The process that is meant where an option has no FILE, as PID or PID:INODE: the inode of its pidfd, which no other process ever has.',
  },
  { long: 'all', short: 'a', description: 'All namespaces of the target that differ from yours.', group: 'Namespaces' },
  kindOption('mount', 'm', 'The mount namespace.'),
  kindOption('uts', 'u', 'The namespace of host name and domain name.'),
  kindOption('ipc', 'i', 'The namespace of message queues, semaphores and shared memory.'),
  kindOption('net', 'n', 'The network namespace.'),
  kindOption('pid', 'p', 'The pid namespace. The program is started as a child then, unless --no-fork.'),
  kindOption(
    'user',
    'U',
    'The user namespace. The program is its root then, unless an option says otherwise. Left out where you are in it already.',
  ),
  kindOption('cgroup', 'C', 'The cgroup namespace.'),
  kindOption('time', 'T', 'The time namespace.'),
  {
    long: 'user-parent',
    description: 'The user namespace above the one of --user, or else the one that owns what is entered.',
    group: 'Namespaces',
  },
  {
    long: 'net-socket',
    short: 'N',
    argument: 'FD',
    description: 'The network namespace of descriptor FD of the target, a socket.',
    group: 'Namespaces',
  },
  {
    long: 'root',
    short: 'r',
    argument: 'DIR',
    optional: true,
    description: "Makes DIR the root, or the target's root. DIR is looked up before anything is entered.",
    group: FILES,
  },
  {
    long: 'wd',
    short: 'w',
    argument: 'DIR',
    optional: true,
    description:
      'Makes DIR the working directory, or that of the target. DIR is looked up before anything is entered, and may be out of reach from there.',
    group: FILES,
  },
  {
    long: 'wdns',
    short: 'W',
    argument: 'DIR',
    description: 'Makes DIR the working directory, as the program sees it.',
    group: FILES,
  },
  {
    long: 'setuid',
    short: 'S',
    argument: 'UID',
    description: 'The user id of the program, or follow: that of the target.',
    group: PROCESS,
  },
  {
    long: 'setgid',
    short: 'G',
    argument: 'GID',
    description: 'Its group id, or follow; it has no additional groups then.',
    group: PROCESS,
  },
  {
    long: 'preserve-credentials',
    description: 'Leaves user and groups as they are, in another user namespace too.',
    group: PROCESS,
  },
  {
    long: 'keep-caps',
    description:
      'What the user namespace gives in capabilities outlives the start of the program, also where that is not run by root.',
    group: PROCESS,
  },
  { long: 'env', short: 'e', description: 'The environment of the target.', group: PROCESS },
  {
    long: 'keep-env',
    description:
      'All of your environment, also where the program is among others. By default only what programs need to find each other and to speak to a terminal: see below.',
    group: PROCESS,
  },
  {
    long: 'join-cgroup',
    short: 'c',
    description: 'Joins the control groups of the target, in all hierarchies.',
    group: PROCESS,
  },
  {
    long: 'no-fork',
    short: 'F',
    description: 'Starts no child: with --pid only the children of the program are in the pid namespace.',
    group: PROCESS,
  },
  { long: 'follow-context', short: 'Z', description: 'Refused: tare sets no SELinux contexts.', group: PROCESS },
] as const

type Values = OptionValues<typeof OPTIONS>

const targetOf = (word: string): NonNullable<EnterOptions['target']> => {
  const [, pid, inode] = /^([^:]*):([0-9]{1,16})$/.exec(word) ?? []
  return pid === undefined || inode === undefined ? parsePid(word) : { pid: parsePid(pid), inode: Number(inode) }
}

const needsTarget = (values: Values, kinds: readonly NamespaceKind[]): string | undefined => {
  if (values.all === true) return '--all'
  const [kind] = kinds
  if (kind !== undefined) return `--${kind === 'mnt' ? 'mount' : kind}`
  if (values['net-socket'] !== undefined) return '--net-socket'
  if (values.root === true) return '--root'
  if (values.wd === true) return '--wd'
  if (values.env === true) return '--env'
  if (values['join-cgroup'] === true) return '--join-cgroup'
  return values.setuid === 'follow' ? '--setuid=follow' : values.setgid === 'follow' ? '--setgid=follow' : undefined
}

const enterOptions = (values: Values): EnterOptions => {
  const { kinds, files } = kindsOf(values)
  const ofTarget = [...kinds].filter((kind) => files[kind] === undefined)
  if (values.target === undefined) {
    const needing = needsTarget(values, ofTarget)
    if (needing !== undefined)
      throw new UsageError(
        `cannot use ${needing}: it is not said of which process`,
        'Give --target=PID; "tare ps" and "tare ns" show which there are.',
      )
  }
  return {
    files,
    kinds: values.all === true ? 'all' : ofTarget,
    ...(values.target === undefined ? {} : { target: targetOf(values.target) }),
    ...(values['user-parent'] === true ? { userParent: true } : {}),
    ...(values['net-socket'] === undefined ? {} : { netSocket: parseWhole('net-socket', values['net-socket']) }),
    ...(values.root === undefined ? {} : { root: values.root }),
    ...(values.wd === undefined ? {} : { workdir: values.wd }),
    ...(values.env === true ? { env: true } : {}),
    ...(values['join-cgroup'] === true ? { cgroup: true } : {}),
    ...(values['preserve-credentials'] === true ? { preserveCredentials: true } : {}),
  }
}

/** Variables without secrets, which a program needs to find others and to speak to a terminal. */
const HARMLESS =
  /^(?:PATH|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|LANG|LANGUAGE|LC_[A-Z]+|TZ|HOME|USER|LOGNAME|SHELL|COLUMNS|LINES)$/

/**
 * Whether those who are entered may see the environment of the program: they share a pid or a user namespace with it, or
 * its files are theirs, and so its libraries.
 */
const isAmongOthers = (values: Values): boolean =>
  values.all === true ||
  values.root !== undefined ||
  values['user-parent'] === true ||
  ['mnt', 'pid', 'user'].some((kind) => [...kindsOf(values).kinds].some((given) => given === kind))

const environmentOf = (values: Values): Readonly<Record<string, string | undefined>> | undefined => {
  if (values.env === true) return undefined
  if (values['keep-env'] === true || !isAmongOthers(values)) return process.env
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => HARMLESS.test(name)))
}

const idOf = (option: 'setuid' | 'setgid', word: string): number | 'follow' =>
  word === 'follow' ? word : parseWhole(option, word)

const check = (values: Values): void => {
  if (values['follow-context'] === true)
    throw new UsageError(
      'cannot use --follow-context: tare sets no SELinux contexts',
      'Use nsenter(1), or runcon(1) as the program.',
    )
  if (values.wd !== undefined && values.wdns !== undefined)
    throw new UsageError('cannot use --wd with --wdns: there is one working directory', 'Leave one out.')
  if (values.env === true && values['keep-env'] === true)
    throw new UsageError('cannot use --env with --keep-env: there is one environment', 'Leave one out.')
}

export const enter: Command = command({
  usage: ['[OPTION]... [[--] PROGRAM [ARGUMENT...]]'],
  description:
    'Runs a program in namespaces of others, and a shell if there is none: those of a process, or those that a FILE stands for, such as /proc/PID/ns/net or what it is mounted on. The options are those of nsenter(1). The process is held from the beginning, so that no other one of its number is ever entered.\n\n' +
    'To enter takes CAP_SYS_ADMIN in the user namespace that owns what is entered: root has it, and whoever made that user namespace, if it is entered too.\n\n' +
    'Those who are entered may be hostile. The program gets none of your descriptors but 0, 1 and 2, and with --root it is not left outside by its working directory. Where it shares their mounts, processes or users it gets of your environment PATH, HOME, USER, LOGNAME, SHELL, TZ and what terminals and languages need, unless --keep-env. Your terminal it has: what runs there can read what you type and, where /proc/sys/dev/tty/legacy_tiocsti is 1, type for you. Give it other streams, or use "tare run", if you don\'t trust it.\n\n' +
    'A program in a machine that "tare boot" has booted is the matter of "tare exec": it joins its control group too, and gets no more power than its init has.\n\n' +
    'As in "tare unshare", tare stays beside the program, passes signals on, and ends as it did.',
  options: OPTIONS,
  operands: [
    { name: 'PROGRAM', optional: true },
    { name: 'ARGUMENT', optional: true, repeatable: true },
  ],
  stopAtOperand: true,
  examples: [
    { description: 'a shell where process 812 is, whatever that shares with you', command: 'tare enter -a -t 812' },
    {
      description: 'the addresses and ports of a container that has no ip or ss itself',
      command: 'tare enter -t 812 -n ss -tlnp',
    },
    { description: 'a namespace that a file stands for', command: 'tare enter --net=/run/netns/blue ip address' },
    {
      description: 'the same user as the process, in its directory',
      command: 'tare enter -t 812 -a --wd --env -S follow -G follow ls',
    },
  ],
  exitStatus: [
    ['N', "The program's own."],
    ['126', 'The program was found, and cannot be executed.'],
    ['127', 'The program was not found.'],
    ['128+N', 'Signal N killed it.'],
  ],
  run: async ({ options, operands }) => {
    check(options)
    const entered = enterOptions(options)
    const env = environmentOf(options)
    const { command: words, argv0 } = programOf(operands, process.env)
    const noFork = options['no-fork'] === true
    const forks = !noFork && (options.all === true || options.pid !== undefined)
    return runInForeground(words, {
      enter: entered,
      ...(noFork ? { fork: false } : {}),
      ...(forks ? {} : { parentDeathSignal: 'KILL' }),
      ...(argv0 === undefined ? {} : { argv0 }),
      ...(env === undefined ? {} : { env }),
      ...(options.wdns === undefined ? {} : { workdir: options.wdns }),
      ...(options.setuid === undefined ? {} : { uid: idOf('setuid', options.setuid) }),
      ...(options.setgid === undefined ? {} : { gid: idOf('setgid', options.setgid) }),
      ...(options['keep-caps'] === true ? { keepCapabilities: true } : {}),
    })
  },
})
