import type { Duplex } from 'node:stream'
import { pipeline, Readable } from 'node:stream'
import { constants, createGunzip, createGzip } from 'node:zlib'
import { TareError } from '../linux/error.ts'
import type { ByteSource } from './tar/byte-reader.ts'

/** How an archive is made smaller. */
export type Compression = 'none' | 'gzip' | 'zstd'

/** What turns bytes into others as they come. */
export type Transform = (source: ByteSource) => ByteSource

/** What Node itself can't do: a program of the host's does. */
export interface Zstd {
  readonly compress: Transform
  readonly decompress: Transform
}

/** By what its first bytes are, an archive is known to be compressed (RFC 1952, RFC 8878). */
const MAGICS: readonly (readonly [kind: Compression | 'bzip2' | 'xz', bytes: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
]

const MAGIC_LENGTH = 6

/** Passes bytes through a stream of Node's. */
async function* through(source: ByteSource, transform: Duplex): AsyncGenerator<Uint8Array, void, undefined> {
  // A failure of either is what reading throws.
  pipeline(Readable.from(source, { objectMode: false }), transform, () => undefined)
  try {
    for await (const piece of transform) if (piece instanceof Uint8Array) yield piece
  } finally {
    transform.destroy()
  }
}

const gunzip: Transform = async function* (source) {
  try {
    yield* through(source, createGunzip())
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!code.startsWith('Z_')) throw error
    const hint = 'Get it again: a part of it is missing or wrong.'
    const reason = 'it is damaged, or cut off'
    throw new TareError({ operation: 'read the archive', code: 'ERR_TARE_ARCHIVE', reason, hint, cause: error })
  }
}

/** The bytes, compressed. */
export const compress = (source: ByteSource, how: Compression, zstd: Zstd): ByteSource => {
  if (how === 'none') return source
  return how === 'zstd'
    ? zstd.compress(source)
    : through(source, createGzip({ level: constants.Z_DEFAULT_COMPRESSION }))
}

/** The bytes that were compressed; `how` is what they are said to be. */
export const decompress = (source: ByteSource, how: Compression, zstd: Zstd): ByteSource => {
  if (how === 'none') return source
  return how === 'zstd' ? zstd.decompress(source) : gunzip(source)
}

/** The pieces that were taken off, and then the rest. */
async function* putBack(
  pieces: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* pieces
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

/** The bytes as they were before they were compressed, by whatever they show that they are. Throws {@link TareError} for what is not known. */
export async function* decompressAny(source: ByteSource, zstd: Zstd): AsyncGenerator<Uint8Array, void, undefined> {
  const rest = source[Symbol.asyncIterator]()
  const pieces: Uint8Array[] = []
  for (let length = 0; length < MAGIC_LENGTH;) {
    const { done, value } = await rest.next()
    if (done === true) break
    pieces.push(value)
    length += value.length
  }
  const head = Buffer.concat(pieces)
  const [kind = 'none'] = MAGICS.find(([, magic]) => magic.every((byte, at) => head[at] === byte)) ?? []
  if (kind === 'bzip2' || kind === 'xz')
    throw new TareError({
      operation: 'read the archive',
      code: 'ERR_TARE_ARCHIVE',
      reason: `it is compressed by ${kind}`,
      hint: `Pass it through: ${kind} -dc FILE | tare import - DIR.`,
    })
  yield* decompress(putBack(pieces, rest), kind, zstd)
}
