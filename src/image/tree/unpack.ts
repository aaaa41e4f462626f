import { closeSync, fchmodSync, fchownSync, ftruncateSync, writeSync } from 'node:fs'
import { ERRNO } from '../../linux/errno.ts'
import { TareError } from '../../linux/error.ts'
import {
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
} from '../../linux/fcntl.ts'
import type { FileDetails } from '../../linux/file-details.ts'
import { fileDetails, nameBytes } from '../../linux/file-details.ts'
import { S_IFBLK, S_IFCHR } from '../../linux/file-status.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../../linux/open-how.ts'
import { tryOpenat2 } from '../../linux/openat2.ts'
import { syscall, trySyscall } from '../../linux/syscall.ts'
import { setXattr } from '../../linux/xattr.ts'
import { pause } from '../../rootfs/build/pause.ts'
import type { TarEntry } from '../tar/entry.ts'
import type { TarReader } from '../tar/reader.ts'
import { isKept } from './attributes.ts'
import { kernelDevice } from '../../linux/device-number.ts'
import { openIn, shown } from './names.ts'
import { removeIn } from './remove.ts'
import { isDirectory } from './walk.ts'
import { isWhiteout, Whiteouts } from './whiteout.ts'

const S_IFIFO = 0o010000
const SECOND = 1_000_000_000n
/** So many zeros and more become holes. */
const HOLE = 4096
/** As much as is looked at in one step. */
const ZEROS = Buffer.alloc(64 << 10)

export interface UnpackOptions {
  readonly signal?: AbortSignal | undefined
  /** Device nodes are made, which takes root; otherwise they are left out. Default false. */
  readonly devices?: boolean | undefined
  /** The archive is a layer of an image: `.wh.` names take away what lower layers have (image-spec, layer.md). */
  readonly whiteouts?: boolean | undefined
  /** Is told of what is left out: a sentence without a full stop, and its path. */
  readonly onLeftOut?: ((what: string, path: string) => void) | undefined
}

const refuse = (path: string, reason: string, hint?: string): TareError =>
  new TareError({ operation: 'unpack', target: shown(path), code: 'ERR_TARE_ARCHIVE', reason, hint })

/** The parts of a path in an archive, without those that say nothing. Throws {@link TareError} for one that leads out. */
const partsOf = (path: string, what: string = path): readonly string[] => {
  if (path.startsWith('/'))
    throw refuse(what, 'it is an absolute path', 'Archives of systems have none: do not trust this one.')
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..'))
    throw refuse(what, 'it leads upwards', 'Archives of systems have no such paths: do not trust this one.')
  return parts
}

/** A directory whose attributes are set when all is in it: its time changes meanwhile, and it may not be written to. */
interface Pending {
  readonly entry: TarEntry
  readonly parts: readonly string[]
}

/**
 * Puts what an archive holds into a directory. No path in the archive leads out of that: they are walked by the kernel with
 * the directory for the root (openat2(2), RESOLVE_IN_ROOT), and the last part of none is ever followed.
 */
class Unpacker {
  readonly #top: number
  readonly #options: UnpackOptions
  readonly #pending = new Map<string, Pending>()
  readonly #whiteouts = new Whiteouts()
  /** Directories of lower layers that this one puts something into, or takes something from, as they were before. */
  readonly #touched = new Map<string, FileDetails>()
  /** The directory that the last file was put into: the next one is mostly put there, too. */
  #last: { readonly path: string; readonly fd: number } | undefined

  constructor(top: number, options: UnpackOptions) {
    this.#top = top
    this.#options = options
  }

