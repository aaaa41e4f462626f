import { closeSync, constants, openSync, readSync } from 'node:fs'
import { TareError } from '../../linux/error.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../../linux/file-status.ts'
import { pause } from '../../rootfs/build/pause.ts'
import type { TarEntry, TarType } from '../tar/entry.ts'
import { encodeEntry, TAR_END, tarPadding } from '../tar/header.ts'
import { xattrsOf } from './attributes.ts'
import { linkIn, shown } from './names.ts'
import type { TreeEntry } from './walk.ts'
import { walkTree } from './walk.ts'

const S_IFIFO = 0o010000

/** Sockets are none of an archive's: what listens at them isn't in it. */
const TYPES: ReadonlyMap<number, TarType> = new Map<number, TarType>([
  [S_IFREG, 'file'],
  [S_IFDIR, 'directory'],
  [S_IFLNK, 'symlink'],
  [S_IFCHR, 'character'],
  [S_IFBLK, 'block'],
  [S_IFIFO, 'fifo'],
])

export interface PackOptions {
  readonly signal?: AbortSignal | undefined
  /** Is told of what has no place in an archive: a sentence without a full stop, and its path. */
  readonly onLeftOut?: ((what: string, path: string) => void) | undefined
}

/** How much is put together before it is handed on, in bytes. */
const PIECE = 256 << 10

/** Puts small pieces together: what is given to it is copied. */
class Pieces {
  #buffer = Buffer.allocUnsafe(PIECE)
  #used = 0

  take(): Uint8Array {
    const piece = this.#buffer.subarray(0, this.#used)
    this.#buffer = Buffer.allocUnsafe(PIECE)
    this.#used = 0
    return piece
  }

  /** What is full, and can be handed on. */
  *add(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(bytes.length - at, PIECE - this.#used)
      this.#buffer.set(bytes.subarray(at, at + count), this.#used)
      this.#used += count
      at += count
      if (this.#used === PIECE) yield this.take()
    }
  }
}

/** An entry of the archive for a file; `linked` is the path of the one that it is another name of. */
const entryFor = (entry: TreeEntry, type: TarType, linked: string | undefined): TarEntry => {
  const { path, details, dirfd, name, fd } = entry
  const plain = linked === undefined ? type : 'link'
  return {
    type: plain,
    path: type === 'directory' ? (path === '' ? './' : `${path}/`) : path,
    mode: details.mode & 0o7777,
    uid: details.uid,
    gid: details.gid,
    size: plain === 'file' ? details.size : 0,
    modified: details.modified,
    target: linked ?? (type === 'symlink' ? linkIn(dirfd, name, shown(path)) : ''),
    major: details.represents.major,
    minor: details.represents.minor,
    xattrs: linked === undefined && type !== 'symlink' ? xattrsOf(fd, shown(path)) : new Map(),
  }
}

/** `buffer` is what it is read by. */
function* contentOf(
  { fd, path, details }: TreeEntry,
  pieces: Pieces,
  buffer: Buffer,
): Generator<Uint8Array | undefined, void, undefined> {
  const changed = (): TareError =>
    new TareError({
      operation: 'read',
      target: shown(path),
      reason: 'it has been changed meanwhile',
      hint: 'Something is writing to the system: end that first.',
    })
  let file: number
  try {
    file = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NOCTTY)
  } catch (error) {
    throw fromNodeError(error, 'read', shown(path))
  }
  try {
    let left = details.size
    while (left > 0) {
      const count = readSync(file, buffer, 0, Math.min(buffer.length, left), null)
      if (count === 0) throw changed()
      yield* pieces.add(buffer.subarray(0, count))
      left -= count
      // A place for others to have their turn, of which a large file has many.
      yield undefined
    }
    if (readSync(file, buffer, 0, 1, null) > 0) throw changed()
    yield* pieces.add(tarPadding(details.size))
  } finally {
    closeSync(file)
  }
}

/**
 * Writes a tree as an archive: PAX where ustar has no room (pax(1)), with numeric owners as this process sees them,
 * extended attributes, hard links and nanoseconds. The same tree makes the same bytes. Sockets, and what is mounted in the
 * tree, are left out. `top` is an open directory. Throws {@link TareError} for what can't be read, and for a file that
 * changes meanwhile.
 */
export async function* packTree(
  top: number,
  { signal, onLeftOut }: PackOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces = new Pieces()
  const buffer = Buffer.allocUnsafe(PIECE)
  const first = new Map<string, string>()
  for (const entry of walkTree(top)) {
    const { details, path } = entry
    const kind = details.mode & S_IFMT
    const type = TYPES.get(kind)
    if (type === undefined) {
      onLeftOut?.(kind === S_IFSOCK ? 'sockets left out' : 'files of an unknown kind left out', shown(path))
      continue
    }
    const key = `${details.device.major}:${details.device.minor}:${details.inode}`
    const linked = details.links > 1 && type !== 'directory' ? first.get(key) : undefined
    if (details.links > 1 && type !== 'directory' && linked === undefined) first.set(key, path)
    const described = entryFor(entry, type, linked)
    yield* pieces.add(encodeEntry(described))
    if (described.type !== 'file' || details.size === 0) continue
    for (const piece of contentOf(entry, pieces, buffer)) {
      if (piece === undefined) await pause(signal)
      else yield piece
    }
  }
  yield* pieces.add(TAR_END)
  yield pieces.take()
}
