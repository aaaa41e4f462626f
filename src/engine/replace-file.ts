import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InputError } from '../linux/error.ts'
import { fromNodeError } from '../linux/proc.ts'
import type { ByteSource } from '../image/tar/byte-reader.ts'

/** Writes a file so that there is all of it or what was there before. */
export const replaceFile = async (path: string, source: ByteSource): Promise<void> => {
  const part = join(dirname(path), `.${basename(path)}.tare-${randomBytes(6).toString('hex')}`)
  const wrong = (error: unknown): Error =>
    fromNodeError(error, 'write', path, { ENOSPC: 'Make room there; nothing is left of this try.' })
  let fd: number
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new InputError({ operation: 'write', target: path, reason: 'there is a directory of that name' })
    // Whatever is in a system, its shadow file among it, is nobody else's to read.
    fd = openSync(part, 'wx', 0o600)
  } catch (error) {
    throw error instanceof InputError ? error : wrong(error)
  }
  try {
    try {
      for await (const piece of source) for (let at = 0; at < piece.length;) at += writePiece(fd, piece, at, wrong)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(part, path)
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  }
}

const writePiece = (fd: number, piece: Uint8Array, at: number, wrong: (error: unknown) => Error): number => {
  try {
    return writeSync(fd, piece, at)
  } catch (error) {
    throw wrong(error)
  }
}
