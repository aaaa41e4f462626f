import { TareError } from '../../linux/error.ts'
import type { TarEntry, TarType } from './entry.ts'
import { TAR_BLOCK } from './entry.ts'
import type { PaxRecords } from './pax.ts'
import { encodePax, formatPaxTime } from './pax.ts'

const wrong = (reason: string): TareError =>
  new TareError({ operation: 'read the archive', code: 'ERR_TARE_ARCHIVE', reason })

/** Where the fields of a header are: offset and length (pax(1), "ustar Interchange Format"). */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const

type Field = keyof typeof FIELDS

/** The letter of each type. */
const LETTERS: Readonly<Record<TarType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

const LARGEST_SIZE = 0o77777777777
const LARGEST_ID = 0o7777777
const SECOND = 1_000_000_000n

/** Extended attributes, as star(1), GNU tar, libarchive and the OCI's image-spec (layer.md) write them. */
export const XATTR = 'SCHILY.xattr.'

/** A header as it stands in the archive. */
export interface TarHeader {
  /** One letter; `0` for a NUL, as it was written long ago. */
  readonly type: string
  readonly path: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Seconds. */
  readonly mtime: number
  readonly target: string
  readonly major: number
  readonly minor: number
}

const checksum = (block: Uint8Array): number => {
  const [begin, length] = FIELDS.checksum
  let sum = 0
  // The checksum counts as if it were blanks.
  for (let at = 0; at < TAR_BLOCK; at++) sum += at >= begin && at < begin + length ? 0x20 : (block[at] ?? 0)
  return sum
}

const field = (block: Uint8Array, name: Field): Uint8Array => {
  const [begin, length] = FIELDS[name]
  return block.subarray(begin, begin + length)
}

/** Bytes up to a NUL. */
const textOf = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0)
  return Buffer.from(bytes.buffer, bytes.byteOffset, end < 0 ? bytes.length : end).toString('latin1')
}

/**
 * A number: octal digits, or, with the highest bit set, the bytes themselves, as GNU tar writes what is too large or
 * negative.
 */
export const parseTarNumber = (bytes: Uint8Array): number => {
  const [first = 0, ...rest] = bytes
  if ((first & 0x80) === 0) {
    const digits = textOf(bytes).trim()
    if (digits === '') return 0
    if (/^[0-7]+$/.test(digits)) return Number.parseInt(digits, 8)
    throw wrong('a number in it is damaged')
  }
  let value = BigInt(first & 0x7f)
  for (const byte of rest) value = (value << 8n) | BigInt(byte)
  const number = Number(BigInt.asIntN(8 * bytes.length - 1, value))
  if (Number.isSafeInteger(number)) return number
  throw wrong('a number in it is too large')
}

/** Whether a block is the end mark of an archive. */
export const isEnd = (block: Uint8Array): boolean => block.every((byte) => byte === 0)

const natural = (block: Uint8Array, name: Field): number => {
  const value = parseTarNumber(field(block, name))
  if (value >= 0) return value
  throw wrong(`a ${name} in it is negative`)
}

/** Reads a header: 512 bytes. Throws {@link TareError} (`ERR_TARE_ARCHIVE`) for what is none. */
export const parseHeader = (block: Uint8Array): TarHeader => {
  let sum: number | undefined
  try {
    sum = parseTarNumber(field(block, 'checksum'))
  } catch (error) {
    if (!(error instanceof TareError)) throw error
  }
  if (sum !== checksum(block)) throw wrong('it is no tar archive, or it is damaged: a header has a wrong checksum')
  const magic = textOf(field(block, 'magic'))
  const name = textOf(field(block, 'name'))
  // GNU tar (magic "ustar  ") has other things where ustar has the prefix.
  const prefix = magic === 'ustar' ? textOf(field(block, 'prefix')) : ''
  const letter = textOf(field(block, 'type'))
  return {
    type: letter === '' ? '0' : letter,
    path: prefix === '' ? name : `${prefix}/${name}`,
    mode: natural(block, 'mode') & 0o7777,
    uid: natural(block, 'uid'),
    gid: natural(block, 'gid'),
    size: natural(block, 'size'),
    mtime: parseTarNumber(field(block, 'mtime')),
    target: textOf(field(block, 'linkname')),
    major: natural(block, 'major'),
    minor: natural(block, 'minor'),
  }
}

/** What a type is called; undefined for letters that stand for no file. */
export const typeOf = ({ type, path }: TarHeader): TarType | undefined => {
  // Archives from before ustar know a directory by the slash at its end.
  if ((type === '0' || type === '7') && path.endsWith('/')) return 'directory'
  if (type === '7' || type === 'S') return 'file'
  if (type === 'D') return 'directory'
  return LETTER_TYPES.get(type)
}

