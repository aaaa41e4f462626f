/** Where bytes come from, in pieces. */
export type ByteSource = AsyncIterable<Uint8Array>

/** Reads bytes that come in pieces of any size, in pieces of the size that is needed. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>
  #piece: Uint8Array = new Uint8Array()

  constructor(source: ByteSource) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next piece, at most so long; empty at the end. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#piece.length === 0) {
      const { done, value } = await this.#source.next()
      if (done === true) return this.#piece
      this.#piece = value
    }
    const piece = this.#piece.subarray(0, most)
    this.#piece = this.#piece.subarray(piece.length)
    return piece
  }

  /** So many bytes; fewer only at the end. */
  async exactly(length: number): Promise<Uint8Array> {
    const first = await this.some(length)
    if (first.length === length) return first
    const pieces = [first]
    for (let left = length - first.length; left > 0;) {
      const piece = await this.some(left)
      if (piece.length === 0) break
      pieces.push(piece)
      left -= piece.length
    }
    return Buffer.concat(pieces)
  }

  /** Reads on to the end, and forgets it. */
  async drain(): Promise<void> {
    while ((await this.some(Number.MAX_SAFE_INTEGER)).length > 0);
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }
}
