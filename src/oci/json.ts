import { InputError } from '../linux/error.ts'

/** From so many digits on an integer may not fit into a number. */
const LONG = /[0-9]{16}/

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y
/** What is escaped in it, and whether rightly, is for JSON.parse() to tell. */
const STRING = /"(?:[^"\\]+|\\.)*"/sy
const SPACE = /[ \t\n\r]*/y
const WORDS: readonly (readonly [word: string, value: unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
]

/** As deep as a value may be nested: far deeper than any that is meant. */
const DEEPEST = 512

/** Reads JSON (RFC 8259) as JSON.parse() does, but for integers that a number can't hold: those become bigints. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): unknown {
    const value = this.#value(0)
    this.#skip()
    if (this.#at < this.#text.length) this.#fail()
    return value
  }

  #fail(): never {
    throw new SyntaxError(`unexpected ${JSON.stringify(this.#text[this.#at]) ?? 'end'} at position ${this.#at}`)
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at += match[0].length
    return match
  }

  #skip(): void {
    this.#match(SPACE)
  }

  #take(character: string): boolean {
    this.#skip()
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #value(depth: number): unknown {
    this.#skip()
    if (depth > DEEPEST) this.#fail()
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#array(depth)
    if (first === '"') return this.#string()
    for (const [word, value] of WORDS) {
      if (!this.#text.startsWith(word, this.#at)) continue
      this.#at += word.length
      return value
    }
    const [text, fraction, exponent] = this.#match(NUMBER) ?? this.#fail()
    const number = Number(text)
    return fraction !== undefined || exponent !== undefined || Number.isSafeInteger(number) ? number : BigInt(text)
  }

  #string(): string {
    const [text] = this.#match(STRING) ?? this.#fail()
    return String(JSON.parse(text))
  }

  #array(depth: number): unknown {
    const values: unknown[] = []
    this.#at += 1
    if (this.#take(']')) return values
    do values.push(this.#value(depth + 1))
    while (this.#take(','))
    if (!this.#take(']')) this.#fail()
    return values
  }

  #object(depth: number): unknown {
    const entries: [string, unknown][] = []
    this.#at += 1
    if (this.#take('}')) return {}
    do {
      this.#skip()
      const key = this.#string()
      if (!this.#take(':')) this.#fail()
      entries.push([key, this.#value(depth + 1)])
    } while (this.#take(','))
    if (!this.#take('}')) this.#fail()
    return Object.fromEntries(entries)
  }
}

/**
 * The value of a JSON text. Integers beyond 2⁵³, which limits of 64 bits and masks of seccomp are, come as bigints, so
 * that no bit is lost. Throws {@link InputError} that names the file where it isn't JSON.
 */
export const parseJson = (text: string, name: string): unknown => {
  try {
    return LONG.test(text) ? new Reader(text).whole() : JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new InputError({ operation: 'read', target: name, reason: `it is not JSON: ${error.message}`, cause: error })
  }
}
