import { Buffer } from 'node:buffer'
import type { Readable } from 'node:stream'

/** What was read of a stream, up to a limit. */
export interface Collected {
  readonly bytes: Buffer
  readonly truncated: boolean
}

/** Reads a stream to its end, and calls `overflow` once if there is more than `limit` bytes; the rest is dropped. */
export const collect = (stream: Readable, limit: number, overflow: () => void): Promise<Collected> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    let truncated = false
    stream.on('data', (chunk: Buffer) => {
      const room = limit - size
      if (chunk.length > room && !truncated) {
        truncated = true
        overflow()
      }
      if (room <= 0) return
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk
      chunks.push(part)
      size += part.length
    })
    const end = (): void => resolve({ bytes: Buffer.concat(chunks, size), truncated })
    stream.once('close', end)
    // A terminal ends with an error (EIO): what came before counts.
    stream.once('error', end)
  })

/** The lines of a stream, without their ends; a line longer than `limit` bytes comes in pieces. Read as asked for. */
export const linesOf = async function* (stream: Readable, limit: number): AsyncGenerator<string, void, undefined> {
  let rest = Buffer.alloc(0)
  for await (const chunk of stream) {
    const piece: Buffer = chunk
    let bytes = Buffer.concat([rest, piece])
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      yield bytes.toString('utf8', 0, end)
      bytes = bytes.subarray(end + 1)
    }
    for (; bytes.length > limit; bytes = bytes.subarray(limit)) yield bytes.toString('utf8', 0, limit)
    rest = bytes
  }
  if (rest.length > 0) yield rest.toString('utf8')
}
