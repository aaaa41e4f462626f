import type { BuildMethod, BuiltRoot, Closure, ClosureEntry, Trace, TracedFile } from '../index.ts'
import { buildRoot, closure, TareError, traceFiles } from '../index.ts'
import { builtText, listing, totals } from './chroot-listing.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { EXIT_STATUS, exitStatusOf } from './exit-status.ts'
import { jsonText } from './json.ts'
import type { Terminal } from './terminal.ts'
import { printable } from './text.ts'
import { untilDone } from './until-signal.ts'
import { UsageError } from './usage-error.ts'
import { splitWords } from './words.ts'

const METHODS = ['copy', 'hardlink', 'reflink'] as const

/** The most paths that a remark names. */
const MOST_NAMED = 5

const methodOf = (options: { readonly [Method in (typeof METHODS)[number]]: boolean | undefined }): BuildMethod => {
  const chosen = METHODS.filter((method) => options[method] === true)
  const [first = 'auto', second] = chosen
  if (second !== undefined)
    throw new UsageError(`cannot use --${first} and --${second}: a file gets there in one way`, 'Leave one out.')
  return first
}

const list = (paths: readonly string[]): string => {
  const rest = paths.length - MOST_NAMED
  return `${paths.slice(0, MOST_NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

interface TracedCommand {
  /** As it was given. */
  readonly written: string
  readonly words: readonly string[]
  readonly stdin: 'ignore' | 'inherit'
}

const tracedCommands = (given: readonly (string | true)[], programs: readonly string[]): readonly TracedCommand[] =>
  given.flatMap((written): readonly TracedCommand[] =>
    written === true
      ? programs.map((program) => ({ written: program, words: [program], stdin: 'ignore' }))
      : [{ written, words: splitWords(written), stdin: 'inherit' }],
  )

/** What a trace says beside the files that it found. */
const remarksOf = (written: string, { leftOut, unread, exitCode }: Trace): readonly string[] => {
  const of = (reason: string): readonly string[] =>
    leftOut.filter((each) => each.reason === reason).map(({ path }) => path)
  const [changed, temporary] = [of('written'), of('temporary')]
  return [
    ...(exitCode === 0 ? [] : [`"${written}" ended with ${exitCode}: what it needs may not all have been seen`]),
    ...(changed.length === 0 ? [] : [`left out what "${written}" wrote to: ${list(changed)}`]),
    ...(temporary.length === 0 ? [] : [`left out temporary files that "${written}" used: ${list(temporary)}`]),
    ...(unread === 0 ? [] : [`${unread} system calls of "${written}" could not be read`]),
  ]
}

const warnAll = (terminal: Terminal, warnings: readonly string[]): void => {
  for (const warning of warnings) terminal.warn(`tare: ${warning.split('\n').map(printable).join('\n')}`)
}

const entryJson = (entry: ClosureEntry): object => ({
  ...entry,
  source: 'source' in entry ? (entry.source ?? null) : null,
  reasons: entry.reasons.map(({ kind, by = null, detail = null }) => ({ kind, by, detail })),
})

const jsonOf = ({ entries, programs, size, warnings }: Closure, built: BuiltRoot | undefined): string =>
  jsonText({
    path: built?.path ?? null,
    programs,
    size,
    entries: entries.map(entryJson),
    warnings: [...warnings, ...(built?.warnings ?? [])],
  })

export const chrootBuild: Command = command({
  usage: ['-o DIR [OPTION]... PROGRAM...', '--dry-run [OPTION]... PROGRAM...'],
  description:
    'Builds a directory that programs can have as their root: they themselves, the loader and the libraries that they are linked to, what those are linked to, and the interpreters of scripts, each at the path that it has on the host. Prints what is there, how large it is, and why.\n\n' +
    'What a program is linked to is read from it as the loader of its C library (glibc, musl) would do: RPATH and RUNPATH, $ORIGIN, /etc/ld.so.cache, the directories that are built into the loader, variants for kinds of processors. Nothing is executed, so a program that nobody trusts may be looked at.\n\n' +
    'What a program opens once it runs, like plug-ins, modules, locales and configuration, is written nowhere. --trace runs it once and takes what it uses; --include takes what you name.\n\n' +
    'Owners, permissions, set-user-id bits, file capabilities and times are kept as far as this user may do that; what could not be kept is said. The root is built beside its place and put there when it is complete, so that there is all of it or nothing.',
  options: [
    {
      long: 'output',
      short: 'o',
      argument: 'DIR',
      description: 'Where the root is to be: a directory that is empty, or not there.',
    },
    {
      long: 'trace',
      argument: 'COMMAND',
      optional: true,
      repeatable: true,
      description:
        'Runs COMMAND (its words parted as in a shell, with quotes) on the host, as it is, and adds what it and all that it starts execute, open and look at, but not what it writes, nor what is in /dev, /proc, /sys, /tmp, /run and /var/tmp. Without COMMAND it runs each PROGRAM by itself, with nothing to read. What it writes to its output goes to standard error. What it has left running when it ends is ended.',
      group: 'What else is needed',
    },
    {
      long: 'trace-time',
      argument: 'TIME',
      description: 'Ends what is traced after so long (500ms, 5s): for servers, which do not end by themselves.',
      group: 'What else is needed',
    },
    {
      long: 'include',
      argument: 'PATH[:DEST]',
      repeatable: true,
      description:
        'Adds a file, a directory with all below it, or what a pattern matches (quote it), at the same path or at DEST. What programs and libraries in it are linked to comes along.',
      group: 'What else is needed',
    },
    {
      long: 'exclude',
      argument: 'PATH',
      repeatable: true,
      description: 'Leaves out, of what is included or traced, a path or a pattern, with all below it.',
      group: 'What else is needed',
    },
    {
      long: 'etc',
      description:
        'Makes a minimal /etc in which users and hosts have names: passwd, group (root, nobody and the owners of files, no passwords), nsswitch.conf, hosts.',
      group: 'What else is needed',
    },
    {
      long: 'account',
      argument: 'NAME',
      repeatable: true,
      description: 'As --etc, with this account of the host, too.',
      group: 'What else is needed',
    },
    {
      long: 'copy',
      description:
        'Copies every byte. Without any of these three, files share blocks with the host where the file system can do that (btrfs, xfs), and are copied elsewhere.',
      group: 'How files get there',
    },
    {
      long: 'reflink',
      description: 'Shares blocks with the host until one side changes them, or fails.',
      group: 'How files get there',
    },
    {
      long: 'hardlink',
      description:
        'Links to the files of the host, or fails. It takes no space and no time; but whoever may write to a file in the root changes the host.',
      group: 'How files get there',
    },
    {
      long: 'replace',
      description: 'Replaces a root that was built at DIR before, with all that was put into it since.',
      group: 'How files get there',
    },
    {
      long: 'root',
      argument: 'DIR',
      description:
        'Takes everything, programs and what is included, from this directory as if it were the root of the host: another distribution, an image.',
    },
    { long: 'dry-run', short: 'n', description: 'Prints what would be there, and builds nothing.' },
    { long: 'quiet', short: 'q', description: 'Prints no table, only the totals.' },
    {
      long: 'json',
      description: 'Prints JSON: { path, programs, size, entries, warnings }; each entry with its reasons.',
    },
  ],
  operands: [{ name: 'PROGRAM', optional: true, repeatable: true }],
  examples: [
    { description: 'a root for two programs', command: 'tare chroot build bash ls -o jail' },
    { description: 'what a program needs', command: 'tare chroot build --dry-run nginx' },
    {
      description: 'a python that can do more than start',
      command: `tare chroot build python3 --trace="python3 -c 'import ssl, sqlite3'" -o jail`,
    },
    {
      description: 'a web server with its pages, and the account that it runs as',
      command: `tare chroot build nginx --trace='nginx -t' --account www-data --include ./site:/var/www -o jail`,
    },
  ],
  exitStatus: [['128+N', 'Signal N ended it; nothing is left.']],
  run: async ({ options, operands, terminal }) => {
    const { output, include, exclude, etc, account, root } = options
    const dry = options['dry-run'] === true
    const method = methodOf(options)
    if (output === undefined && !dry)
      throw new UsageError(
        'cannot build: it is not said where',
        'Give -o DIR, or --dry-run to see what would be there.',
      )
    const commands = tracedCommands(options.trace, operands)
    if (commands.length > 0 && root !== undefined)
      throw new UsageError('cannot use --trace with --root: what is traced runs on this host', 'Leave one out.')
    return untilDone(async (signal) => {
      try {
        const plain = { include, exclude, etc: etc === true, accounts: account, root }
        // What is wrong without a trace is wrong with it: nothing has been run then.
        let found = closure(operands, plain)
        const traced: TracedFile[] = []
        for (const { written, words, stdin } of commands) {
          const trace = await traceFiles(words, { stdin, time: options['trace-time'], signal })
          warnAll(terminal, remarksOf(written, trace))
          traced.push(...trace.files)
        }
        if (commands.length > 0) found = closure(operands, { ...plain, traced })
        warnAll(terminal, found.warnings)
        const built =
          output === undefined || dry
            ? undefined
            : await buildRoot(found, { output, method, replace: options.replace === true, signal })
        warnAll(terminal, built?.warnings ?? [])
        if (options.json === true) {
          terminal.print(jsonOf(found, built))
          return 0
        }
        if (options.quiet !== true) terminal.print(`${listing(found, terminal)}\n`)
        terminal.print(`${printable(built === undefined ? totals(found) : builtText(found, built))}\n`)
        return 0
      } catch (error) {
        // A traced command that can't be executed is a failure of ours: 126 and 127 speak of the command that is run.
        if (!(error instanceof TareError) || exitStatusOf(error) === EXIT_STATUS.failure) throw error
        warnAll(terminal, [error.message])
        return EXIT_STATUS.failure
      }
    })
  },
})