  async run(reader: TarReader): Promise<void> {
    try {
      for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
        await pause(this.#options.signal)
        await this.#put(entry, reader)
      }
      for (const [path, details] of this.#touched) if (!this.#pending.has(path)) this.#restoreTimes(path, details)
      // Deepest first: the time of one above changes no more.
      for (const { entry, parts } of [...this.#pending.values()].toReversed()) this.#finishDirectory(entry, parts)
    } finally {
      this.#forget()
    }
  }

  #forget(): void {
    if (this.#last !== undefined) closeSync(this.#last.fd)
    this.#last = undefined
  }

  /** Opens a directory of the tree, links on the way followed within it; undefined where there is none. */
  #find(path: string): number | undefined {
    const how = { flags: O_PATH | O_DIRECTORY, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS }
    const fd = tryOpenat2(nameBytes(path === '' ? '.' : path), how, this.#top)
    if (fd >= 0) return fd
    if ([ERRNO['ENOENT'], ERRNO['ENOTDIR']].includes(-fd)) return undefined
    throw new TareError({ operation: 'open', target: shown(path), syscall: 'openat2', errno: -fd })
  }

  /** The directory for a file, made with those above it where the archive has left them out. */
  #parent(parts: readonly string[]): number {
    const path = parts.join('/')
    if (this.#last?.path === path) return this.#last.fd
    const fd = this.#find(path) ?? this.#make(parts)
    this.#touch(path, fd)
    this.#forget()
    this.#last = { path, fd }
    return fd
  }

  /** A layer that says nothing of a directory leaves it as it was, its time too. */
  #touch(path: string, fd: number): void {
    if (this.#options.whiteouts !== true || this.#touched.has(path)) return
    const details = fileDetails(fd, '')
    if (details !== undefined) this.#touched.set(path, details)
  }

  #restoreTimes(path: string, { accessed, modified }: FileDetails): void {
    const fd = this.#find(path)
    if (fd === undefined) return
    try {
      const times = BigInt64Array.from([accessed, modified].flatMap(timespec))
      syscall({ operation: 'set the times of', target: shown(path) }, 'utimensat', fd, nameBytes('.'), times, 0)
    } finally {
      closeSync(fd)
    }
  }

  #make(parts: readonly string[]): number {
    const path = parts.join('/')
    const name = parts.at(-1) ?? ''
    const above = this.#find(parts.slice(0, -1).join('/')) ?? this.#make(parts.slice(0, -1))
    try {
      const result = trySyscall('mkdirat', above, nameBytes(name), 0o755)
      if (result < 0 && -result !== ERRNO['EEXIST']) throw this.#failed(path, 'mkdirat', -result)
    } finally {
      closeSync(above)
    }
    const fd = this.#find(path)
    if (fd === undefined) throw refuse(path, 'something in the archive that is no directory has its name')
    return fd
  }

  #failed(path: string, call: string, errno: number): TareError {
    const full = errno === ERRNO['ENOSPC'] || errno === ERRNO['EDQUOT']
    const hint = full ? 'Make room there; nothing is left of this try.' : undefined
    return new TareError({ operation: 'unpack', target: shown(path), syscall: call, errno, hint })
  }

