import { InputError } from '../error.ts'
import type { ByteSource } from './source.ts'

/** Types of segments (p_type, elf(5)). */
export const SEGMENT = { load: 1, dynamic: 2, interpreter: 3, note: 4 } as const

/** A program header. Sizes, offsets and addresses in bytes. */
export interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: number
  readonly fileSize: number
  readonly align: number
}

const MAGIC = [0x7f, 0x45, 0x4c, 0x46] as const
const CLASSES: Readonly<Record<number, 32 | 64>> = { 1: 32, 2: 64 }
const LITTLE = 1
const BIG = 2
/** The kernel takes no more program headers than fit (fs/binfmt_elf.c). In bytes. */
const MOST_HEADERS = 64 << 10

/** Where the fields of the headers are, which are wider in 64 bits. */
const LAYOUT = {
  32: { header: 52, phoff: 28, phentsize: 42, phnum: 44, entry: 32, offset: 4, address: 8, fileSize: 16, align: 28 },
  64: { header: 64, phoff: 32, phentsize: 54, phnum: 56, entry: 56, offset: 8, address: 16, fileSize: 32, align: 48 },
} as const

/** What is wrong with an ELF file; who reads it knows its name. */
class Malformed extends Error {}

/** To be called where an ELF file makes no sense. */
export const refuseElf = (reason: string): never => {
  throw new Malformed(reason)
}

/** Whether these are the first bytes of an ELF file. */
export const isElf = (bytes: Uint8Array): boolean => MAGIC.every((byte, index) => bytes[index] === byte)

/** An ELF file whose header has been read. Every read is checked against the file's end. */
export class ElfReader {
  readonly bits: 32 | 64
  readonly bigEndian: boolean
  readonly type: number
  readonly machine: number
  readonly #source: ByteSource
  readonly #header: Uint8Array

  constructor(source: ByteSource) {
    const ident = source.read(0, 16)
    if (!isElf(ident)) refuseElf('it is no ELF file')
    const bits = CLASSES[ident[4] ?? 0]
    const order = ident[5] ?? 0
    if (ident.length < 16) refuseElf('it is cut short: its header is not all there')
    this.#source = source
    this.bits = bits ?? refuseElf(`class ${ident[4]} of ELF is unknown`)
    if (order !== LITTLE && order !== BIG) refuseElf(`byte order ${order} of ELF is unknown`)
    this.bigEndian = order === BIG
    this.#header = this.bytes(0, LAYOUT[this.bits].header, 'its header')
    this.type = this.half(this.#header, 16)
    this.machine = this.half(this.#header, 18)
  }

  /** So many bytes; refuses a file that ends before. `what` is read: `its string table`. */
  bytes(offset: number, length: number, what: string): Uint8Array {
    const bytes = offset > this.#source.size ? new Uint8Array(0) : this.#source.read(offset, length)
    if (bytes.length === length) return bytes
    return refuseElf(
      `it is cut short: ${what} goes to byte ${offset + length}, and the file to byte ${this.#source.size}`,
    )
  }

  half(bytes: Uint8Array, at: number): number {
    return view(bytes).getUint16(at, !this.bigEndian)
  }

  int(bytes: Uint8Array, at: number): number {
    return view(bytes).getUint32(at, !this.bigEndian)
  }

  /** A word of the file's own width. */
  word(bytes: Uint8Array, at: number): number {
    if (this.bits === 32) return view(bytes).getUint32(at, !this.bigEndian)
    const value = view(bytes).getBigUint64(at, !this.bigEndian)
    // No file is that long; an address up there is as good as any other that isn't in the file.
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value)
  }

  segments(): readonly Segment[] {
    const layout = LAYOUT[this.bits]
    const header = this.#header
    const [size, count] = [this.half(header, layout.phentsize), this.half(header, layout.phnum)]
    if (count === 0) return []
    if (size !== layout.entry) return refuseElf(`its program headers have ${size} bytes, not ${layout.entry}`)
    if (size * count > MOST_HEADERS) return refuseElf(`${count} program headers are more than the kernel takes`)
    const bytes = this.bytes(this.word(header, layout.phoff), size * count, 'its program headers')
    return Array.from({ length: count }, (_, index) => {
      const at = index * size
      return {
        type: this.int(bytes, at),
        offset: this.word(bytes, at + layout.offset),
        address: this.word(bytes, at + layout.address),
        fileSize: this.word(bytes, at + layout.fileSize),
        align: this.word(bytes, at + layout.align),
      }
    })
  }
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Runs `read`; what is wrong with the file becomes an {@link InputError} that names it. */
export const namingElf = <T>(path: string, read: () => T): T => {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    throw new InputError({ operation: 'read', target: path, reason: error.message })
  }
}
