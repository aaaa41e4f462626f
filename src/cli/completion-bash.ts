import type { CompletionNode } from './completion-words.ts'
import { allNodes, spellings } from './completion-words.ts'

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** One branch of a shell `case`; nothing where no pattern leads to it. */
const branch = (patterns: readonly string[], action: string): string =>
  patterns.length === 0 ? '' : `      ${patterns.map(quote).join(' | ')}) ${action} ;;\n`

const key = (path: readonly string[], word: string): string => [...path, word].join(' ')

/** The script by which bash completes the words of tare. */
export const bashCompletion = (tree: CompletionNode): string => {
  const nodes = allNodes(tree)
  const takesValue = nodes.flatMap(({ path, options }) =>
    options
      .filter((option) => option.argument !== undefined && option.optional !== true)
      .flatMap((option) => spellings(option).map((word) => key(path, word))),
  )
  const choices = nodes.flatMap(({ path, options }) =>
    options.flatMap((option) =>
      option.argument === undefined || option.choices === undefined
        ? []
        : [
            branch(
              spellings(option).map((word) => key(path, word)),
              `words=${quote(option.choices.join(' '))}`,
            ),
          ],
    ),
  )
  const names = nodes.filter(({ path }) => path.length > 0).map(({ path }) => path.join(' '))
  const words = nodes.map(({ path, options, operands, children }) => {
    const first = [...children.map((child) => child.path.at(-1) ?? ''), ...(operands[0]?.choices ?? [])]
    const dashes = options.flatMap(spellings)
    const processes =
      operands[0]?.isProcess === true ? 'first' : operands.some(({ isProcess }) => isProcess) ? 'later' : ''
    const sets = `words=${quote(first.join(' '))} options=${quote(dashes.join(' '))}`
    return branch([path.join(' ')], processes === '' ? sets : `${sets} processes=${processes}`)
  })
  const stopping = nodes.filter(({ stopAtOperand }) => stopAtOperand).map(({ path }) => path.join(' '))
  return `# bash completion for tare; made by "tare completion bash"
_tare() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' option='' operand='' word words='' options='' processes='' index
  COMPREPLY=()
  # bash splits --memory=64m into three words.
  [[ $current == '=' ]] && current=''
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    if [[ $word == '=' ]]; then
      # What follows is a value, unless it is what is being written.
      if ((index + 1 < COMP_CWORD)); then option=''; index=$((index + 1)); fi
      continue
    fi
    if [[ -n $option ]]; then option=''; continue; fi
    # The word of a command stands before all operands of the group it is in.
    if [[ -z $operand ]]; then
      case "\${path:+$path }$word" in
${branch(names, `path="\${path:+$path }$word"; continue`)}      esac
    fi
    case "\${path:+$path }$word" in
${branch(takesValue, 'option="$word"; continue')}    esac
    if [[ $word == -* ]]; then continue; fi
    operand="$word"
    case "$path" in
${branch(stopping, 'return')}    esac
  done
  if [[ -n $option ]]; then
    case "\${path:+$path }$option" in
${choices.join('')}    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case "$path" in
${words.join('')}  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  else
    if [[ -n $operand ]]; then words=''; fi
    if [[ $processes == first || ( $processes == later && -n $operand ) ]]; then words+=" $(cd /proc && echo [1-9]*)"; fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}
complete -o bashdefault -o default -F _tare tare
`
}
