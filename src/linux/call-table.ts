import { binding } from './binding.ts'
import type { SyscallName } from './syscall.ts'
import { addressOf, syscallNumber } from './syscall.ts'

/** The result of an earlier call of the same table, by that one's place in it. */
export interface EarlierResult {
  readonly resultOf: number
}

/** A number, a buffer or text (its address; text ends with a NUL character), or what an earlier call returned. */
export type TableArgument = number | Uint8Array | string | EarlierResult

/** A system call of a table. */
export type TableCall = readonly [name: SyscallName, ...args: readonly TableArgument[]]

/** As in native/binding.c: the number, six arguments, which of them are results, the result. */
const WORDS = 9
const ARGS = 1
const FROM = 7
const RESULT = 8

/**
 * System calls that are made one after the other in one go, as often as wanted: crossing over to the addon costs more
 * than many a call. One that takes the result of a failed one isn't made, and has that one's error for its result.
 * Nothing is checked but that; see {@link trySyscall}.
 */
export class CallTable {
  readonly #words: BigInt64Array
  /** The same memory in halves of words, which are numbers without a detour; the lower half comes first. */
  readonly #halves: Int32Array
  /** What the words point to. */
  readonly #buffers: Uint8Array[] = []

  constructor(calls: readonly TableCall[]) {
    this.#words = new BigInt64Array(calls.length * WORDS)
    this.#halves = new Int32Array(this.#words.buffer)
    for (const [place, [name, ...args]] of calls.entries()) {
      this.#words[place * WORDS] = BigInt(syscallNumber(name))
      for (const [index, argument] of args.entries()) this.#write(place, index, argument)
    }
  }

  /** Changes an argument that is a number, for the runs to come. */
  setNumber(call: number, argument: number, value: number): void {
    const at = 2 * (call * WORDS + ARGS + argument)
    this.#halves[at] = value
    this.#halves[at + 1] = value < 0 ? -1 : 0
  }

  /** Makes the calls. They block this thread as long as they do. */
  run(): void {
    binding.calls(this.#words)
  }

  /** What a call returned in the last run, or the errno as a negative number. Of larger results the lower 32 bits. */
  result(call: number): number {
    return this.#halves[2 * (call * WORDS + RESULT)] ?? 0
  }

  #write(place: number, index: number, argument: TableArgument): void {
    const at = place * WORDS
    if (typeof argument === 'number') {
      this.#words[at + ARGS + index] = BigInt(argument)
    } else if (typeof argument === 'string' || argument instanceof Uint8Array) {
      const buffer = typeof argument === 'string' ? Buffer.from(`${argument}\0`) : argument
      this.#buffers.push(buffer)
      this.#words[at + ARGS + index] = BigInt.asIntN(64, addressOf(buffer))
    } else {
      this.#words[at + ARGS + index] = BigInt(argument.resultOf)
      this.#words[at + FROM] = (this.#words[at + FROM] ?? 0n) | (1n << BigInt(index))
    }
  }
}
