import { chmodSync, closeSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { O_DIRECTORY, O_NOFOLLOW, O_PATH } from '../../linux/fcntl.ts'
import { fromNodeError } from '../../linux/proc.ts'

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/**
 * Removes a directory that is open, with all below it. It goes by descriptors: whoever swaps a directory for a link or
 * for another one meanwhile doesn't lead it elsewhere. Of what is at `path` by then only an empty directory is removed;
 * where there is none, nothing.
 */
export const removeHeld = (fd: number, path: string): void => {
  try {
    empty(fd)
    rmdirSync(path)
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ENOTEMPTY'].includes(codeOf(error))) throw fromNodeError(error, 'remove', path)
  }
}

const empty = (fd: number): void => {
  const here = `/proc/self/fd/${fd}`
  // Its owner may have no right to write to it, or even to read it.
  chmodSync(here, 0o700)
  // Names are bytes, which need not be text: a letter stands for one. As buffers, Bun gives them without types.
  for (const entry of readdirSync(here, { withFileTypes: true, encoding: 'latin1' })) {
    const below = Buffer.concat([Buffer.from(`${here}/`), Buffer.from(entry.name, 'latin1')])
    if (entry.isDirectory()) remove(below)
    else unlinkSync(below)
  }
}

const remove = (path: Buffer): void => {
  const fd = openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)
  try {
    empty(fd)
  } finally {
    closeSync(fd)
  }
  rmdirSync(path)
}
