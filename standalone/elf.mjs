// What the standalone program needs of its ELF file (elf(5)): one segment more, and another entry.

const PT_LOAD = 1
const PT_NOTE = 4
const PF_R_X = 5
/** The largest page of both processors: arm64 may have 64 KiB. */
const PAGE = 0x10000
/** Offsets in the header of a 64-bit file, and in one of its program headers. */
const HEADER = { entry: 24, phoff: 32, phentsize: 54, phnum: 56 }
const SEGMENT = { type: 0, flags: 4, offset: 8, vaddr: 16, paddr: 24, filesz: 32, memsz: 40, align: 48 }

const number = (file, at) => Number(file.readBigUInt64LE(at))

const up = (value, to) => Math.ceil(value / to) * to

/** Where a program starts, and its segments: each with the place of its header in the file. */
export const readElf = (file) => {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error('this is no 64-bit little-endian ELF file')
  if (file.readUInt16LE(16) !== 2) throw new Error('this is no program at a fixed address (ET_EXEC)')
  const segments = Array.from({ length: file.readUInt16LE(HEADER.phnum) }, (_, index) => {
    const at = number(file, HEADER.phoff) + index * file.readUInt16LE(HEADER.phentsize)
    return {
      at,
      type: file.readUInt32LE(at + SEGMENT.type),
      address: number(file, at + SEGMENT.vaddr),
      offset: number(file, at + SEGMENT.offset),
      fileSize: number(file, at + SEGMENT.filesz),
      memorySize: number(file, at + SEGMENT.memsz),
    }
  })
  return { entry: number(file, HEADER.entry), segments }
}

/** The first address behind all that a program has in memory, at a page. */
export const addressBehind = ({ segments }) =>
  up(Math.max(...segments.filter(({ type }) => type === PT_LOAD).map((each) => each.address + each.memorySize)), PAGE)

/**
 * The program `file` with the one segment of `added` (linked to lie at `addressBehind` of it) behind it, and entered
 * there. Its header takes the place of that of the note, which names the build and which nothing reads: the table has
 * no room for one more, and what lies behind it is in use.
 */
export const addSegment = (file, added) => {
  const { segments } = readElf(file)
  const { entry, segments: addedSegments } = readElf(added)
  const [load, ...others] = addedSegments.filter(({ type }) => type === PT_LOAD)
  if (load === undefined || others.length > 0 || load.offset !== 0 || load.fileSize !== load.memorySize)
    throw new Error('what is added must have one segment, with all of it in the file')
  const note = segments.findLast(({ type }) => type === PT_NOTE)
  // The kernel wants segments in the order of their addresses.
  if (note === undefined || segments.some(({ type, at }) => type === PT_LOAD && at > note.at))
    throw new Error('there is no header of a note behind those of the segments')
  const offset = up(file.length, PAGE)
  const size = up(load.fileSize, PAGE)
  const out = Buffer.alloc(offset + size)
  file.copy(out)
  added.copy(out, offset, 0, load.fileSize)
  out.writeBigUInt64LE(BigInt(entry), HEADER.entry)
  out.writeUInt32LE(PT_LOAD, note.at + SEGMENT.type)
  out.writeUInt32LE(PF_R_X, note.at + SEGMENT.flags)
  for (const [field, value] of [
    ['offset', offset], ['vaddr', load.address], ['paddr', load.address],
    ['filesz', size], ['memsz', size], ['align', PAGE],
  ]) out.writeBigUInt64LE(BigInt(value), note.at + SEGMENT[field]) // prettier-ignore
  return out
}
