import type { CommandEntry, CommandText } from './command.ts'
import type { OperandSpec, OptionSpec } from './options.ts'
import type { Terminal } from './terminal.ts'
import { displayWidth, padTo, wrap } from './text.ts'

/** What of the terminal a manual is set for. */
export type Page = Pick<Terminal, 'columns' | 'style'>

const INDENT = 4

const HELP: OptionSpec = { long: 'help', short: 'h', description: 'Shows this help.' }
const VERSION: OptionSpec = { long: 'version', short: 'v', description: 'Shows the version.' }

const section = (title: string, body: string, { style }: Page): string =>
  body === '' ? '' : `${style.bold(title)}\n${body}\n\n`

const operandUsage = ({ name, optional, repeatable }: OperandSpec): string => {
  const many = repeatable === true ? `${name}...` : name
  return optional === true ? `[${many}]` : many
}

/** `[OPTION]... CONTAINER [COMMAND...]`. */
const usageOf = ({ operands, usage }: CommandText): readonly string[] =>
  usage ?? [['[OPTION]...', ...operands.map(operandUsage)].join(' ')]

/** `-m, --memory=SIZE`, `-n, --net[=FILE]`. */
const optionUsage = (option: OptionSpec, { style }: Page): string => {
  const { long, short, argument } = option
  const value = argument === undefined ? '' : option.optional === true ? `[=${argument}]` : `=${argument}`
  return `${short === undefined ? '' : `${style.bold(`-${short}`)}, `}${style.bold(`--${long}`)}${value}`
}

const optionText = (option: OptionSpec, page: Page): string => {
  const { description } = option
  const choices = option.argument === undefined ? undefined : option.choices
  const rest = [
    ...(choices === undefined ? [] : [`One of ${choices.join(', ')}.`]),
    ...(option.argument !== undefined && option.repeatable === true ? ['May be given more than once.'] : []),
  ]
  const text = [description, ...rest].join(' ')
  return `${' '.repeat(INDENT)}${optionUsage(option, page)}\n${wrap(text, page.columns, 2 * INDENT)}`
}

/** The options without a group first, then group by group, each in the order in which they are written. */
const optionsText = (options: readonly OptionSpec[], page: Page): string => {
  const help = options.some(({ short }) => short === 'h') ? { long: HELP.long, description: HELP.description } : HELP
  const all: readonly OptionSpec[] = [...options, help]
  const groups = [undefined, ...new Set(all.map(({ group }) => group).filter((group) => group !== undefined))]
  return groups
    .map((group) => {
      const body = all.filter((option) => option.group === group).map((option) => optionText(option, page))
      return [...(group === undefined ? [] : [`  ${page.style.bold(group)}`]), ...body].join('\n')
    })
    .filter((text) => text !== '')
    .join('\n\n')
}

/** A list of terms and what each means, the meanings below each other and wrapped. */
const definitions = (entries: readonly (readonly [term: string, meaning: string])[], page: Page): string => {
  const width = Math.max(...entries.map(([term]) => displayWidth(term))) + 3
  return entries
    .map(([term, meaning]) => {
      const text = wrap(meaning, page.columns, INDENT + width).trimStart()
      return `${' '.repeat(INDENT)}${page.style.bold(padTo(term, width))}${text}`
    })
    .join('\n')
}

const commandsText = (commands: readonly CommandEntry[], page: Page): string =>
  definitions(
    commands.map((entry) => [entry.name, entry.summary] as const),
    page,
  )

const moreHelp = (name: string, page: Page): string =>
  `${wrap(`"${name} COMMAND --help" shows all about a command.`, page.columns)}\n`

/**
 * The help of one command, like a page of the manual, wrapped to the terminal's width. Ends with a newline. If it is
 * what a group does by itself, `subcommands` are those of the group.
 */
export const commandManual = (
  name: string,
  summary: string,
  text: CommandText,
  page: Page,
  subcommands: readonly CommandEntry[] = [],
): string => {
  const words = subcommands.length === 0 ? [] : ['COMMAND [ARGUMENT]...']
  const usage = [...usageOf(text), ...words].map((line) =>
    `${' '.repeat(INDENT)}${page.style.bold(name)} ${line}`.trimEnd(),
  )
  const examples = text.examples.map(
    ({ command, description }) =>
      `${wrap(`${description}:`, page.columns, INDENT)}\n${' '.repeat(2 * INDENT)}${page.style.bold(command)}`,
  )
  const statuses = [
    ['0', 'Done.'],
    ['125', 'Tare failed: the message says at what, and what to do about it.'],
    ...(text.exitStatus ?? []),
  ] as const
  const body = [
    section('NAME', wrap(`${name} - ${summary}`, page.columns, INDENT), page),
    section('SYNOPSIS', usage.join('\n'), page),
    section('DESCRIPTION', wrap(text.description, page.columns, INDENT), page),
    ...(subcommands.length === 0 ? [] : [section('COMMANDS', commandsText(subcommands, page), page)]),
    section('OPTIONS', optionsText(text.options, page), page),
    ...(text.lists ?? []).map((list) => section(list.title.toUpperCase(), definitions(list.words, page), page)),
    section('EXAMPLES', examples.join('\n\n'), page),
    section('EXIT STATUS', definitions(mergeStatuses(statuses), page), page),
  ]
  const end = subcommands.length === 0 ? '' : `\n${moreHelp(name, page)}`
  return `${body.join('').trimEnd()}\n${end}`
}

/** A command's own word on a status goes before the general one. */
const mergeStatuses = (
  statuses: readonly (readonly [status: string, meaning: string])[],
): readonly (readonly [string, string])[] =>
  [...new Map(statuses)].toSorted(([a], [b]) => Number.parseInt(a, 10) - Number.parseInt(b, 10))

/** The help of `tare` itself or of a group of commands (`tare oci`): what commands there are. Ends with a newline. */
export const groupManual = (name: string, summary: string, commands: readonly CommandEntry[], page: Page): string => {
  const options = name === 'tare' ? [HELP, VERSION] : [HELP]
  const body = [
    section('NAME', wrap(`${name} - ${summary}`, page.columns, INDENT), page),
    section('SYNOPSIS', `${' '.repeat(INDENT)}${page.style.bold(name)} COMMAND [ARGUMENT]...`, page),
    section('COMMANDS', commandsText(commands, page), page),
    section('OPTIONS', options.map((option) => optionText(option, page)).join('\n'), page),
  ]
  return `${body.join('')}${moreHelp(name, page)}`
}
