import { createHash } from 'node:crypto'
import { TareError } from '../../linux/error.ts'
import type { ByteSource } from '../tar/byte-reader.ts'

/** `sha256:` and 64 digits (image-spec, descriptor.md, "Digests"). */
export type Digest = `sha256:${string}`

export const isDigest = (text: string): text is Digest => /^sha256:[0-9a-f]{64}$/.test(text)

/** Counts and hashes what passes. */
export class Meter {
  readonly #hash = createHash('sha256')
  #size = 0
  #digest: Digest | undefined

  get size(): number {
    return this.#size
  }

  /** Of all that has passed; nothing may pass any more then. */
  get digest(): Digest {
    this.#digest ??= `sha256:${this.#hash.digest('hex')}`
    return this.#digest
  }

  take(piece: Uint8Array): void {
    this.#hash.update(piece)
    this.#size += piece.length
  }

  async *pass(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of source) {
      this.take(piece)
      yield piece
    }
  }
}

/** What bytes are said to be. */
export interface Expected {
  readonly digest: Digest
  /** Bytes. */
  readonly size?: number | undefined
}

/** Passes bytes on, and throws at the end, or at once where there are too many, if they are others than is said. */
export async function* verified(
  source: ByteSource,
  { digest, size }: Expected,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const meter = new Meter()
  const refuse = (reason: string): TareError =>
    new TareError({
      operation: 'use',
      target: `${what} ${digest}`,
      code: 'ERR_TARE_DIGEST',
      reason,
      hint: 'It is damaged, or somebody has changed it: get it again.',
    })
  for await (const piece of source) {
    meter.take(piece)
    if (size !== undefined && meter.size > size) throw refuse(`it is larger than the ${size} bytes that are said`)
    yield piece
  }
  if (size !== undefined && meter.size < size)
    throw refuse(`it has ${meter.size} bytes, and not the ${size} that are said`)
  if (meter.digest !== digest) throw refuse(`its digest is ${meter.digest}`)
}
