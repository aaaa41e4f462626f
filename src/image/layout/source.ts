import { closeSync, constants, createReadStream, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../linux/error.ts'
import { fromNodeError } from '../../linux/proc.ts'
import type { ByteSource } from '../tar/byte-reader.ts'
import { TarReader } from '../tar/reader.ts'

/** The files of an image layout, wherever they are. Close it. */
export interface LayoutSource {
  /** What it is called in errors. */
  readonly name: string
  /** The bytes of a file, by its path in the layout; undefined where there is none. */
  readonly open: (path: string) => ByteSource | undefined
  readonly close: () => void
}

const PIECE = 256 << 10

async function* pieces(
  fd: number,
  from: number,
  length: number,
  end: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (let at = 0; at < length;) {
      const buffer = Buffer.allocUnsafe(Math.min(PIECE, length - at))
      const count = readSync(fd, buffer, 0, buffer.length, from + at)
      if (count === 0) return
      at += count
      yield buffer.subarray(0, count)
    }
  } finally {
    end()
  }
}

/** A layout in a directory. Its files are opened without following a link at the end. */
export const directoryLayout = (directory: string): LayoutSource => {
  // What is opened may never be read.
  const opened = new Set<number>()
  const close = (fd: number): void => {
    if (opened.delete(fd)) closeSync(fd)
  }
  return {
    name: directory,
    open: (path) => {
      let fd: number
      try {
        fd = openSync(join(directory, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
      } catch (error) {
        const wrong = fromNodeError(error, 'read', join(directory, path))
        if (wrong.code === 'ENOENT') return undefined
        throw wrong
      }
      opened.add(fd)
      const status = fstatSync(fd)
      if (status.isFile()) return pieces(fd, 0, status.size, () => close(fd))
      close(fd)
      throw new InputError({ operation: 'use', target: join(directory, path), reason: 'it is no regular file' })
    },
    close: () => [...opened].forEach(close),
  }
}

/** A layout in an archive (skopeo's `oci-archive`): where each file is in it is noted once, and read from there. */
export const archiveLayout = async (file: string): Promise<LayoutSource> => {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch (error) {
    throw fromNodeError(error, 'read', file)
  }
  const places = new Map<string, { readonly at: number; readonly size: number }>()
  try {
    const reader = new TarReader(createReadStream(file, { fd, autoClose: false, start: 0, highWaterMark: PIECE }), {
      lenient: true,
    })
    for (let entry = await reader.next(); entry !== undefined; entry = await reader.next())
      if (entry.type === 'file' && entry.sparse === undefined)
        places.set(entry.path.replace(/^(?:\.\/)+/, ''), { at: reader.position, size: entry.size })
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return {
    name: file,
    open: (path) => {
      const place = places.get(path)
      return place === undefined ? undefined : pieces(fd, place.at, place.size, () => undefined)
    },
    close: () => closeSync(fd),
  }
}
