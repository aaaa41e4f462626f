import { createHash, randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fromNodeError } from '../../linux/proc.ts'
import type { ByteSource } from '../tar/byte-reader.ts'
import type { Digest } from './digest.ts'
import { Meter } from './digest.ts'
import type { Descriptor } from './types.ts'
import { INDEX } from './types.ts'

/** image-spec, image-layout.md. */
const LAYOUT_VERSION = '1.0.0'

/** Writes an image layout into a directory that is empty (image-spec, image-layout.md). Throws {@link TareError}. */
export class LayoutWriter {
  readonly #directory: string
  readonly #blobs: string

  constructor(directory: string) {
    this.#directory = directory
    this.#blobs = join(directory, 'blobs/sha256')
    this.#try(() => mkdirSync(this.#blobs, { recursive: true }))
  }

  #try<T>(action: () => T): T {
    try {
      return action()
    } catch (error) {
      const hints = { ENOSPC: 'Make room there; nothing is left of this try.' }
      throw fromNodeError(error, 'write the image to', this.#directory, hints)
    }
  }

  /** Stores bytes under the digest that they have. */
  async add(source: ByteSource, mediaType: string): Promise<Descriptor> {
    const part = join(this.#blobs, `.${randomBytes(6).toString('hex')}`)
    const meter = new Meter()
    const fd = this.#try(() => openSync(part, 'wx'))
    try {
      for await (const piece of meter.pass(source))
        this.#try(() => {
          for (let at = 0; at < piece.length;) at += writeSync(fd, piece, at)
        })
    } finally {
      closeSync(fd)
    }
    return this.#name(part, meter, mediaType)
  }

  #name(
    part: string,
    { digest, size }: { readonly digest: Digest; readonly size: number },
    mediaType: string,
  ): Descriptor {
    this.#try(() => renameSync(part, join(this.#blobs, digest.slice('sha256:'.length))))
    return { mediaType, digest, size }
  }

  /** Stores a document. */
  addJson(value: unknown, mediaType: string): Descriptor {
    const bytes = Buffer.from(JSON.stringify(value))
    const hex = createHash('sha256').update(bytes).digest('hex')
    this.#try(() => writeFileSync(join(this.#blobs, hex), bytes))
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }

  /** Says which images there are: with that, the layout is complete. */
  finish(manifests: readonly Descriptor[]): void {
    const files = {
      'oci-layout': { imageLayoutVersion: LAYOUT_VERSION },
      'index.json': { schemaVersion: 2, mediaType: INDEX, manifests },
    }
    for (const [name, value] of Object.entries(files))
      this.#try(() => writeFileSync(join(this.#directory, name), JSON.stringify(value)))
  }
}
