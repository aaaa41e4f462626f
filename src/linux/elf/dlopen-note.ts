import { Buffer } from 'node:buffer'
import type { ElfReader, Segment } from './reader.ts'
import { SEGMENT } from './reader.ts'

/** "ELF dlopen metadata", a specification of systemd's: owner and type of the note, and JSON in it. */
const OWNER = 'FDO\0'
const TYPE = 0x407c0c0a
const HEADER = 12
/** Far beyond what all of a real file's take together. In bytes. */
const LARGEST = 64 << 10

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

/** `[{ "soname": ["libx.so.2", "libx.so.1"], "priority": "suggested" }]`. Nothing is made of what is no such thing. */
const sonamesOf = (text: string): readonly (readonly string[])[] => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // A note is a remark: one that can't be read keeps no program from running.
    return []
  }
  return (Array.isArray(value) ? value : []).flatMap((entry: unknown) => {
    const names: unknown = isRecord(entry) ? entry['soname'] : undefined
    const texts = Array.isArray(names)
      ? names.filter((name) => typeof name === 'string' && /^\P{Cc}+$/u.test(name))
      : []
    return texts.length === 0 ? [] : [texts.map(String)]
  })
}

/** The segments of notes, as long as they aren't larger together than any: a hostile file has a thousand of the same. */
const notesOf = (segments: readonly Segment[]): readonly Segment[] => {
  let left = LARGEST
  return segments.filter(({ type, fileSize }) => {
    if (type !== SEGMENT.note || fileSize > left) return false
    left -= fileSize
    return true
  })
}

const padded = (size: number, align: number): number => Math.ceil(size / align) * align

/** The libraries that an ELF file's notes say it opens by dlopen(3), each by its names, the preferred one first. */
export const readOpens = (reader: ElfReader, segments: readonly Segment[]): readonly (readonly string[])[] =>
  notesOf(segments).flatMap(({ offset, fileSize, align }) => {
    const bytes = reader.bytes(offset, fileSize, 'its notes')
    const step = align === 8 ? 8 : 4
    const found: (readonly string[])[] = []
    for (let at = 0; at + HEADER <= bytes.length;) {
      const [owner, size] = [reader.int(bytes, at), reader.int(bytes, at + 4)]
      const begin = padded(at + HEADER + owner, step)
      const text = Buffer.from(bytes.subarray(begin, begin + size)).toString()
      const name = Buffer.from(bytes.subarray(at + HEADER, at + HEADER + owner)).toString()
      if (reader.int(bytes, at + 8) === TYPE && name === OWNER) found.push(...sonamesOf(text.replace(/\0+$/, '')))
      at = padded(begin + size, step)
    }
    return found
  })
