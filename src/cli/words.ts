import { UsageError } from './usage-error.ts'

/**
 * The words of a command written in one string, as a shell has them: parted by spaces, with '…', "…" and \ to keep some
 * together. Nothing else is special: no variables, patterns, pipes.
 */
export const splitWords = (text: string): readonly string[] => {
  const words: string[] = []
  let word: string | undefined
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? ''
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (character === '\\') {
      word = (word ?? '') + (text[++at] ?? '\\')
    } else if (character === "'" || character === '"') {
      const quoted = readQuoted(text, at)
      word = (word ?? '') + quoted.text
      at = quoted.end
    } else word = (word ?? '') + character
  }
  return word === undefined ? words : [...words, word]
}

/** What stands in quotes that open at `at`; in double ones \ keeps ", \, $ and ` (sh(1)). */
const readQuoted = (text: string, at: number): { readonly text: string; readonly end: number } => {
  const quote = text[at]
  let quoted = ''
  for (let end = at + 1; end < text.length; end++) {
    const character = text[end] ?? ''
    if (character === quote) return { text: quoted, end }
    if (quote === '"' && character === '\\' && '"\\$`'.includes(text[end + 1] ?? ' ')) quoted += text[++end] ?? ''
    else quoted += character
  }
  throw new UsageError(
    `cannot take ${JSON.stringify(text)} apart: a ${quote} is not closed`,
    `Close it, or write \\${quote}.`,
  )
}
