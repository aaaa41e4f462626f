import { suggest } from '../linux/index.ts'
import { UsageError } from './usage-error.ts'

interface AnyOption {
  /** The name after `--`, in kebab-case. */
  readonly long: string
  /** The letter after `-`. */
  readonly short?: string
  /** What it does: sentences; the first one is shown when a shell completes. */
  readonly description: string
  /** The heading it stands under in the help. */
  readonly group?: string
}

/** An option that is there or not: `--init`, `--init=false`, `--no-init`. */
export interface FlagSpec extends AnyOption {
  readonly argument?: undefined
}

/** An option that takes a value: `--memory=64m`, `--memory 64m`, `-m64m`, `-m 64m`. */
export interface ArgumentSpec extends AnyOption {
  /** What stands for its value in the help: `SIZE`. */
  readonly argument: string
  /** Whether it may be given more than once; its value then is a list. */
  readonly repeatable?: boolean
  readonly optional?: undefined
  /** The only values that it takes, where they can be listed. */
  readonly choices?: readonly string[]
}

/**
 * An option that may have a value, which is then attached: `--mount`, `--mount=FILE`. To a letter only with `=`, or if it
 * is a path with `/` or `.` in front: `-m`, `-m=FILE`, `-m/run/mnt`; `-mu` is two letters.
 */
export interface OptionalSpec extends AnyOption {
  /** What stands for its value in the help. */
  readonly argument: string
  readonly optional: true
  /** Whether it may be given more than once; its value then is a list, with true where it was given without a value. */
  readonly repeatable?: boolean
  /** The only values that it takes, where they can be listed. */
  readonly choices?: readonly string[]
}

export type OptionSpec = FlagSpec | ArgumentSpec | OptionalSpec

/** An operand: what stands on the command line without a dash. */
export interface OperandSpec {
  /** What stands for it in the help: `CONTAINER`. */
  readonly name: string
  readonly optional?: boolean
  /** Whether it takes all that is left; for the last one only. */
  readonly repeatable?: boolean
  /** The only values that it takes, where they can be listed. */
  readonly choices?: readonly string[]
  /** Whether it is the id of a process, which shells then offer. */
  readonly isProcess?: boolean
}

/** What the parser must know of a command. */
export interface Grammar {
  readonly options: readonly OptionSpec[]
  readonly operands: readonly OperandSpec[]
  /** For a command that runs a program: the first operand ends the options, all after it is the program's own. */
  readonly stopAtOperand?: boolean
}

type ValueOf<O extends OptionSpec> = O extends { readonly argument: string }
  ? O extends { readonly repeatable: true }
    ? readonly (O extends { readonly optional: true } ? string | true : string)[]
    : O extends { readonly optional: true }
      ? string | true | undefined
      : string | undefined
  : boolean | undefined

/** The values of options by their long names. Undefined: not given. */
export type OptionValues<O extends readonly OptionSpec[]> = {
  readonly [Option in O[number] as Option['long']]: ValueOf<Option>
}

type Value = string | boolean | readonly (string | boolean)[] | undefined

/** A command line taken apart, or the wish to be shown the help. */
export type Parsed<O extends readonly OptionSpec[]> =
  | { readonly kind: 'help' }
  | { readonly kind: 'run'; readonly options: OptionValues<O>; readonly operands: readonly string[] }

const TRUE = ['true', '1']
const FALSE = ['false', '0']

/** The parser at work on one command line of the command `name` (`tare run`). */
class Parser {
  readonly values = new Map<string, Value>()
  readonly operands: string[] = []
  readonly #name: string
  readonly #grammar: Grammar
  #rest: readonly string[]

  constructor(name: string, grammar: Grammar, argv: readonly string[]) {
    this.#name = name
    this.#grammar = grammar
    this.#rest = argv
    for (const option of grammar.options) {
      if (option.argument !== undefined && option.repeatable === true) this.values.set(option.long, [])
    }
  }

  /** Takes the whole line. False if it asks for help. */
  run(): boolean {
    for (let word = this.#next(); word !== undefined; word = this.#next()) {
      if (word === '--') {
        this.#takeRest()
      } else if (word.startsWith('--')) {
        if (!this.#long(word)) return false
      } else if (word.startsWith('-') && word !== '-') {
        if (!this.#short(word)) return false
      } else {
        this.operands.push(word)
        if (this.#grammar.stopAtOperand === true) this.#takeRest()
      }
    }
    this.#checkOperands()
    return true
  }

  #next(): string | undefined {
    const [first, ...rest] = this.#rest
    this.#rest = rest
    return first
  }

  #takeRest(): void {
    this.operands.push(...this.#rest)
    this.#rest = []
  }

  #long(word: string): boolean {
    const equals = word.indexOf('=')
    const name = word.slice(2, equals < 0 ? undefined : equals)
    const value = equals < 0 ? undefined : word.slice(equals + 1)
    const option = this.#grammar.options.find(({ long }) => long === name)
    if (option !== undefined) {
      this.#set(option, `--${name}`, value)
      return true
    }
    if (name === 'help') return false
    const negated = this.#grammar.options.find(({ long }) => name === `no-${long}`)
    if (negated === undefined || negated.argument !== undefined) throw this.#unknown(`--${name}`)
    if (value !== undefined) throw this.#wrong(`--${name}`, 'it takes no value', `Write --${negated.long}=${value}.`)
    this.#store(negated, `--${name}`, false)
    return true
  }

  /** `-it`, `-m64m`, `-itm 64m`. */
  #short(word: string): boolean {
    const letters = Array.from(word.slice(1))
    for (let index = 0; index < letters.length; index++) {
      const letter = letters[index] ?? ''
      const option = this.#grammar.options.find(({ short }) => short === letter)
      if (option === undefined) {
        if (letter === 'h') return false
        throw this.#unknown(`-${letter}`, word)
      }
      const attached = letters.slice(index + 1).join('')
      if (option.argument !== undefined && option.optional === true && !/^[=./]/.test(attached)) {
        this.#store(option, `-${letter}`, true)
        continue
      }
      if (option.argument !== undefined || attached.startsWith('=')) {
        this.#set(option, `-${letter}`, attached === '' ? undefined : attached.replace(/^=/, ''))
        return true
      }
      this.#store(option, `-${letter}`, true)
    }
    return true
  }

