import { Buffer } from 'node:buffer'
import { basename } from 'node:path'

/** The first line of a script: what the kernel runs it with (execve(2), "Interpreter scripts"). */
export interface Shebang {
  readonly interpreter: string
  /** All that stands behind it, as one argument. */
  readonly argument: string | undefined
}

/** The most interpreters that the kernel follows, one the script of the other. */
export const MOST_INTERPRETERS = 5

/** Reads the first line of a script from the bytes that the kernel reads of it; undefined where none is named. */
export const parseShebang = (head: Uint8Array): Shebang | undefined => {
  const text = Buffer.from(head).toString()
  const line = text.startsWith('#!') ? (text.slice(2).split(/[\n\0]/, 1)[0] ?? '') : ''
  const [, interpreter, argument] = /^[ \t]*([^ \t]+)[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
  if (interpreter === undefined) return undefined
  return { interpreter, argument: argument === '' ? undefined : argument }
}

/**
 * The program that env(1) is told to run by the argument of a `#!` line, `-S` included; undefined where the line doesn't
 * go by env.
 */
export const envProgram = ({ interpreter, argument }: Shebang): string | undefined => {
  if (basename(interpreter) !== 'env' || argument === undefined) return undefined
  const split = /^(?:-\w*S|--split-string=?)\s*(.*)$/.exec(argument)?.[1]
  // Without -S env gets the rest of the line as one word, whatever spaces are in it.
  const words = split === undefined ? [argument] : split.split(/\s+/)
  return words.find((word) => word !== '' && !word.startsWith('-') && !/^\w+=/.test(word))
}