const LETTER_TYPES: ReadonlyMap<string, TarType> = new Map(
  (['file', 'link', 'symlink', 'character', 'block', 'directory', 'fifo'] as const).map((type) => [
    LETTERS[type],
    type,
  ]),
)

const encodeHeader = (header: TarHeader): Uint8Array => {
  const block = new Uint8Array(TAR_BLOCK)
  const put = (name: Field, text: string): void =>
    void Buffer.from(block.buffer).write(text, FIELDS[name][0], FIELDS[name][1], 'latin1')
  const octal = (name: Field, value: number): void =>
    put(name, `${value.toString(8).padStart(FIELDS[name][1] - 1, '0')}\0`)
  put('name', header.path)
  octal('mode', header.mode)
  octal('uid', header.uid)
  octal('gid', header.gid)
  octal('size', header.size)
  octal('mtime', header.mtime)
  put('type', header.type)
  put('linkname', header.target)
  put('magic', 'ustar\u000000')
  octal('major', header.major)
  octal('minor', header.minor)
  put('checksum', `${checksum(block).toString(8).padStart(6, '0')}\0 `)
  return block
}

// oxlint-disable-next-line no-control-regex
const isAscii = (text: string): boolean => /^[\u0001-\u007f]*$/.test(text)

const isUtf8 = (text: string): boolean => {
  const bytes = Buffer.from(text, 'latin1')
  return bytes.equals(Buffer.from(bytes.toString('utf8'), 'utf8'))
}

/** What of an entry an old header has no room for, and what it can't say exactly. */
const recordsOf = (entry: TarEntry): PaxRecords => {
  const records = new Map<string, string>()
  const names = [
    ['path', entry.path],
    ['linkpath', entry.target],
  ] as const
  // Values are taken for UTF-8, unless it is said that they are just bytes.
  if (names.some(([, text]) => !isUtf8(text))) records.set('hdrcharset', 'BINARY')
  for (const [keyword, text] of names) if (text.length > FIELDS.name[1] || !isAscii(text)) records.set(keyword, text)
  if (entry.size > LARGEST_SIZE) records.set('size', String(entry.size))
  for (const keyword of ['uid', 'gid'] as const)
    if (entry[keyword] > LARGEST_ID) records.set(keyword, String(entry[keyword]))
  const { modified } = entry
  if (modified % SECOND !== 0n || modified < 0n || modified / SECOND > BigInt(LARGEST_SIZE))
    records.set('mtime', formatPaxTime(modified))
  for (const [name, value] of entry.xattrs) records.set(`${XATTR}${name}`, Buffer.from(value).toString('latin1'))
  return records
}

/** Zeros up to the next block. */
export const tarPadding = (size: number): Uint8Array => new Uint8Array((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK)

/** As a field of the old header takes it, if PAX says the truth. */
const clamp = (value: number, largest: number): number => (value > largest ? 0 : value)

/**
 * All that stands before the content of a file: its header, with a PAX extended header before it where that is needed.
 * What follows are `size` bytes, and {@link tarPadding}. pax(1)
 */
export const encodeEntry = (entry: TarEntry): Uint8Array => {
  const records = recordsOf(entry)
  const seconds = entry.modified / SECOND
  const header: TarHeader = {
    type: LETTERS[entry.type],
    path: entry.path.slice(0, FIELDS.name[1]),
    mode: entry.mode,
    uid: clamp(entry.uid, LARGEST_ID),
    gid: clamp(entry.gid, LARGEST_ID),
    size: clamp(entry.size, LARGEST_SIZE),
    mtime: seconds < 0n ? 0 : clamp(Number(seconds), LARGEST_SIZE),
    target: entry.target.slice(0, FIELDS.linkname[1]),
    major: clamp(entry.major, LARGEST_ID),
    minor: clamp(entry.minor, LARGEST_ID),
  }
  if (records.size === 0) return encodeHeader(header)
  const body = encodePax(records)
  const name = `PaxHeaders/${entry.path.replace(/\/$/, '').replace(/^.*\//, '')}`.slice(0, FIELDS.name[1])
  const extended = { ...header, type: 'x', path: name, mode: 0o644, size: body.length, target: '', major: 0, minor: 0 }
  return Buffer.concat([encodeHeader(extended), body, tarPadding(body.length), encodeHeader(header)])
}

/** What an archive ends with. */
export const TAR_END: Uint8Array = new Uint8Array(2 * TAR_BLOCK)
