import { Buffer } from 'node:buffer'
import { InputError } from '../../linux/error.ts'

/** One library of the loader's cache. */
export interface CacheEntry {
  /** What it is asked for by: `libc.so.6`. */
  readonly soname: string
  readonly path: string
  /** The kind of processor that it is made for: `x86-64-v3`; undefined where any will do. */
  readonly variant: string | undefined
}

const OLD_MAGIC = 'ld.so-1.7.0'
const OLD_HEADER = 16
const OLD_ENTRY = 12
const MAGIC = 'glibc-ld.so.cache1.1'
const HEADER = 48
const ENTRY = 24
const EXTENSION_MAGIC = 0xeaa42174
const VARIANTS_TAG = 1
/** An entry's hwcap is an index of the extension's names (bit 62; low bits of the upper half are another matter). */
const IS_VARIANT = 0x4000_0000
const VARIANT_MASK = 0xffff_fc00
/** The byte order that is noted in the header. */
const LITTLE = 2
const BIG = 3

const refuse = (reason: string): never => {
  throw new InputError({ operation: 'read', target: '/etc/ld.so.cache', reason, hint: 'Run ldconfig to make it anew.' })
}

class CacheReader {
  readonly #bytes: Buffer
  readonly #bigEndian: boolean

  /** `bytes` begin with the header: offsets count from there. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const order = this.#bytes[28] ?? 0
    this.#bigEndian = order === BIG || (order !== LITTLE && new Uint8Array(Uint16Array.of(1).buffer)[0] === 0)
  }

  word(at: number): number {
    if (at + 4 > this.#bytes.length) return refuse('it is cut short')
    return this.#bigEndian ? this.#bytes.readUInt32BE(at) : this.#bytes.readUInt32LE(at)
  }

  text(at: number): string {
    const end = this.#bytes.indexOf(0, at)
    return at >= this.#bytes.length || end < 0 ? refuse('a name has no end') : this.#bytes.toString('utf8', at, end)
  }

  get isBigEndian(): boolean {
    return this.#bigEndian
  }

  /** Names of the kinds of processors, by the index that entries have. */
  variants(): readonly string[] {
    const at = this.word(32)
    if (at === 0 || this.word(at) !== EXTENSION_MAGIC) return []
    const count = this.word(at + 4)
    for (let index = 0; index < count; index++) {
      const section = at + 8 + index * 16
      if (this.word(section) !== VARIANTS_TAG) continue
      const [offset, size] = [this.word(section + 8), this.word(section + 12)]
      if (offset + size > this.#bytes.length) return refuse('it is cut short')
      return Array.from({ length: size >>> 2 }, (_, each) => this.text(this.word(offset + each * 4)))
    }
    return []
  }
}

/** The format of glibc 2.2 and later, alone or behind the older one; an older one alone is as good as none. */
const locate = (bytes: Uint8Array): Uint8Array | undefined => {
  const text = (at: number, length: number): string => Buffer.from(bytes.subarray(at, at + length)).toString('latin1')
  if (text(0, MAGIC.length) === MAGIC) return bytes
  if (text(0, OLD_MAGIC.length) !== OLD_MAGIC) return refuse('it is no cache of ld.so')
  if (bytes.length < OLD_HEADER) return refuse('it is cut short')
  const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(12, true)
  const at = Math.ceil((OLD_HEADER + count * OLD_ENTRY) / 8) * 8
  return text(at, MAGIC.length) === MAGIC ? bytes.subarray(at) : undefined
}

/**
 * The libraries that /etc/ld.so.cache lists, in its order (ldconfig(8), ld.so(8)). Throws {@link InputError} for what is
 * no such cache, or is cut short.
 */
export const parseLoaderCache = (bytes: Uint8Array): readonly CacheEntry[] => {
  const located = locate(bytes)
  if (located === undefined) return []
  if (located.length < HEADER) return refuse('it is cut short')
  const reader = new CacheReader(located)
  const count = reader.word(20)
  if (HEADER + count * ENTRY > located.length) return refuse('it is cut short')
  const variants = reader.variants()
  return Array.from({ length: count }, (_, index) => {
    const at = HEADER + index * ENTRY
    const [low, high] = reader.isBigEndian
      ? [reader.word(at + 20), reader.word(at + 16)]
      : [reader.word(at + 16), reader.word(at + 20)]
    const extended = (high & VARIANT_MASK) >>> 0 === IS_VARIANT
    const legacy = low === 0 && high === 0 ? undefined : 'hwcap'
    return {
      soname: reader.text(reader.word(at + 4)),
      path: reader.text(reader.word(at + 8)),
      variant: extended ? variants[low] : legacy,
    }
  })
}