  /** Stores an option with the value attached to it, or else the next word if it needs one. */
  #set(option: OptionSpec, written: string, attached: string | undefined): void {
    if (option.argument === undefined) {
      if (attached === undefined || TRUE.includes(attached)) return this.#store(option, written, true)
      if (FALSE.includes(attached)) return this.#store(option, written, false)
      throw this.#wrong(`${written}=${attached}`, 'it is either on or off', `Write ${written} or --no-${option.long}.`)
    }
    if (attached === undefined && option.optional === true) return this.#store(option, written, true)
    const value = attached ?? this.#next()
    if (value === undefined) {
      throw this.#wrong(written, 'its value is missing', `Write --${option.long}=${option.argument}.`)
    }
    if (option.choices !== undefined && !option.choices.includes(value)) {
      const meant = suggest(value, option.choices)
      const hint = meant === undefined ? `It takes ${listOf(option.choices)}.` : `Did you mean ${meant}?`
      throw this.#wrong(`--${option.long}=${value}`, 'there is no such choice', hint)
    }
    this.#store(option, written, value)
  }

  #store(option: OptionSpec, written: string, value: string | boolean): void {
    const present = this.values.get(option.long)
    if (Array.isArray(present)) {
      this.values.set(option.long, [...present, value])
    } else if (present === undefined) {
      this.values.set(option.long, value)
    } else {
      throw this.#wrong(written, 'it is given more than once', 'Leave one out: which of them is meant?')
    }
  }

  #checkOperands(): void {
    const { operands, stopAtOperand } = this.#grammar
    const missing = operands[this.operands.length]
    if (missing !== undefined && missing.optional !== true) {
      throw this.#wrong(undefined, `${missing.name} is missing`)
    }
    const surplus = this.operands[operands.length]
    const open = stopAtOperand === true || operands.at(-1)?.repeatable === true
    if (surplus !== undefined && !open) throw this.#wrong(undefined, `"${surplus}" is one argument too many`)
    for (const [index, { choices, name }] of operands.entries()) {
      const operand = this.operands[index]
      if (operand === undefined || choices === undefined || choices.includes(operand)) continue
      throw this.#wrong(undefined, `"${operand}" is no ${name}`, `It takes ${listOf(choices)}.`)
    }
  }

  #unknown(written: string, within: string = written): UsageError {
    const names = this.#grammar.options.map(({ long }) => long)
    // `-rm` for `--rm`: the letters after one dash may be meant as a name.
    const name = names.includes(within.slice(1)) ? within.slice(1) : undefined
    const meant = name ?? (written.startsWith('--') ? suggest(written.slice(2), [...names, 'help']) : undefined)
    const hint = meant === undefined ? undefined : `Did you mean --${meant}? See "${this.#name} --help".`
    return this.#wrong(written, 'there is no such option', hint)
  }

  #wrong(written: string | undefined, reason: string, hint?: string): UsageError {
    const what = written === undefined ? this.#name : `${written} of ${this.#name}`
    return new UsageError(`cannot use ${what}: ${reason}`, hint ?? `See "${this.#name} --help".`)
  }
}

const listOf = (choices: readonly string[]): string =>
  choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`

/**
 * Takes a command line (without the command's own name) apart by a grammar. `name` is the command as a person
 * writes it, for the messages: `tare run`. `--help` and, unless the grammar has another `-h`, `-h` ask for help.
 *
 * @throws UsageError for an option, a value or an operand that the grammar doesn't have.
 */
export function parseArguments<const O extends readonly OptionSpec[]>(
  name: string,
  grammar: Grammar & { readonly options: O },
  argv: readonly string[],
): Parsed<O>
// The values are collected by name; the overload above states what the grammar says of each.
export function parseArguments(
  name: string,
  grammar: Grammar,
  argv: readonly string[],
):
  | { readonly kind: 'help' }
  | { readonly kind: 'run'; readonly options: object; readonly operands: readonly string[] } {
  const parser = new Parser(name, grammar, argv)
  if (!parser.run()) return { kind: 'help' }
  return { kind: 'run', options: Object.fromEntries(parser.values), operands: parser.operands }
}
