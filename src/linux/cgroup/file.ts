import { readdirSync, statSync } from 'node:fs'
import { ERRNO } from '../errno.ts'
import { TareError } from '../error.ts'
import { trySyscall } from '../syscall.ts'

const AT_FDCWD = -100
const O_RDONLY = 0
const O_WRONLY = 1
const O_CLOEXEC = 0o2000000

/** Writes a control file by one write(2); 0, or the errno as a negative number. It never creates a file. */
export const tryWriteFile = (path: string, value: string): number => {
  const fd = trySyscall('openat', AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0)
  if (fd < 0) return fd
  const bytes = Buffer.from(value)
  const result = trySyscall('write', fd, bytes, bytes.length)
  trySyscall('close', fd)
  return result < 0 ? result : 0
}

/** The text of a control file, or the errno as a negative number. */
export const tryReadFile = (path: string): string | number => {
  const fd = trySyscall('openat', AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)
  if (fd < 0) return fd
  const parts: Buffer[] = []
  let result: number
  do {
    const buffer = Buffer.allocUnsafe(4096)
    result = trySyscall('read', fd, buffer, buffer.length)
    if (result > 0) parts.push(buffer.subarray(0, result))
  } while (result > 0)
  trySyscall('close', fd)
  return result < 0 ? result : Buffer.concat(parts).toString()
}

/** Errors by which the kernel says "this group has no such file": absent, going away, or switched off. */
const ABSENT: readonly number[] = ['ENOENT', 'ENODEV', 'EOPNOTSUPP'].map((name) => -(ERRNO[name] ?? 0))

/** The text of a control file; undefined if this group or this kernel doesn't have it. Throws {@link TareError}. */
export const readIfThere = (path: string): string | undefined => {
  const text = tryReadFile(path)
  if (typeof text === 'string') return text
  if (ABSENT.includes(text)) return undefined
  throw new TareError({ operation: 'read', target: path, syscall: 'read', errno: -text })
}

/** The text of a control file. Throws {@link TareError}. */
export const readFile = (path: string): string => {
  const text = tryReadFile(path)
  if (typeof text === 'string') return text
  throw new TareError({ operation: 'read', target: path, syscall: 'read', errno: -text })
}

/** Whether a negative result is this error. */
export const failedWith = (result: number, name: string): boolean => result === -(ERRNO[name] ?? 0)

/** Whether there is a directory of this path. */
export const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/**
 * The groups directly below one, as absolute paths. A directory of kernfs has a link for itself, its name and each
 * child, so most often no listing is needed.
 */
export const childGroups = (directory: string): readonly string[] => {
  const stat = statSync(directory, { throwIfNoEntry: false })
  if (stat === undefined || stat.nlink === 2) return []
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${directory}/${entry.name}`)
      .toSorted()
  } catch {
    return [] // it went between the two calls
  }
}
