/** A value of a JSON text, and where it stands. */
export interface JsonNode {
  /** From 1. */
  readonly line: number
  readonly value: string | number | boolean | null | readonly JsonNode[] | ReadonlyMap<string, JsonMember>
}

/** A member of an object: its value, and the line of its name. */
export interface JsonMember {
  readonly line: number
  readonly node: JsonNode
}

/** What is wrong with a JSON text, in words, and in which line. */
export class JsonFault extends Error {
  readonly line: number
  /** What to do about it. */
  readonly hint: string | undefined

  constructor(line: number, message: string, hint?: string) {
    super(message)
    this.line = line
    this.hint = hint
  }
}

/** How deep objects and lists may lie in each other: what people write is far from it, and the stack ends somewhere. */
const DEEPEST = 100

const BLANK = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
// Control characters end a string, whatever they are (RFC 8259, section 7).
// oxlint-disable-next-line no-control-regex
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y
const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
])

class Reader {
  readonly #text: string
  #at = 0
  #line = 1

  constructor(text: string) {
    this.#text = text
  }

  all(): JsonNode {
    const node = this.#value(0)
    this.#skip()
    if (this.#at < this.#text.length) throw this.#fault('there is more behind the end')
    return node
  }

  #fault(message: string, hint?: string): JsonFault {
    return new JsonFault(this.#line, message, hint)
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #skip(): void {
    for (const character of this.#take(BLANK) ?? '') if (character === '\n') this.#line += 1
  }

  /** The next character that is no blank; empty at the end. */
  #peek(): string {
    this.#skip()
    return this.#text[this.#at] ?? ''
  }

  #value(depth: number): JsonNode {
    if (depth > DEEPEST) throw this.#fault('it is nested too deeply')
    const first = this.#peek()
    const line = this.#line
    if (first === '{') return { line, value: this.#object(depth) }
    if (first === '[') return { line, value: this.#list(depth) }
    if (first === '"') return { line, value: this.#string() }
    const number = this.#take(NUMBER)
    if (number !== undefined) return { line, value: Number(number) }
    const word = this.#take(/[a-z]+/y)
    const known = word === undefined ? undefined : WORDS.get(word)
    if (known !== undefined) return { line, value: known }
    if (word !== undefined) throw this.#fault(`${word} stands where a value is to be`, 'Text stands in double quotes.')
    throw this.#unexpected('a value')
  }

  #unexpected(wanted: string): JsonFault {
    const found = this.#text[this.#at]
    if (found === undefined) return this.#fault(`it ends where ${wanted} is to be`)
    const comments = 'JSON has no comments.'
    const hint = found === '/' || found === '#' ? comments : found === "'" ? 'Text stands in double quotes.' : undefined
    return this.#fault(`${JSON.stringify(found)} stands where ${wanted} is to be`, hint)
  }

  #string(): string {
    const found = this.#take(STRING)
    if (found === undefined) throw this.#fault('a text has no end in its line, or \\ before what is no escape')
    const text: unknown = JSON.parse(found)
    return String(text)
  }

  #list(depth: number): readonly JsonNode[] {
    const items: JsonNode[] = []
    this.#at += 1
    if (this.#peek() === ']') {
      this.#at += 1
      return items
    }
    for (;;) {
      items.push(this.#value(depth + 1))
      if (this.#ends(']')) return items
    }
  }

  /** Whether it ends here; otherwise there is a comma, and something behind it. */
  #ends(bracket: string): boolean {
    const next = this.#peek()
    if (next !== bracket && next !== ',') throw this.#unexpected(`a comma or "${bracket}"`)
    this.#at += 1
    if (next === bracket) return true
    if (this.#peek() === bracket) throw this.#fault(`there is a comma before "${bracket}", and nothing behind it`)
    return false
  }

  #object(depth: number): ReadonlyMap<string, JsonMember> {
    const members = new Map<string, JsonMember>()
    this.#at += 1
    if (this.#peek() === '}') {
      this.#at += 1
      return members
    }
    for (;;) {
      if (this.#peek() !== '"') throw this.#unexpected('a name in double quotes')
      const line = this.#line
      const name = this.#string()
      if (members.has(name)) throw this.#fault(`${name} is there twice`, 'Leave one out: which of them is meant?')
      if (this.#peek() !== ':') throw this.#unexpected('a colon')
      this.#at += 1
      members.set(name, { line, node: this.#value(depth + 1) })
      if (this.#ends('}')) return members
    }
  }
}

/**
 * Reads a JSON text (RFC 8259) so that what is wrong with a value can be said with its line. A name that an object has
 * twice is refused: which of the two is meant nobody knows. Throws {@link JsonFault}.
 */
export const parseJson = (text: string): JsonNode => new Reader(text).all()

/** The plain value. */
export const plainJson = ({ value }: JsonNode): unknown => {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, { node }]) => [name, plainJson(node)]))
  return Array.isArray(value) ? value.map(plainJson) : value
}
