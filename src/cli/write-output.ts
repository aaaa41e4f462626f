import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Writes bytes to standard output as fast as whoever reads takes them. Throws what the source throws. */
export const writeOutput = async (source: AsyncIterable<Uint8Array>): Promise<void> =>
  pipeline(Readable.from(source, { objectMode: false }), process.stdout)
