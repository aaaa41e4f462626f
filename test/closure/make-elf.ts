// ELF files of a few hundred bytes, for tests: a program or library that says what it needs and holds no code.

export interface ElfParts {
  readonly bits?: 32 | 64
  readonly bigEndian?: boolean
  readonly machine?: number
  readonly interpreter?: string
  readonly needed?: readonly string[]
  readonly soname?: string
  readonly rpath?: string
  readonly runpath?: string
  readonly noDefaultLibraries?: boolean
  readonly filters?: readonly string[]
  readonly auxiliaries?: readonly string[]
  /** The text of a note that says what it opens. */
  readonly opens?: string
}

const TAGS = { needed: 1, strtab: 5, strsz: 10, soname: 14, rpath: 15, runpath: 29, flags1: 0x6ffffffb } as const
const AUXILIARY = 0x7ffffffd
const FILTER = 0x7fffffff
const ADDRESS = 0x400000

/** Bytes in the order and the width of the file. */
class Writer {
  readonly bytes = Buffer.alloc(64 << 10)
  readonly #bits: 32 | 64
  readonly #big: boolean

  constructor(bits: 32 | 64, big: boolean) {
    this.#bits = bits
    this.#big = big
  }

  half(at: number, value: number): void {
    if (this.#big) this.bytes.writeUInt16BE(value, at)
    else this.bytes.writeUInt16LE(value, at)
  }

  int(at: number, value: number): void {
    if (this.#big) this.bytes.writeUInt32BE(value, at)
    else this.bytes.writeUInt32LE(value, at)
  }

  word(at: number, value: number): void {
    if (this.#bits === 32) return this.int(at, value)
    if (this.#big) this.bytes.writeBigUInt64BE(BigInt(value), at)
    else this.bytes.writeBigUInt64LE(BigInt(value), at)
  }
}

/** The whole file is one segment, loaded at {@link ADDRESS}. */
export const makeElf = (parts: ElfParts = {}): Buffer => {
  const { bits = 64, bigEndian = false, machine = 62, interpreter } = parts
  const wide = bits === 64
  const writer = new Writer(bits, bigEndian)
  const { bytes } = writer
  let end = wide ? 64 : 52
  const headers = end
  const entry = wide ? 56 : 32
  end += entry * 4
  const place = (text: string): number => {
    const at = end
    end += bytes.write(`${text}\0`, at)
    return at
  }
  const interp = interpreter === undefined ? undefined : place(interpreter)
  const note = parts.opens === undefined ? undefined : (end = Math.ceil(end / 4) * 4)
  if (note !== undefined) {
    const text = `${parts.opens}\0`
    writer.int(note, 4)
    writer.int(note + 4, Buffer.byteLength(text))
    writer.int(note + 8, 0x407c0c0a)
    bytes.write('FDO\0', note + 12)
    end = Math.ceil((note + 16 + bytes.write(text, note + 16)) / 4) * 4
  }
  const afterNote = end
  const strings = end
  end += 1
  const name = (text: string): number => place(text) - strings
  const dynamic: (readonly [tag: number, value: number])[] = [
    ...(parts.needed ?? []).map((each) => [TAGS.needed, name(each)] as const),
    ...(parts.filters ?? []).map((each) => [FILTER, name(each)] as const),
    ...(parts.auxiliaries ?? []).map((each) => [AUXILIARY, name(each)] as const),
  ]
  if (parts.soname !== undefined) dynamic.push([TAGS.soname, name(parts.soname)])
  if (parts.rpath !== undefined) dynamic.push([TAGS.rpath, name(parts.rpath)])
  if (parts.runpath !== undefined) dynamic.push([TAGS.runpath, name(parts.runpath)])
  if (parts.noDefaultLibraries === true) dynamic.push([TAGS.flags1, 0x800])
  dynamic.push([TAGS.strtab, ADDRESS + strings], [TAGS.strsz, end - strings], [0, 0])
  const table = (end = Math.ceil(end / 8) * 8)
  const width = bits / 8
  for (const [tag, value] of dynamic) {
    writer.word(end, tag)
    writer.word(end + width, value)
    end += width * 2
  }
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, bigEndian ? 2 : 1, 1])
  writer.half(16, 3)
  writer.half(18, machine)
  writer.word(wide ? 32 : 28, headers)
  writer.half(wide ? 54 : 42, entry)
  const segments: (readonly [type: number, offset: number, size: number])[] = [
    [1, 0, end],
    [2, table, end - table],
    ...(interp === undefined ? [] : [[3, interp, (interpreter?.length ?? 0) + 1] as const]),
    ...(note === undefined ? [] : [[4, note, afterNote - note] as const]),
  ]
  writer.half(wide ? 56 : 44, segments.length)
  for (const [index, [type, offset, size]] of segments.entries()) {
    const at = headers + index * entry
    writer.int(at, type)
    writer.word(at + (wide ? 8 : 4), offset)
    writer.word(at + (wide ? 16 : 8), ADDRESS + offset)
    writer.word(at + (wide ? 32 : 16), size)
  }
  return bytes.subarray(0, end)
}
