import type { ByteSource } from '../image/tar/byte-reader.ts'
import type { CopyProgress } from './export-options.ts'

/** Milliseconds between two reports of progress, at least. */
export const REPORT_INTERVAL = 150

/** Tells how many bytes have passed. */
export async function* reported(
  source: ByteSource,
  report: ((progress: CopyProgress) => void) | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0
  let last = Number.NEGATIVE_INFINITY
  for await (const piece of source) {
    bytes += piece.length
    if (report !== undefined && performance.now() - last >= REPORT_INTERVAL) {
      last = performance.now()
      report({ bytes })
    }
    yield piece
  }
}