  async #put(entry: TarEntry, reader: TarReader): Promise<void> {
    const parts = partsOf(entry.path)
    const name = parts.at(-1)
    if (name === undefined) {
      if (entry.type !== 'directory') throw refuse(entry.path, 'it is no directory')
      this.#pending.set('', { entry, parts })
      return
    }
    const path = parts.join('/')
    if (this.#options.whiteouts === true) {
      if (isWhiteout(name)) {
        const above = parts.slice(0, -1).join('/')
        const dirfd = this.#find(above)
        if (dirfd === undefined) return
        try {
          this.#touch(above, dirfd)
          this.#whiteouts.apply(dirfd, parts, this.#options.signal)
        } finally {
          closeSync(dirfd)
        }
        return
      }
      this.#whiteouts.note(parts)
    }
    const dirfd = this.#parent(parts.slice(0, -1))
    const there = fileDetails(dirfd, name)
    if (entry.type === 'directory') return this.#directory(entry, parts, dirfd, there)
    if (entry.type === 'link') return this.#link(entry, dirfd, name, there)
    if (there !== undefined) this.#remove(dirfd, name, path, there)
    if (entry.type === 'file') return this.#file(entry, reader, dirfd, name)
    this.#special(entry, dirfd, name)
  }

  #remove(dirfd: number, name: string, path: string, there: FileDetails): void {
    if (isDirectory(there)) {
      this.#forgetBelow(path)
      // What it is replaced by is put into the directory above, which stays open.
      removeIn(dirfd, name, shown(path))
      return
    }
    const result = trySyscall('unlinkat', dirfd, nameBytes(name), 0)
    if (result < 0) throw this.#failed(path, 'unlinkat', -result)
  }

  #forgetBelow(path: string): void {
    for (const key of this.#pending.keys()) if (key === path || key.startsWith(`${path}/`)) this.#pending.delete(key)
  }

  #directory(entry: TarEntry, parts: readonly string[], dirfd: number, there: FileDetails | undefined): void {
    const [name = '', path] = [parts.at(-1), parts.join('/')]
    if (there !== undefined && !isDirectory(there)) this.#remove(dirfd, name, path, there)
    if (there === undefined || !isDirectory(there)) {
      // Nobody else is to enter before it has its own mode.
      const result = trySyscall('mkdirat', dirfd, nameBytes(name), 0o700)
      if (result < 0) throw this.#failed(path, 'mkdirat', -result)
    }
    this.#pending.delete(path)
    this.#pending.set(path, { entry, parts })
  }

  /** Another name of a file that is there already. */
  #link(entry: TarEntry, dirfd: number, name: string, there: FileDetails | undefined): void {
    const parts = partsOf(entry.target, `${entry.path}, a link to ${entry.target}`)
    const from = this.#find(parts.slice(0, -1).join('/'))
    const source = from === undefined ? undefined : fileDetails(from, parts.at(-1) ?? '.')
    try {
      if (from === undefined || source === undefined)
        throw refuse(entry.path, `it is a link to ${shown(entry.target)}, which is not there`)
      if (isDirectory(source)) throw refuse(entry.path, `it is a hard link to ${shown(entry.target)}, a directory`)
      if (there !== undefined) {
        if (there.inode === source.inode) return
        this.#remove(dirfd, name, entry.path, there)
      }
      const result = trySyscall('linkat', from, nameBytes(parts.at(-1) ?? ''), dirfd, nameBytes(name), 0)
      if (result < 0) throw this.#failed(entry.path, 'linkat', -result)
    } finally {
      if (from !== undefined) closeSync(from)
    }
  }

  async #file(entry: TarEntry, reader: TarReader, dirfd: number, name: string): Promise<void> {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
    const fd = openIn(dirfd, name, flags, 0o600, 'unpack', shown(entry.path))
    try {
      await this.#content(entry, reader, fd)
      this.#attributes(entry, fd)
    } finally {
      closeSync(fd)
    }
  }

  async #content(entry: TarEntry, reader: TarReader, fd: number): Promise<void> {
    const extents = [...(entry.sparse?.extents ?? [{ offset: 0, length: entry.size }])]
    let extent = extents.shift()
    let done = 0
    try {
      for await (const piece of reader.content()) {
        for (let at = 0; at < piece.length;) {
          while (extent !== undefined && done === extent.length) {
            extent = extents.shift()
            done = 0
          }
          if (extent === undefined) throw refuse(entry.path, 'it is longer than its map says')
          const part = piece.subarray(at, at + Math.min(piece.length - at, extent.length - done))
          writeAt(fd, part, extent.offset + done)
          at += part.length
          done += part.length
        }
      }
      ftruncateSync(fd, entry.sparse?.size ?? entry.size)
    } catch (error) {
      if (error instanceof TareError) throw error
      throw fromNodeError(error, 'unpack', shown(entry.path), {
        ENOSPC: 'Make room there; nothing is left of this try.',
      })
    }
  }

  #special(entry: TarEntry, dirfd: number, name: string): void {
    const { type, path, major, minor } = entry
    if (type === 'symlink') {
      const result = trySyscall('symlinkat', nameBytes(entry.target), dirfd, nameBytes(name))
      if (result < 0) throw this.#failed(path, 'symlinkat', -result)
    } else {
      if (type !== 'fifo' && this.#options.devices !== true) {
        this.#options.onLeftOut?.('device nodes left out', shown(path))
        return
      }
      const format = type === 'fifo' ? S_IFIFO : type === 'block' ? S_IFBLK : S_IFCHR
      const device = type === 'fifo' ? 0 : kernelDevice({ major, minor })
      const result = trySyscall('mknodat', dirfd, nameBytes(name), format | 0o600, device)
      if (result < 0) throw this.#failed(path, 'mknodat', -result)
    }
    this.#own(entry, trySyscall('fchownat', dirfd, nameBytes(name), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW))
    if (type !== 'symlink') {
      // It was made a moment ago and is no link, and nobody else is in the tree yet.
      const result = trySyscall('fchmodat', dirfd, nameBytes(name), entry.mode)
      if (result < 0) throw this.#failed(path, 'fchmodat', -result)
    }
    const result = trySyscall('utimensat', dirfd, nameBytes(name), timesOf(entry), AT_SYMLINK_NOFOLLOW)
    if (result < 0) throw this.#failed(path, 'utimensat', -result)
  }

  #own({ path, uid, gid }: TarEntry, result: number): void {
    if (result >= 0) return
    const errno = -result
    const unmapped = errno === ERRNO['EINVAL'] || errno === ERRNO['EPERM']
    throw new TareError({
      operation: `give ${shown(path)} to`,
      target: `${uid}:${gid}`,
      syscall: 'fchown',
      errno,
      hint: unmapped
        ? 'It takes root, or a range of subordinate ids with that one in it (/etc/subuid, /etc/subgid).'
        : undefined,
    })
  }

  /** The owner first: the kernel takes set-user-id and capabilities from a file that gets another. */
  #attributes(entry: TarEntry, fd: number): void {
    try {
      fchownSync(fd, entry.uid, entry.gid)
    } catch (error) {
      this.#own(entry, -(fromNodeError(error, 'give', entry.path).errno ?? 0))
    }
    fchmodSync(fd, entry.mode)
    for (const [name, value] of entry.xattrs) this.#xattr(entry, fd, name, value)
    syscall({ operation: 'set the times of', target: shown(entry.path) }, 'utimensat', fd, null, timesOf(entry), 0)
  }

  #xattr({ path }: TarEntry, fd: number, name: string, value: Uint8Array): void {
    if (!isKept(name)) {
      this.#options.onLeftOut?.(`attributes ${name} left out`, shown(path))
      return
    }
    try {
      setXattr(fd, name, value, { purpose: { operation: `set the attribute ${name} of`, target: shown(path) } })
    } catch (error) {
      if (!(error instanceof TareError) || error.code !== 'EOPNOTSUPP') throw error
      this.#options.onLeftOut?.(`attributes ${name} left out, which the file system there has not`, shown(path))
    }
  }

  #finishDirectory(entry: TarEntry, parts: readonly string[]): void {
    const above = this.#find(parts.slice(0, -1).join('/'))
    if (above === undefined) return
    try {
      const name = parts.at(-1) ?? '.'
      const there = fileDetails(above, name)
      // Something else may have been put in its place since.
      if (there === undefined || !isDirectory(there)) return
      const fd = openIn(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 'unpack', shown(entry.path))
      try {
        this.#attributes(entry, fd)
      } finally {
        closeSync(fd)
      }
    } finally {
      closeSync(above)
    }
  }
}

