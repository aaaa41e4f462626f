import type { CompletionNode } from './completion-words.ts'
import { allNodes, firstSentence } from './completion-words.ts'
import type { OptionSpec } from './options.ts'

const quote = (text: string): string => `'${text.replace(/[\\']/g, (character) => `\\${character}`)}'`

/** The name of a path in the script, with dots: fish hands lists on word by word. */
const placeOf = (path: readonly string[]): string => ['tare', ...path].join('.')

const optionLine = (place: string, option: OptionSpec): string => {
  const value =
    option.argument === undefined
      ? ''
      : option.choices === undefined
        ? option.optional === true
          ? ''
          : ' -r'
        : ` -x -a ${quote(option.choices.join(' '))}`
  const short = option.short === undefined ? '' : ` -s ${option.short}`
  const help = quote(firstSentence(option.description))
  return `complete -c tare -n ${quote(`__tare_at ${place}`)}${short} -l ${option.long}${value} -d ${help}\n`
}

const nodeLines = ({ path, options, operands, children, stopAtOperand }: CompletionNode): string => {
  const place = placeOf(path)
  const words = children.map(
    (child) =>
      `complete -c tare -n ${quote(`__tare_at ${place}`)} -f -a ${child.path.at(-1)} -d ${quote(child.summary)}\n`,
  )
  const choices = operands[0]?.choices
  const first =
    choices === undefined || stopAtOperand
      ? []
      : [`complete -c tare -n ${quote(`__tare_at ${place}`)} -f -a ${quote(choices.join(' '))}\n`]
  const processes = operands.some(({ isProcess }) => isProcess)
    ? [`complete -c tare -n ${quote(`__tare_at ${place}`)} -f -a '(__fish_complete_pids)'\n`]
    : []
  return [...words, ...first, ...processes, ...options.map((option) => optionLine(place, option))].join('')
}

/** The script by which fish completes the words of tare. */
export const fishCompletion = (tree: CompletionNode): string => {
  const places = allNodes(tree).filter(({ path }) => path.length > 0)
  return `# fish completion for tare; made by "tare completion fish"
function __tare_at
    set -l place tare
    for word in (commandline -opc)[2..]
        switch $place.$word
            case ${places.map(({ path }) => placeOf(path)).join(' ')}
                set place $place.$word
            case '*'
                # The word of a command stands first in its group.
                break
        end
    end
    test $place = $argv[1]
end
${allNodes(tree).map(nodeLines).join('')}`
}
