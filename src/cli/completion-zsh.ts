import type { CompletionNode } from './completion-words.ts'
import { allNodes, firstSentence, spellings } from './completion-words.ts'
import type { OperandSpec, OptionSpec } from './options.ts'

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** What may stand in the brackets and between the colons of an argument of _arguments (zshcompsys(1)). */
const plain = (text: string): string => text.replace(/[[\]:\\]/g, (character) => `\\${character}`)

const functionName = (path: readonly string[]): string => ['_tare', ...path].join('_').replaceAll('-', '_')

const valuesOf = (choices: readonly string[] | undefined): string =>
  choices === undefined ? '_files' : `(${choices.map(plain).join(' ')})`

const operandValues = ({ choices, isProcess }: OperandSpec): string =>
  isProcess === true ? '_tare_processes' : valuesOf(choices)

/** What completes an operand outside of an argument of _arguments. */
const operandAction = (operand: OperandSpec): string =>
  operand.choices === undefined ? operandValues(operand) : `compadd -- ${operand.choices.map(quote).join(' ')}`

const optionArguments = (option: OptionSpec): readonly string[] => {
  const all = spellings(option)
  const help = `[${plain(firstSentence(option.description))}]`
  const again = option.argument !== undefined && option.repeatable === true
  const before = again ? '*' : all.length > 1 ? `(${all.join(' ')})` : ''
  if (option.argument === undefined) return all.map((word) => quote(`${before}${word}${help}`))
  const value = `:${plain(option.argument)}:${valuesOf(option.choices)}`
  // A value that may be left out stands in the same word.
  if (option.optional === true)
    return all.map((word) => quote(`${before}${word}${word.startsWith('--') ? '=-' : '-'}${help}:${value}`))
  return all.map((word) => quote(`${before}${word}${word.startsWith('--') ? '=' : '+'}${help}${value}`))
}

const operandArgument = (operand: OperandSpec): string => {
  const { name, optional, repeatable } = operand
  const many = repeatable === true ? '*' : ''
  return quote(
    `${many}${optional === true && repeatable !== true ? '::' : ':'}${plain(name)}:${operandValues(operand)}`,
  )
}

const commandBody = ({ options, operands, stopAtOperand }: CompletionNode): string => {
  const rest = stopAtOperand ? [quote('*::arguments:_normal')] : operands.map(operandArgument)
  const flags = stopAtOperand ? `-s -S -A ${quote('-*')}` : '-s -S'
  return `  _arguments ${[flags, ...options.flatMap(optionArguments), ...rest].join(' \\\n    ')}\n`
}

/** The words of a group's commands; and the operands and options of what it does by itself. */
const groupBody = (node: CompletionNode): string => {
  const { children, options, operands } = node
  const own = operands[0] === undefined ? '' : `      *)\n${commandBody(node)}      ;;\n`
  const others = operands[0] === undefined ? '' : `      ${operandAction(operands[0])}\n`
  const list = children.map(({ path, summary }) => quote(`${path.at(-1)}:${plain(summary)}`))
  const branches = children.map(({ path }) => `      ${path.at(-1)}) ${functionName(path)} ;;\n`)
  return `  local curcontext="$curcontext" state line
  _arguments ${['-C', ...options.flatMap(optionArguments), quote('1:command:->command'), quote('*::argument:->argument')].join(' \\\n    ')}
  case $state in
    command)
      local -a commands=(
        ${list.join('\n        ')}
      )
      _describe command commands
${others}      ;;
    argument)
      case $line[1] in
${branches.join('')}${own}      esac
      ;;
  esac
`
}

/** The script by which zsh completes the words of tare. */
export const zshCompletion = (tree: CompletionNode): string => {
  const functions = allNodes(tree).map(
    (node) => `${functionName(node.path)}() {\n${node.children.length > 0 ? groupBody(node) : commandBody(node)}}\n`,
  )
  return `#compdef tare
# zsh completion for tare; made by "tare completion zsh"
_tare_processes() { compadd -- /proc/<->(/:t) }

${functions.join('\n')}
if [[ $funcstack[1] == _tare ]]; then _tare "$@"; else compdef _tare tare; fi
`
}
