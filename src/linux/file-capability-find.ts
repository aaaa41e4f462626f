import type { Dirent } from 'node:fs'
import { closeSync, readdirSync } from 'node:fs'

import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from './fcntl.ts'
import type { StoredFileCapabilities } from './file-capability.ts'
import { FILE_CAPABILITY_XATTR } from './file-capability.ts'
import { clearHeldCapabilities, heldCapabilities, READ } from './held-file-capability.ts'
import { fileType } from './file-type.ts'
import { HeldFile } from './held-file.ts'
import { encodeOpenHow, OPEN_HOW_SIZE, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV } from './open-how.ts'
import { fromNodeError } from './proc.ts'
import { syscall, trySyscall } from './syscall.ts'

export interface FindFileCapabilitiesOptions {
  /** Whether what is mounted below is gone through, too. */
  readonly otherFileSystems?: boolean | undefined
}

/** A file that has capabilities; or one or a directory that couldn't be looked at, and why. */
export type FoundFileCapabilities =
  | { readonly path: string; readonly capabilities: StoredFileCapabilities }
  | { readonly path: string; readonly error: TareError }

type Held = { readonly file: HeldFile } | { readonly path: string; readonly error: TareError }

const [ENOENT, EXDEV, ENODATA, EOPNOTSUPP, ENOSYS, EPERM] = [
  'ENOENT',
  'EXDEV',
  'ENODATA',
  'EOPNOTSUPP',
  'ENOSYS',
  'EPERM',
].map((name) => ERRNO[name])

const join = (directory: string, name: Buffer): string => `${directory.replace(/\/$/, '')}/${name.toString()}`

const NUL = Buffer.alloc(1)

/** Names need not be UTF-8, so they are handed on as the bytes they are. */
const terminated = (name: Buffer): Buffer => Buffer.concat([name, NUL])

const magicPath = (fd: number, name: Buffer): Buffer => Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name, NUL])

/**
 * What is in a directory that is held: nothing if it has been removed meanwhile. A letter of a name stands for a byte:
 * as buffers, Bun gives names without types.
 */
const entriesOf = (fd: number, path: string): readonly Dirent[] | TareError => {
  try {
    const entries = readdirSync(`/proc/self/fd/${fd}`, { withFileTypes: true, encoding: 'latin1' })
    // Node sorts them, Bun doesn't.
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    const worded = fromNodeError(error, READ, path)
    return worded.errno === ENOENT ? [] : worded
  }
}

/** Goes through directories, each by the descriptor of the one above: no path is resolved twice. */
class Walk {
  readonly #openHow: Uint8Array
  /** A name, and a `struct xattr_args` without room for a value (linux/xattr.h). */
  readonly #attribute = [FILE_CAPABILITY_XATTR, new Uint8Array(16), 16] as const
  /** The call came with Linux 6.13, and spares the way through /proc. */
  #hasGetxattrat = true

  constructor({ otherFileSystems = false }: FindFileCapabilitiesOptions) {
    const resolve = RESOLVE_NO_SYMLINKS | (otherFileSystems ? 0 : RESOLVE_NO_XDEV)
    this.#openHow = encodeOpenHow({ flags: O_RDONLY | O_DIRECTORY | O_CLOEXEC, resolve })
  }

  /** The files with capabilities in a directory and all below it. Takes the descriptor over. */
  *directory(fd: number, path: string): Generator<Held> {
    try {
      const entries = entriesOf(fd, path)
      if (entries instanceof TareError) yield { path, error: entries }
      else
        for (const entry of entries) {
          const name = Buffer.from(entry.name, 'latin1')
          if (entry.isDirectory()) yield* this.#below(fd, name, path)
          else if (entry.isFile()) yield* this.#file(fd, name, path)
        }
    } finally {
      closeSync(fd)
    }
  }

