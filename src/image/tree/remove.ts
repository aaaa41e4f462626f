import { closeSync } from 'node:fs'
import { TareError } from '../../linux/error.ts'
import { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from '../../linux/fcntl.ts'
import { fileDetails, nameBytes } from '../../linux/file-details.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { namesIn, openIn, shown } from './names.ts'
import { isDirectory } from './walk.ts'

const AT_REMOVEDIR = 0x200

/** Removes a file, or a directory with all that is in it, from an open directory. It goes by descriptors. unlinkat(2) */
export const removeIn = (dirfd: number, name: string, path: string): void => {
  const there = fileDetails(dirfd, name)
  if (there === undefined) return
  const directory = isDirectory(there)
  if (directory) {
    const fd = openIn(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 'remove', path)
    try {
      for (const below of namesIn(fd, path)) removeIn(fd, below, `${path}/${shown(below)}`)
    } finally {
      closeSync(fd)
    }
  }
  const result = trySyscall('unlinkat', dirfd, nameBytes(name), directory ? AT_REMOVEDIR : 0)
  if (result < 0) throw new TareError({ operation: 'remove', target: path, syscall: 'unlinkat', errno: -result })
}
