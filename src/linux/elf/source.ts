import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** The bytes of a file, read where they are needed. */
export interface ByteSource {
  /** In bytes. */
  readonly size: number
  /** So many bytes from an offset on; fewer where the file ends. */
  readonly read: (offset: number, length: number) => Uint8Array
}

/** Bytes that are in memory. */
export const memorySource = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: (offset, length) => bytes.subarray(offset, offset + length),
})

/** Opens a file for as long as `use` takes. Throws the errors of node:fs. */
export const withFileSource = <T>(path: string, use: (source: ByteSource) => T): T => {
  const fd = openSync(path, 'r')
  try {
    const read = (offset: number, length: number): Uint8Array => {
      const buffer = new Uint8Array(length)
      let got = 0
      while (got < length) {
        const count = readSync(fd, buffer, got, length - got, offset + got)
        if (count === 0) break
        got += count
      }
      return buffer.subarray(0, got)
    }
    return use({ size: fstatSync(fd).size, read })
  } finally {
    closeSync(fd)
  }
}