/** What is all zeros stays a hole. */
const writeAt = (fd: number, bytes: Uint8Array, offset: number): void => {
  for (let begin = 0; begin < bytes.length; begin += ZEROS.length) {
    const part = bytes.subarray(begin, begin + ZEROS.length)
    if (part.length >= HOLE && ZEROS.compare(part, 0, part.length, 0, part.length) === 0) continue
    for (let at = 0; at < part.length;) at += writeSync(fd, part, at, part.length - at, offset + begin + at)
  }
}

/** `struct timespec` of nanoseconds since 1970. */
const timespec = (time: bigint): readonly [seconds: bigint, nanoseconds: bigint] => {
  const rest = ((time % SECOND) + SECOND) % SECOND
  return [(time - rest) / SECOND, rest]
}

/** `struct timespec[2]`, accessed and modified. */
const timesOf = ({ modified }: TarEntry): BigInt64Array =>
  BigInt64Array.from([...timespec(modified), ...timespec(modified)])

/**
 * Unpacks an archive into an open directory, with owners, permissions, times, attributes and hard links. Of the directories'
 * attributes it sets those that the archive has. Throws {@link TareError} (`ERR_TARE_ARCHIVE`) for a path that is absolute
 * or leads upwards, for a link to what isn't there, and for an archive that is damaged or cut off: what is in the directory
 * then is of no use.
 */
export const unpackTree = async (top: number, reader: TarReader, options: UnpackOptions = {}): Promise<void> =>
  new Unpacker(top, options).run(reader)
