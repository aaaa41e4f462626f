import type { Command, CommandEntry } from './command.ts'
import type { OperandSpec, OptionSpec } from './options.ts'

/** A command or a group of commands, loaded, as a shell must know it to complete its words. */
export interface CompletionNode {
  /** The words that lead to it after `tare`; none for `tare` itself. */
  readonly path: readonly string[]
  readonly summary: string
  readonly options: readonly OptionSpec[]
  readonly operands: readonly OperandSpec[]
  /** Whether what follows the first operand belongs to another program. */
  readonly stopAtOperand: boolean
  readonly children: readonly CompletionNode[]
}

const HELP: OptionSpec = { long: 'help', description: 'Shows this help.' }

const node = async (path: readonly string[], entry: CommandEntry): Promise<CompletionNode> => {
  const { summary, load } = entry
  const children = 'commands' in entry ? await nodes(path, entry.commands) : []
  if (load === undefined) return { ...groupNode(path, children), summary }
  const { options, operands, stopAtOperand }: Command = await load()
  return { path, summary, options: [...options, HELP], operands, stopAtOperand: stopAtOperand === true, children }
}

const nodes = async (path: readonly string[], entries: readonly CommandEntry[]): Promise<readonly CompletionNode[]> =>
  Promise.all(entries.map((entry) => node([...path, entry.name], entry)))

const groupNode = (path: readonly string[], children: readonly CompletionNode[]): CompletionNode => ({
  path,
  summary: '',
  options: [HELP],
  operands: [],
  stopAtOperand: false,
  children,
})

/** The tree of all commands. Loads every one of them. */
export const completionTree = async (commands: readonly CommandEntry[]): Promise<CompletionNode> =>
  groupNode([], await nodes([], commands))

/** All nodes of a tree, a node before its children. */
export const allNodes = (tree: CompletionNode): readonly CompletionNode[] => [tree, ...tree.children.flatMap(allNodes)]

/** The first sentence of a description, without its full stop. */
export const firstSentence = (description: string): string => (description.split(/\.(?:\s|$)/)[0] ?? '').trim()

/** The ways to write an option: `--memory`, `-m`. */
export const spellings = ({ long, short }: OptionSpec): readonly string[] =>
  short === undefined ? [`--${long}`] : [`--${long}`, `-${short}`]
