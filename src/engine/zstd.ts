import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { TareError } from '../linux/error.ts'
import type { Zstd } from '../image/compression.ts'
import type { ByteSource } from '../image/tar/byte-reader.ts'
import { findProgram } from './bootstrap/find-program.ts'
import { launch } from './launch.ts'

/** Why its input went away: it says itself. */
const isGone = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  ['ERR_STREAM_PREMATURE_CLOSE', 'EPIPE', 'ECONNRESET'].includes(String(error.code))

async function* filter(
  source: ByteSource,
  words: readonly string[],
  operation: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const found = findProgram(['zstd'])
  if (found === undefined)
    throw new TareError({
      operation,
      code: 'ERR_TARE_ENGINE',
      reason: 'zstd(1) is not installed, and Node has no zstd of its own',
      hint: 'Install it (package zstd), or use gzip.',
    })
  const program = launch([found.path, ...words], { buffer: false, stdin: 'pipe', parentDeathSignal: 'SIGKILL' })
  const said: Uint8Array[] = []
  const listen = async (): Promise<void> => {
    if (program.stderr !== undefined)
      for await (const piece of program.stderr) if (piece instanceof Uint8Array) said.push(piece)
  }
  const feed = async (): Promise<unknown> => {
    try {
      if (program.stdin !== undefined) await pipeline(Readable.from(source, { objectMode: false }), program.stdin)
      return undefined
    } catch (error) {
      return isGone(error) ? undefined : error
    }
  }
  const outcome = Promise.all([program, feed(), listen()])
  // Where it fails while nobody waits for it yet, reading its output ends, and it is waited for.
  outcome.catch(() => undefined)
  let complete = false
  try {
    if (program.stdout !== undefined)
      for await (const piece of program.stdout) if (piece instanceof Uint8Array) yield piece
    complete = true
  } finally {
    if (!complete) program.kill('SIGKILL')
  }
  const [{ exitCode }, wrong] = await outcome
  if (wrong !== undefined) throw wrong
  if (exitCode === 0) return
  const reason = Buffer.concat(said)
    .toString()
    .trim()
    .split('\n')
    .at(-1)
    ?.replace(/^zstd: /, '')
  throw new TareError({ operation, code: 'ERR_TARE_ARCHIVE', reason: `zstd says: ${reason ?? 'nothing'}` })
}

/** By zstd(1), on all processors: no Node that is supported has it built in. */
export const zstd: Zstd = {
  compress: (source) => filter(source, ['-q', '-T0', '-c'], 'compress'),
  decompress: (source) => filter(source, ['-q', '-dc'], 'read the archive'),
}
