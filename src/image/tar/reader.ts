import { TareError } from '../../linux/error.ts'
import type { ByteSource } from './byte-reader.ts'
import { ByteReader } from './byte-reader.ts'
import type { TarEntry } from './entry.ts'
import { TAR_BLOCK } from './entry.ts'
import type { TarHeader } from './header.ts'
import { isEnd, parseHeader, typeOf, XATTR } from './header.ts'
import type { PaxRecords } from './pax.ts'
import { parsePax, parsePaxNumber, parsePaxTime } from './pax.ts'
import { readOldSparse, readPaxSparse } from './sparse.ts'

const wrong = (reason: string, hint?: string): TareError =>
  new TareError({ operation: 'read the archive', code: 'ERR_TARE_ARCHIVE', reason, hint })

/** Bytes of one extended header: names of 4 KiB, and attributes of which a file system takes 64 KiB and more. */
const LARGEST_HEADER = 8 << 20

const CUT = 'it is cut off'

/** A block of the archive that says how those behind it are to be read. */
const padded = (size: number): number => Math.ceil(size / TAR_BLOCK) * TAR_BLOCK

const without = (text: string): string => {
  const end = text.indexOf('\0')
  return end < 0 ? text : text.slice(0, end)
}

/** A header and what extended headers before it say of it, which goes before. */
const entryOf = (header: TarHeader, records: PaxRecords): TarEntry => {
  const path = records.get('path') ?? header.path
  const type = typeOf({ ...header, path })
  if (type === undefined) throw wrong(`it has an entry of a kind that is not known (${JSON.stringify(header.type)})`)
  const number = (keyword: string, otherwise: number): number => {
    const text = records.get(keyword)
    return text === undefined ? otherwise : parsePaxNumber(text)
  }
  const time = records.get('mtime')
  const xattrs = [...records].flatMap(([keyword, value]) =>
    keyword.startsWith(XATTR) ? [[keyword.slice(XATTR.length), Buffer.from(value, 'latin1')] as const] : [],
  )
  return {
    type,
    path,
    mode: header.mode,
    uid: number('uid', header.uid),
    gid: number('gid', header.gid),
    size: type === 'file' ? number('size', header.size) : 0,
    modified: time === undefined ? BigInt(header.mtime) * 1_000_000_000n : parsePaxTime(time),
    target: records.get('linkpath') ?? header.target,
    major: header.major,
    minor: header.minor,
    xattrs: new Map(xattrs),
  }
}

/**
 * Reads an archive as it comes: ustar, PAX (pax(1)) and GNU tar's own formats, sparse files among them. Memory is used for
 * one piece of it at a time.
 *
 * @example
 * ```ts
 * for (let entry = await reader.next(); entry !== undefined; entry = await reader.next())
 *   for await (const piece of reader.content()) write(piece)
 * ```
 */
export class TarReader {
  readonly #bytes: ByteReader
  readonly #lenient: boolean
  #global: PaxRecords = new Map()
  /** Bytes of the content that are left, and zeros behind it. */
  #left = 0
  #padding = 0
  #read = 0

  /** `lenient`: an archive may end without its end mark, as some programs write it. What checks its length may say so. */
  constructor(source: ByteSource, { lenient = false }: { readonly lenient?: boolean } = {}) {
    this.#bytes = new ByteReader(source)
    this.#lenient = lenient
  }

  /** Bytes of the archive that have been read. */
  get position(): number {
    return this.#read
  }

  /** The next entry; what is left of the content of the one before is skipped. Throws {@link TareError} (`ERR_TARE_ARCHIVE`). */
  async next(): Promise<TarEntry | undefined> {
    await this.#finish()
    const own = new Map<string, string>()
    for (let first = true; ; first = false) {
      const block = await this.#exactly(TAR_BLOCK)
      if (block.length === 0 && first && this.#lenient) return undefined
      if (block.length === this.#read && block.length < TAR_BLOCK)
        throw wrong(
          block.length === 0 ? 'there is nothing in it' : 'it is no tar archive: those have at least 512 bytes',
        )
      if (block.length < TAR_BLOCK) throw wrong(CUT, 'Get it again: a part of it is missing.')
      if (isEnd(block)) {
        if (!first) throw wrong(CUT)
        await this.#bytes.drain()
        return undefined
      }
      const header = parseHeader(block)
      if (await this.#extended(header, own)) continue
      return this.#entry(header, block, own)
    }
  }

  /** The content of the entry that was read last, as it stands in the archive. */
  async *content(): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#left > 0) {
      const piece = await this.#bytes.some(this.#left)
      if (piece.length === 0) throw wrong(CUT, 'Get it again: a part of it is missing.')
      this.#left -= piece.length
      this.#read += piece.length
      yield piece
    }
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    await this.#bytes.close()
  }

  async #exactly(length: number): Promise<Uint8Array> {
    const bytes = await this.#bytes.exactly(length)
    this.#read += bytes.length
    return bytes
  }

  async #finish(): Promise<void> {
    const content = this.content()
    while ((await content.next()).done !== true);
    if ((await this.#exactly(this.#padding)).length < this.#padding) throw wrong(CUT)
    this.#padding = 0
  }

  async #body({ size }: TarHeader): Promise<Uint8Array> {
    if (size > LARGEST_HEADER) throw wrong('an extended header of it is too large')
    const bytes = await this.#exactly(padded(size))
    if (bytes.length < size) throw wrong(CUT)
    return bytes.subarray(0, size)
  }

  /** Takes what is no file but says something of those behind it. */
  async #extended(header: TarHeader, own: Map<string, string>): Promise<boolean> {
    switch (header.type) {
      case 'x':
        for (const [keyword, value] of parsePax(await this.#body(header))) own.set(keyword, value)
        return true
      case 'g':
        this.#global = new Map([...this.#global, ...parsePax(await this.#body(header))])
        return true
      case 'L':
      case 'K':
        own.set(
          header.type === 'L' ? 'path' : 'linkpath',
          without(Buffer.from(await this.#body(header)).toString('latin1')),
        )
        return true
      case 'V':
        await this.#body(header)
        return true
      default:
        return false
    }
  }

  async #entry(header: TarHeader, block: Uint8Array, own: PaxRecords): Promise<TarEntry> {
    const records = new Map([...this.#global, ...own])
    const entry = entryOf(header, records)
    if (entry.path === '' || entry.path.includes('\0') || entry.target.includes('\0'))
      throw wrong('a name in it is damaged')
    const next = (length: number): Promise<Uint8Array> => this.#exactly(length)
    this.#left = entry.size
    this.#padding = padded(entry.size) - entry.size
    if (header.type === 'S') return { ...entry, sparse: this.#checked(entry, await readOldSparse(block, next)) }
    const sparse = entry.type === 'file' ? await readPaxSparse(records, next) : undefined
    if (sparse === undefined) return entry
    if (sparse.length > entry.size) throw wrong('the map of a sparse file is damaged')
    this.#left -= sparse.length
    const path = sparse.path === '' ? entry.path : sparse.path
    const size = entry.size - sparse.length
    return { ...entry, path, size, sparse: this.#checked({ ...entry, size }, sparse) }
  }

  #checked({ size }: TarEntry, sparse: NonNullable<TarEntry['sparse']>): NonNullable<TarEntry['sparse']> {
    const { extents } = sparse
    if (extents.reduce((sum, { length }) => sum + length, 0) !== size)
      throw wrong('the map of a sparse file is damaged')
    return { extents, size: sparse.size }
  }
}
