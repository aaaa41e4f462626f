import type { Command, CommandEntry } from './command.ts'
import { command } from './command.ts'
import { commandManual, groupManual } from './manual.ts'
import { UsageError } from './usage-error.ts'

const find = (words: readonly string[], commands: readonly CommandEntry[]): CommandEntry => {
  const [word, ...rest] = words
  const entry = commands.find(({ name }) => name === word)
  if (entry === undefined) {
    throw new UsageError(`cannot show help of "${word}": there is no such command`, 'See "tare --help".')
  }
  return rest.length > 0 && 'commands' in entry ? find(rest, entry.commands) : entry
}

export const help: Command = command({
  description: 'Shows the help of a command, as "tare COMMAND --help" does; without a command, which ones there are.',
  options: [],
  operands: [{ name: 'COMMAND', optional: true, repeatable: true }],
  examples: [{ description: 'all about tare info', command: 'tare help info' }],
  run: async ({ operands, commands, terminal }) => {
    if (operands.length === 0) {
      terminal.print(groupManual('tare', 'containers that weigh next to nothing', commands, terminal))
      return 0
    }
    const entry = find(operands, commands)
    const name = ['tare', ...operands].join(' ')
    const { summary, load } = entry
    const subcommands = 'commands' in entry ? entry.commands : undefined
    const text =
      load === undefined
        ? groupManual(name, summary, subcommands ?? [], terminal)
        : commandManual(name, summary, await load(), terminal, subcommands)
    terminal.print(text)
    return 0
  },
})
