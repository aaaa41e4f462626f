import type { Data } from './step.ts'

const encoder = new TextEncoder()

/** How it is shown is worked out only when it is. */
class StringData implements Data {
  readonly kind = 'data'
  readonly offset: number
  readonly #value: string | readonly string[]

  constructor(offset: number, value: string | readonly string[]) {
    this.offset = offset
    this.#value = value
  }

  get text(): string {
    if (typeof this.#value === 'string') return JSON.stringify(this.#value)
    return `[${this.#value.map((value) => JSON.stringify(value)).join(', ')}]`
  }
}

/** The bytes that a plan carries beside its steps. Offsets are fixed as soon as something is added. */
export class DataBuilder {
  /** Where the first byte lies: a multiple of 8. */
  readonly base: number
  #bytes: Uint8Array<ArrayBuffer>
  /** What is in use of the bytes. */
  #length = 0
  readonly #relocations: number[] = []
  readonly #strings = new Map<string, number>()

  /**
   * `base`: how many bytes of another builder come before these.
   *
   * @param capacity how many bytes there is room for from the start.
   */
  constructor(base = 0, capacity = 4096) {
    this.base = Math.ceil(base / 8) * 8
    this.#bytes = new Uint8Array(capacity)
  }

  /** A copy whose bytes can be changed without the original's knowing. */
  copy(): DataBuilder {
    const copy = new DataBuilder(this.base, this.#length)
    copy.#bytes.set(this.bytes)
    copy.#length = this.#length
    copy.#relocations.push(...this.#relocations)
    return copy
  }

  /** Of all the data: where the next byte would lie. */
  get size(): number {
    return this.base + this.#length
  }

  /** Without those of another builder that come before. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Offsets of the 64-bit words that hold an offset and become an address. */
  get relocations(): readonly number[] {
    return this.#relocations
  }

  /** Room for `size` bytes of zero, aligned to 8. */
  space(size: number, text: string): Data {
    return { kind: 'data', offset: this.#reserve(size, 8), text }
  }

  /** A copy of the bytes, aligned to 8. */
  add(bytes: Uint8Array, text: string): Data {
    const offset = this.#reserve(bytes.length, 8)
    this.#bytes.set(bytes, offset - this.base)
    return { kind: 'data', offset, text }
  }

  /** A string, ended by NUL; the same string is kept once, so it must not be written to. */
  string(value: string): Data {
    return new StringData(this.#string(value), value)
  }

  /** A vector of pointers to strings, ended by a null pointer: argv or envp (execve(2)). */
  strings(values: readonly string[], text?: string): Data {
    const offsets = values.map((value) => this.#string(value))
    const vector = this.#reserve((values.length + 1) * 8, 8)
    offsets.forEach((offset, index) => this.pointer(vector + index * 8, offset))
    return text === undefined ? new StringData(vector, values) : { kind: 'data', offset: vector, text }
  }

  /** Makes the 64-bit word at `at` the address of `offset`. */
  pointer(at: number, offset: number): void {
    this.setWord(at, offset)
    this.#relocations.push(at)
  }

  setWord(at: number, value: number): void {
    this.#half(at, value)
    this.#half(at + 4, Math.floor(value / 2 ** 32))
  }

  #half(at: number, value: number): void {
    const index = at - this.base
    this.#bytes[index] = value
    this.#bytes[index + 1] = value >>> 8
    this.#bytes[index + 2] = value >>> 16
    this.#bytes[index + 3] = value >>> 24
  }

  #string(value: string): number {
    const known = this.#strings.get(value)
    if (known !== undefined) return known
    const offset = this.#reserve(value.length * 3 + 1, 1)
    const index = offset - this.base
    this.#length = index + this.#write(value, index) + 1
    this.#strings.set(value, offset)
    return offset
  }

  /** Most strings are short and plain: then a loop is faster than an encoder. */
  #write(value: string, at: number): number {
    for (let index = 0; index < value.length; index++) {
      const unit = value.charCodeAt(index)
      if (unit >= 0x80) return encoder.encodeInto(value, this.#bytes.subarray(at)).written
      this.#bytes[at + index] = unit
    }
    return value.length
  }

  #reserve(size: number, align: number): number {
    const index = Math.ceil(this.#length / align) * align
    if (index + size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, index + size))
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    this.#length = index + size
    return this.base + index
  }
}
