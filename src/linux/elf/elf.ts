import { Buffer } from 'node:buffer'
import type { ByteSource } from './source.ts'
import { readOpens } from './dlopen-note.ts'
import type { Segment } from './reader.ts'
import { ElfReader, namingElf, refuseElf, SEGMENT } from './reader.ts'

/** What an ELF file says of how it is to be loaded (elf(5)). */
export interface ElfFile {
  readonly bits: 32 | 64
  readonly bigEndian: boolean
  /** e_machine: 62 is x86-64, 183 arm64. */
  readonly machine: number
  /** e_type: 2 is a program at a fixed address, 3 a library or a program at any. */
  readonly type: number
  /** The loader that the kernel starts it with (PT_INTERP). */
  readonly interpreter: string | undefined
  /** Whether it has a dynamic section at all. */
  readonly dynamic: boolean
  readonly soname: string | undefined
  /** Libraries that are loaded with it, in order (DT_NEEDED). */
  readonly needed: readonly string[]
  /** Where they are looked for: DT_RPATH, DT_RUNPATH, each a list with colons between. */
  readonly rpath: string | undefined
  readonly runpath: string | undefined
  /** DF_1_NODEFLIB: not where libraries are by default. */
  readonly noDefaultLibraries: boolean
  /** Libraries whose symbols stand for its own: DT_FILTER must be there, DT_AUXILIARY may. */
  readonly filters: readonly string[]
  readonly auxiliaries: readonly string[]
  /** Libraries that watch the loader (DT_AUDIT, DT_DEPAUDIT), each a list with colons between. */
  readonly audits: readonly string[]
  /** Libraries that it says it opens when it runs, each by one of several names (.note.dlopen). */
  readonly opens: readonly (readonly string[])[]
}

const TAG = {
  null: 0,
  needed: 1,
  strtab: 5,
  strsz: 10,
  soname: 14,
  rpath: 15,
  runpath: 29,
  depaudit: 0x6ffffefb,
  audit: 0x6ffffefc,
  flags1: 0x6ffffffb,
  auxiliary: 0x7ffffffd,
  filter: 0x7fffffff,
} as const

const DF_1_NODEFLIB = 0x800
/** The kernel's own limit, PATH_MAX. */
const LONGEST_INTERPRETER = 4096
/** Far beyond any real file: limits what a hostile one costs. In bytes. */
const LARGEST_DYNAMIC = 64 << 10
const LONGEST_STRING = 64 << 10
const MOST_TEXT = 1 << 20
const PIECE = 256

interface Dynamic {
  readonly tag: number
  readonly value: number
}

/** Control characters are no part of a name that anybody means, and would get into messages. */
const plain = (name: string): string => (/\p{Cc}/u.test(name) ? refuseElf('a name in it has control characters') : name)

/** Strings of the dynamic string table; together they may be so long and no longer. */
class StringTable {
  readonly #reader: ElfReader
  readonly #offset: number
  readonly #size: number
  #left = MOST_TEXT

  constructor(reader: ElfReader, offset: number, size: number) {
    this.#reader = reader
    this.#offset = offset
    this.#size = size
  }

  at(index: number): string {
    if (index >= this.#size) return refuseElf('a name begins behind the end of its string table')
    const parts: Uint8Array[] = []
    let length = 0
    while (index + length < this.#size) {
      const piece = this.#reader.bytes(
        this.#offset + index + length,
        Math.min(PIECE, this.#size - index - length),
        'its string table',
      )
      const end = piece.indexOf(0)
      parts.push(end < 0 ? piece : piece.subarray(0, end))
      length += end < 0 ? piece.length : end
      this.#left -= piece.length
      if (length > LONGEST_STRING || this.#left < 0) return refuseElf('its names are longer than any')
      if (end >= 0) return plain(Buffer.concat(parts).toString())
    }
    return refuseElf('a name has no end')
  }
}

const readInterpreter = (reader: ElfReader, segments: readonly Segment[]): string | undefined => {
  const segment = segments.find(({ type }) => type === SEGMENT.interpreter)
  if (segment === undefined) return undefined
  const { offset, fileSize } = segment
  if (fileSize < 2 || fileSize > LONGEST_INTERPRETER) return refuseElf(`the name of its loader has ${fileSize} bytes`)
  const bytes = reader.bytes(offset, fileSize, 'the name of its loader')
  const end = bytes.indexOf(0)
  return end < 1
    ? refuseElf('the name of its loader has no end')
    : plain(Buffer.from(bytes.subarray(0, end)).toString())
}

const readDynamic = (reader: ElfReader, { offset, fileSize }: Segment): readonly Dynamic[] => {
  const size = reader.bits === 64 ? 16 : 8
  if (fileSize > LARGEST_DYNAMIC) return refuseElf(`its dynamic section of ${fileSize} bytes is larger than any`)
  const bytes = reader.bytes(offset, fileSize, 'its dynamic section')
  const entries: Dynamic[] = []
  for (let at = 0; at + size <= bytes.length; at += size) {
    const tag = reader.word(bytes, at)
    if (tag === TAG.null) break
    entries.push({ tag, value: reader.word(bytes, at + size / 2) })
  }
  return entries
}

/** The offset in the file of an address in memory. */
const offsetOf = (segments: readonly Segment[], address: number): number => {
  const segment = segments.find(
    (each) =>
      each.type === SEGMENT.load && address >= each.address && address - each.address < Math.max(each.fileSize, 1),
  )
  if (segment === undefined) return refuseElf('its string table is in no part of it that is loaded')
  return segment.offset + (address - segment.address)
}

/**
 * Reads how an ELF file is to be loaded. Never runs it, and reads no byte outside of it; what a hostile file can cost is
 * bounded. Throws {@link InputError} for a file that is no ELF file, is cut short, or makes no sense. elf(5)
 */
export const parseElf = (source: ByteSource, path: string): ElfFile => namingElf(path, () => read(source))

const read = (source: ByteSource): ElfFile => {
  const reader = new ElfReader(source)
  const segments = reader.segments()
  const base = {
    bits: reader.bits,
    bigEndian: reader.bigEndian,
    machine: reader.machine,
    type: reader.type,
    interpreter: readInterpreter(reader, segments),
  }
  const segment = segments.find(({ type }) => type === SEGMENT.dynamic)
  const entries = segment === undefined ? [] : readDynamic(reader, segment)
  const value = (tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.value
  const address = value(TAG.strtab)
  const strings =
    address === undefined
      ? undefined
      : new StringTable(reader, offsetOf(segments, address), value(TAG.strsz) ?? source.size)
  const text = (index: number): string =>
    strings === undefined ? refuseElf('it has names, and no string table') : strings.at(index)
  const all = (tag: number): readonly string[] =>
    entries.filter((entry) => entry.tag === tag).map((entry) => text(entry.value))
  return {
    ...base,
    dynamic: segment !== undefined,
    needed: all(TAG.needed),
    soname: all(TAG.soname)[0],
    rpath: all(TAG.rpath)[0],
    runpath: all(TAG.runpath)[0],
    noDefaultLibraries: ((value(TAG.flags1) ?? 0) & DF_1_NODEFLIB) !== 0,
    filters: all(TAG.filter),
    auxiliaries: all(TAG.auxiliary),
    audits: [...all(TAG.audit), ...all(TAG.depaudit)],
    opens: readOpens(reader, segments),
  }
}