  *#below(fd: number, name: Buffer, above: string): Generator<Held> {
    const below = trySyscall('openat2', fd, terminated(name), this.#openHow, OPEN_HOW_SIZE)
    const path = join(above, name)
    if (below >= 0) yield* this.directory(below, path)
    else if (-below !== ENOENT && -below !== EXDEV) yield failed(path, 'openat2', -below)
  }

  *#file(fd: number, name: Buffer, above: string): Generator<Held> {
    const result = this.#ask(fd, name)
    if (result >= 0) yield* hold(join(above, name), fd, terminated(name))
    else if (![ENODATA, EOPNOTSUPP, ENOENT].includes(-result)) yield failed(join(above, name), 'getxattr', -result)
  }

  /** The size of the attribute of a file, itself; or the errno as a negative number. */
  #ask(fd: number, name: Buffer): number {
    if (this.#hasGetxattrat) {
      const size = trySyscall('getxattrat', fd, terminated(name), AT_SYMLINK_NOFOLLOW, ...this.#attribute)
      // Filters of system calls refuse with EPERM what they don't know.
      if (-size !== ENOSYS && -size !== EPERM) return size
      this.#hasGetxattrat = false
    }
    return trySyscall('lgetxattr', magicPath(fd, name), FILE_CAPABILITY_XATTR, null, 0)
  }
}

const failed = (path: string, call: string, errno: number): Held => ({
  path,
  error: new TareError({
    operation: READ,
    target: path,
    syscall: call,
    errno,
    hint: errno === ERRNO['EOVERFLOW'] ? 'Their root id means nothing in this user namespace.' : undefined,
  }),
})

/** The file, held; nothing if it has gone. */
const hold = function* (path: string, dirfd: number, name: Uint8Array): Generator<Held> {
  try {
    yield { file: new HeldFile(READ, path, dirfd, name) }
  } catch (error) {
    if (!(error instanceof TareError)) throw error
    if (error.errno !== ENOENT) yield { path, error }
  }
}

/** Whoever takes a file from it must close that. */
const held = function* (path: string, options: FindFileCapabilitiesOptions): Generator<Held> {
  if (fileType(path, { follow: false }) !== 'directory') {
    yield { file: new HeldFile(READ, path) }
    return
  }
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
  const fd = syscall({ operation: READ, target: path }, 'openat', AT_FDCWD, path, flags, 0)
  yield* new Walk(options).directory(fd, path)
}

/**
 * Every regular file with capabilities at or below a path, in no order. Symbolic links aren't followed, and mounts below
 * it left out unless they are asked for. What couldn't be looked at comes with its error, and the search goes on.
 *
 * @throws TareError where the path itself can't be looked at.
 */
export function* findFileCapabilities(
  path: string,
  options: FindFileCapabilitiesOptions = {},
): Generator<FoundFileCapabilities> {
  for (const found of held(path, options)) {
    if ('error' in found) yield found
    else yield* read(found.file)
  }
}

const read = function* (file: HeldFile): Generator<FoundFileCapabilities> {
  const { path } = file
  try {
    const capabilities = heldCapabilities(file)
    if (capabilities !== undefined) yield { path, capabilities }
  } catch (error) {
    if (!(error instanceof TareError)) throw error
    yield { path, error }
  } finally {
    file.close()
  }
}

/**
 * Takes the capabilities of every file that {@link findFileCapabilities} finds, and returns which those were: of all, or
 * of none if one of them, or something below the paths, can't be looked at or changed. It takes CAP_SETFCAP.
 */
export const clearFileCapabilitiesBelow = (
  paths: readonly string[],
  options: FindFileCapabilitiesOptions = {},
): readonly string[] => {
  const files: HeldFile[] = []
  try {
    for (const path of paths) {
      for (const found of held(path, options)) {
        if ('error' in found) throw found.error
        files.push(found.file)
      }
    }
    const had = clearHeldCapabilities(files)
    return files.filter((_, index) => had[index]).map((file) => file.path)
  } finally {
    for (const file of files) file.close()
  }
}
