import type { Grammar, OptionSpec, OptionValues } from './options.ts'
import { parseArguments } from './options.ts'
import type { Terminal } from './terminal.ts'

export interface Example {
  /** What it does, without a full stop: `run a shell with no network`. */
  readonly description: string
  readonly command: string
}

/** Words, and what each means. */
export interface WordList {
  readonly title: string
  readonly words: readonly (readonly [word: string, meaning: string])[]
}

/** What a command is called with besides its own words. */
export interface Invocation {
  /** The command as a person writes it: `tare run`. */
  readonly name: string
  /** Its line in the table of commands. */
  readonly summary: string
  readonly terminal: Terminal
  /** The table of all commands. */
  readonly commands: readonly CommandEntry[]
  /** Where this command is what its group does by itself: the commands of the group. */
  readonly subcommands?: readonly CommandEntry[]
}

/** What a command's `run` is given. */
export interface Context<O extends readonly OptionSpec[]> extends Invocation {
  /** By long name; undefined if not given, a list if repeatable. */
  readonly options: OptionValues<O>
  readonly operands: readonly string[]
}

/** All that is written about a command: parsing, `--help` and the shells' completions are made from it. */
export interface CommandText extends Grammar {
  /** The ways to write it, each without `tare` and the command's own name; by default made from the grammar. */
  readonly usage?: readonly string[]
  /** Paragraphs, with an empty line between them. */
  readonly description: string
  /** Lists of words that mean something to it, each under its title. */
  readonly lists?: readonly WordList[]
  readonly examples: readonly Example[]
  /** Exit statuses besides 0 and 125, and what each means. */
  readonly exitStatus?: readonly (readonly [status: string, meaning: string])[]
}

/** A command as its file writes it; name and summary stand in the table (commands.ts). */
export interface CommandSpec<O extends readonly OptionSpec[]> extends CommandText {
  readonly options: O
  /** Does it. Resolves with the exit status; what it throws becomes a message and status 125. */
  run(context: Context<O>): Promise<number>
}

/** A command as the table knows it, whatever its options are. */
export interface Command extends CommandText {
  /** Runs it with the words after its name; or prints its help, if they ask for that. */
  run(argv: readonly string[], invocation: Invocation): Promise<number>
}

interface AnyEntry {
  readonly name: string
  readonly summary: string
}

/**
 * A line of the table of commands: a command, or a group of them. What a command needs is loaded when it is called, not
 * before. A group with `load` does something by itself, too: whatever follows its name and is none of its commands is
 * for that one, and so is everything after `--`.
 */
export type CommandEntry =
  | (AnyEntry & { readonly load: () => Promise<Command> })
  | (AnyEntry & { readonly commands: readonly CommandEntry[]; readonly load?: () => Promise<Command> })

/** Makes a command out of what is written about it. The options' types follow from their specification. */
export const command = <const O extends readonly OptionSpec[]>(spec: CommandSpec<O>): Command => ({
  ...spec,
  run: async (argv, invocation) => {
    const parsed = parseArguments(invocation.name, spec, argv)
    if (parsed.kind === 'run') {
      return spec.run({ ...invocation, options: parsed.options, operands: parsed.operands })
    }
    const { commandManual } = await import('./manual.ts')
    const { terminal, name, summary, subcommands } = invocation
    terminal.print(commandManual(name, summary, spec, terminal, subcommands))
    return 0
  },
})
