import { closeSync } from 'node:fs'
import { TareError } from '../../linux/error.ts'
import { O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY } from '../../linux/fcntl.ts'
import type { FileDetails } from '../../linux/file-details.ts'
import { fileDetails } from '../../linux/file-details.ts'
import { S_IFDIR, S_IFMT } from '../../linux/file-status.ts'
import { namesIn, openIn, shown } from './names.ts'

/** A file of a tree that is walked. */
export interface TreeEntry {
  /** Its path from the top, each character a byte: `etc/passwd`; empty for the top itself. */
  readonly path: string
  /** The directory that it is in, open, and its name there. */
  readonly dirfd: number
  readonly name: string
  /** Itself, opened with O_PATH: what is behind it stays the same, whatever takes its name. */
  readonly fd: number
  readonly details: FileDetails
}

export const isDirectory = ({ mode }: FileDetails): boolean => (mode & S_IFMT) === S_IFDIR

/**
 * Every file of a tree, a directory before what is in it, in the order of their bytes; not what is mounted in it: of
 * that the empty directory. It goes by descriptors, so nothing that is renamed meanwhile leads out of the tree. What is
 * open in an entry is so until the next one is asked for. `top` is an open directory.
 */
export function* walkTree(top: number): Generator<TreeEntry, void, undefined> {
  const details = fileDetails(top, '')
  if (details === undefined) throw new TareError({ operation: 'look at', target: 'the tree', code: 'ENOENT' })
  yield { path: '', dirfd: top, name: '.', fd: top, details }
  yield* walkBelow(top, '', details.mount)
}

function* walkBelow(dirfd: number, above: string, mount: bigint): Generator<TreeEntry, void, undefined> {
  for (const name of namesIn(dirfd, above === '' ? 'the tree' : shown(above))) {
    const path = above === '' ? name : `${above}/${name}`
    const fd = openIn(dirfd, name, O_PATH | O_NOFOLLOW, 0, 'read', shown(path))
    try {
      const details = fileDetails(fd, '')
      if (details === undefined) continue
      yield { path, dirfd, name, fd, details }
      if (!isDirectory(details) || details.mount !== mount) continue
      const below = openIn(fd, '.', O_RDONLY | O_DIRECTORY, 0, 'read', shown(path))
      try {
        yield* walkBelow(below, path, mount)
      } finally {
        closeSync(below)
      }
    } finally {
      closeSync(fd)
    }
  }
}
