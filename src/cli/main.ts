import type { Command, CommandEntry } from './command.ts'
import { COMMANDS, INTERNAL } from './commands.ts'
import { wordsOf } from './error-words.ts'
import { exitStatusOf } from './exit-status.ts'
import { suggest } from '../linux/index.ts'
import type { Terminal } from './terminal.ts'
import { openTerminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

/** The line under which `tare` presents itself. */
const SUMMARY = 'containers that weigh next to nothing'

const showGroup = async (name: string, summary: string, entries: readonly CommandEntry[], terminal: Terminal) => {
  const { groupManual } = await import('./manual.ts')
  terminal.print(groupManual(name, summary, entries, terminal))
  return 0
}

const unknown = (name: string, word: string, entries: readonly CommandEntry[]): UsageError => {
  const isOption = word.startsWith('-')
  const meant = isOption
    ? undefined
    : suggest(
        word,
        entries.map((entry) => entry.name),
      )
  const reason = isOption ? 'there is no such option before the command' : 'there is no such command'
  const hint = meant === undefined ? `See "${name} --help".` : `Did you mean "${name} ${meant}"?`
  return new UsageError(`cannot use ${isOption ? `${word} of ${name}` : `"${name} ${word}"`}: ${reason}`, hint)
}

interface Group {
  readonly name: string
  readonly summary: string
  readonly commands: readonly CommandEntry[]
  readonly load?: () => Promise<Command>
}

/** Finds the command that the words name, through groups of commands, and runs it. */
const dispatch = async (group: Group, argv: readonly string[], terminal: Terminal): Promise<number> => {
  const { name, summary, commands: entries, load } = group
  const [word, ...rest] = argv
  if (load !== undefined && !entries.some((entry) => entry.name === word)) {
    const command = await load()
    return command.run(argv, { name, summary, terminal, commands: COMMANDS, subcommands: entries })
  }
  if (word === undefined || word === '--help' || word === '-h') return showGroup(name, summary, entries, terminal)
  const alias = name === 'tare' && (word === '--version' || word === '-v') ? 'version' : word
  const entry = [...entries, ...(name === 'tare' ? INTERNAL : [])].find((candidate) => candidate.name === alias)
  if (entry === undefined) throw unknown(name, word, entries)
  const path = `${name} ${entry.name}`
  if ('commands' in entry) return dispatch({ ...entry, name: path }, rest, terminal)
  const command = await entry.load()
  return command.run(rest, { name: path, summary: entry.summary, terminal, commands: COMMANDS })
}

/**
 * The command line: `argv` without node and the script. Resolves with the exit status; never rejects. Failures go to
 * standard error as `tare: cannot …`, with what to do about it on the next line.
 */
export const main = async (argv: readonly string[], terminal: Terminal = openTerminal()): Promise<number> => {
  try {
    return await dispatch({ name: 'tare', summary: SUMMARY, commands: COMMANDS }, argv, terminal)
  } catch (error) {
    terminal.warn(wordsOf(error))
    return exitStatusOf(error)
  }
}
