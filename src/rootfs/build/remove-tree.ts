import { chmodSync, closeSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { O_DIRECTORY, O_NOFOLLOW, O_PATH } from '../../linux/fcntl.ts'
import { fromNodeError } from '../../linux/proc.ts'

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/**
 * Removes a directory with all below it. It goes by descriptors: whoever swaps a directory for a link meanwhile doesn't
 * lead it elsewhere. Nothing is done where there is none.
 */
export const removeTree = (path: string): void => {
  try {
    remove(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw fromNodeError(error, 'remove', path)
  }
}

const remove = (path: string): void => {
  const fd = openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)
  try {
    const here = `/proc/self/fd/${fd}`
    // Its owner may have no right to write to it, or even to read it.
    chmodSync(here, 0o700)
    for (const entry of readdirSync(here, { withFileTypes: true })) {
      const below = `${here}/${entry.name}`
      if (entry.isDirectory()) remove(below)
      else unlinkSync(below)
    }
  } finally {
    closeSync(fd)
  }
  rmdirSync(path)
}
