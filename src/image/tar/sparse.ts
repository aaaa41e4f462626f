import { TareError } from '../../linux/error.ts'
import type { TarExtent } from './entry.ts'
import { TAR_BLOCK } from './entry.ts'
import { parseTarNumber } from './header.ts'
import type { PaxRecords } from './pax.ts'
import { parsePaxNumber } from './pax.ts'

const wrong = (reason: string): TareError =>
  new TareError({ operation: 'read the archive', code: 'ERR_TARE_ARCHIVE', reason })

/** How many parts of one file are believed. */
const MOST = 1 << 20

type Next = (length: number) => Promise<Uint8Array>

/** Where parts are that overlap, or go beyond the end, the map is damaged. */
const checkExtents = (extents: readonly TarExtent[], size: number): readonly TarExtent[] => {
  let end = 0
  for (const { offset, length } of extents) {
    if (offset < end || offset + length > size) throw wrong('the map of a sparse file is damaged')
    end = offset + length
  }
  return extents
}

const pairs = (numbers: readonly number[]): readonly TarExtent[] => {
  if (numbers.length % 2 !== 0) throw wrong('the map of a sparse file is damaged')
  const extents: TarExtent[] = []
  for (let at = 0; at < numbers.length; at += 2)
    extents.push({ offset: numbers[at] ?? 0, length: numbers[at + 1] ?? 0 })
  return extents
}

/** Pairs of 12 bytes each; what is left free ends with a NUL. */
const oldPairs = (bytes: Uint8Array, count: number): readonly TarExtent[] => {
  const numbers: number[] = []
  for (let at = 0; at < count; at++) {
    const pair = bytes.subarray(at * 24, at * 24 + 24)
    if (pair[0] === 0) break
    numbers.push(parseTarNumber(pair.subarray(0, 12)), parseTarNumber(pair.subarray(12)))
  }
  return pairs(numbers)
}

/**
 * The map in GNU tar's own format: four parts in the header, 21 in each block behind it that says there is one more
 * (tar(5), "GNU tar archives").
 */
export const readOldSparse = async (
  header: Uint8Array,
  next: Next,
): Promise<{ readonly extents: readonly TarExtent[]; readonly size: number }> => {
  const size = parseTarNumber(header.subarray(483, 495))
  const extents = [...oldPairs(header.subarray(386), 4)]
  for (let more = header[482] ?? 0; more !== 0;) {
    const block = await next(TAR_BLOCK)
    if (block.length < TAR_BLOCK || extents.length > MOST) throw wrong('the map of a sparse file is damaged')
    extents.push(...oldPairs(block, 21))
    more = block[504] ?? 0
  }
  return { extents: checkExtents(extents, size), size }
}

/** The map that stands in the records, as formats 0.0 and 0.1 have it (GNU tar manual, "Storing Sparse Files"). */
const recordedMap = (records: PaxRecords): readonly TarExtent[] => {
  const map = records.get('GNU.sparse.map')
  if (map === undefined) throw wrong('a sparse file in it is of a kind that is not known (format 0.0)')
  return pairs(map === '' ? [] : map.split(',').map(parsePaxNumber))
}

/** The map at the head of the content, as format 1.0 has it: numbers, each in a line, up to the end of a block. */
const leadingMap = async (next: Next): Promise<{ readonly extents: readonly TarExtent[]; readonly length: number }> => {
  let text = ''
  let length = 0
  for (;;) {
    const block = await next(TAR_BLOCK)
    length += TAR_BLOCK
    text += Buffer.from(block).toString('latin1')
    const lines = text.split('\n')
    const count = lines.length > 1 ? parsePaxNumber(lines[0] ?? '') : MOST
    if (block.length < TAR_BLOCK || text.length > MOST * 24) throw wrong('the map of a sparse file is damaged')
    if (lines.length > 2 * count + 1)
      return { extents: pairs(lines.slice(1, 2 * count + 1).map(parsePaxNumber)), length }
  }
}

/** What PAX records say of a sparse file; undefined for other files. `length` is what of the content was the map. */
export const readPaxSparse = async (
  records: PaxRecords,
  next: Next,
): Promise<
  | { readonly extents: readonly TarExtent[]; readonly size: number; readonly path: string; readonly length: number }
  | undefined
> => {
  const [major, minor] = [records.get('GNU.sparse.major'), records.get('GNU.sparse.minor')]
  const path = records.get('GNU.sparse.name') ?? ''
  if (major === '1' && minor === '0') {
    const size = parsePaxNumber(records.get('GNU.sparse.realsize') ?? '')
    const { extents, length } = await leadingMap(next)
    return { extents: checkExtents(extents, size), size, path, length }
  }
  if (records.has('GNU.sparse.size')) {
    const size = parsePaxNumber(records.get('GNU.sparse.size') ?? '')
    return { extents: checkExtents(recordedMap(records), size), size, path, length: 0 }
  }
  if (major !== undefined)
    throw wrong(`a sparse file in it is of a kind that is not known (format ${major}.${minor ?? ''})`)
  return undefined
}
