import { Buffer } from 'node:buffer'
import type { Readable } from 'node:stream'

/** What was read of a stream, up to a limit. */
export interface Collected {
  readonly bytes: Buffer
  readonly truncated: boolean
}

/** Keeps up to `limit` bytes, and calls `overflow` once if there is more; the rest is dropped. */
export class Collector {
  readonly #limit: number
  readonly #overflow: () => void
  readonly #chunks: Buffer[] = []
  #size = 0
  #truncated = false

  constructor(limit: number, overflow: () => void) {
    this.#limit = limit
    this.#overflow = overflow
  }

  /** Takes the bytes over. */
  add(chunk: Buffer): void {
    const room = this.#limit - this.#size
    if (chunk.length > room && !this.#truncated) {
      this.#truncated = true
      this.#overflow()
    }
    if (room <= 0) return
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk
    this.#chunks.push(part)
    this.#size += part.length
  }

  get result(): Collected {
    return { bytes: Buffer.concat(this.#chunks, this.#size), truncated: this.#truncated }
  }
}

/** Reads a stream to its end into a {@link Collector}. */
export const collect = (stream: Readable, limit: number, overflow: () => void): Promise<Collected> =>
  new Promise((resolve) => {
    const collector = new Collector(limit, overflow)
    stream.on('data', (chunk: Buffer) => collector.add(chunk))
    const end = (): void => resolve(collector.result)
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
