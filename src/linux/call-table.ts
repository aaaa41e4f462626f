import { binding } from './binding.ts'
import type { SyscallName } from './syscall.ts'
import { addressOf, syscallNumber } from './syscall.ts'

/** What an earlier call of the same part returned, by that one's place in it. */
export interface EarlierResult {
  readonly resultOf: number
}

/** A place in the memory that each part of the table has for itself. */
export interface OwnMemory {
  readonly own: number
}

/** A number, a buffer or text (its address; text ends with a NUL character), an address of its own, or a result. */
export type TableArgument = number | Uint8Array | string | OwnMemory | EarlierResult

/** A system call of a table. */
export type TableCall = readonly [name: SyscallName, ...args: readonly TableArgument[]]

/** Of how many parts a table is, and how many bytes of memory of its own each has. */
export interface TableParts {
  readonly parts: number
  readonly room: number
}

/** As in native/calls.c: the number, six arguments, which of them are results, the result. */
const WORDS = 9
const ARGS = 1
const FROM = 7
const RESULT = 8

/** From so many parts on, a second thread takes some: to start one takes as long as a few dozen calls. */
const WORTH_A_THREAD = 8

/**
 * System calls that are made one after the other in one go, as often as wanted: crossing over to the addon costs more
 * than many a call. One that takes the result of a failed one isn't made, and has that one's error for its result.
 * Nothing is checked but that; see {@link trySyscall}.
 *
 * A table may be of several parts: the same calls as many times, each with numbers and memory of its own. What is done
 * in one part must not depend on another one, as two threads share them when they are many.
 */
export class CallTable {
  /** What the parts have for themselves, one after the other. */
  readonly memory: Buffer
  readonly #words: BigInt64Array
  /** The same memory in halves of words, which are numbers without a detour; the lower half comes first. */
  readonly #halves: Int32Array
  /** What the words point to. */
  readonly #buffers: Uint8Array[] = []
  readonly #length: number
  readonly #parts: number

  constructor(calls: readonly TableCall[], { parts, room }: TableParts = { parts: 1, room: 0 }) {
    this.memory = Buffer.allocUnsafeSlow(parts * room)
    this.#length = calls.length
    this.#parts = parts
    const words = calls.length * WORDS
    this.#words = new BigInt64Array(parts * words)
    this.#halves = new Int32Array(this.#words.buffer)
    for (const [place, [name, ...args]] of calls.entries()) {
      this.#words[place * WORDS] = BigInt(syscallNumber(name))
      for (const [index, argument] of args.entries()) this.#write(place, index, argument)
    }
    for (let part = 1; part < parts; part++) this.#words.copyWithin(part * words, 0, words)
    if (room > 0) this.#ownMemory(calls, parts, room)
  }

  /** Changes an argument that is a number, for the runs to come. */
  setNumber(call: number, argument: number, value: number, part = 0): void {
    const at = 2 * ((part * this.#length + call) * WORDS + ARGS + argument)
    this.#halves[at] = value
    this.#halves[at + 1] = value < 0 ? -1 : 0
  }

  /** Makes the calls of all parts, or of the first so many. They block this thread as long as they do. */
  run(parts: number = this.#parts): void {
    binding.calls(this.#words, this.#length, parts, parts >= WORTH_A_THREAD)
  }

  /** What a call returned in the last run, or the errno as a negative number. Of larger results the lower 32 bits. */
  result(call: number, part = 0): number {
    return this.#halves[2 * ((part * this.#length + call) * WORDS + RESULT)] ?? 0
  }

  #write(place: number, index: number, argument: TableArgument): void {
    const at = place * WORDS
    if (typeof argument === 'number') {
      this.#words[at + ARGS + index] = BigInt(argument)
    } else if (typeof argument === 'string' || argument instanceof Uint8Array) {
      const buffer = typeof argument === 'string' ? Buffer.from(`${argument}\0`) : argument
      this.#buffers.push(buffer)
      this.#words[at + ARGS + index] = BigInt.asIntN(64, addressOf(buffer))
    } else if ('resultOf' in argument) {
      this.#words[at + ARGS + index] = BigInt(argument.resultOf)
      this.#words[at + FROM] = (this.#words[at + FROM] ?? 0n) | (1n << BigInt(index))
    }
  }

  #ownMemory(calls: readonly TableCall[], parts: number, room: number): void {
    const memory = addressOf(this.memory)
    for (const [place, [, ...args]] of calls.entries())
      for (const [index, argument] of args.entries()) {
        if (typeof argument !== 'object' || !('own' in argument)) continue
        for (let part = 0; part < parts; part++) {
          const address = memory + BigInt(part * room + argument.own)
          this.#words[(part * calls.length + place) * WORDS + ARGS + index] = BigInt.asIntN(64, address)
        }
      }
  }
}
