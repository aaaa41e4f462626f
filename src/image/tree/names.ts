import { readdirSync, readlinkSync } from 'node:fs'
import { ERRNO } from '../../linux/errno.ts'
import { TareError } from '../../linux/error.ts'
import { O_CLOEXEC } from '../../linux/fcntl.ts'
import { nameBytes } from '../../linux/file-details.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { trySyscall } from '../../linux/syscall.ts'

/** A name whose characters are bytes, for people to read. */
export const shown = (name: string): string => Buffer.from(name, 'latin1').toString()

/** A file in an open directory as a path, for calls that take no descriptor; the name isn't followed there. */
export const pathIn = (dirfd: number, name: string): Buffer => Buffer.from(`/proc/self/fd/${dirfd}/${name}`, 'latin1')

/** The names in an open directory, in the order of their bytes. */
export const namesIn = (fd: number, path: string): readonly string[] => {
  try {
    return readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' }).toSorted()
  } catch (error) {
    throw fromNodeError(error, 'list', path)
  }
}

/** What a symbolic link in an open directory says. */
export const linkIn = (dirfd: number, name: string, path: string): string => {
  try {
    return readlinkSync(pathIn(dirfd, name), { encoding: 'latin1' })
  } catch (error) {
    throw fromNodeError(error, 'read the link', path)
  }
}

/** Opens a file in an open directory; links at the end are the caller's flags' matter. Close it. */
export const openIn = (
  dirfd: number,
  name: string,
  flags: number,
  mode: number,
  operation: string,
  path: string,
): number => {
  const fd = trySyscall('openat', dirfd, nameBytes(name), flags | O_CLOEXEC, mode)
  if (fd >= 0) return fd
  throw new TareError({ operation, target: path, syscall: 'openat', errno: -fd, hint: HINTS.get(-fd) })
}

const HINTS: ReadonlyMap<number, string> = new Map([
  [ERRNO['ENOSPC'] ?? 0, 'Make room there; nothing is left of this try.'],
  [ERRNO['EDQUOT'] ?? 0, 'Make room there; nothing is left of this try.'],
  [ERRNO['EACCES'] ?? 0, 'This user may not do that: whoever made the system may.'],
])
