import { closeSync, constants, fstatSync, mkdirSync, openSync, symlinkSync } from 'node:fs'
import { TareError } from '../../linux/error.ts'
import { AT_SYMLINK_NOFOLLOW, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } from '../../linux/fcntl.ts'
import type { FileDetails } from '../../linux/file-details.ts'
import { nameBytes } from '../../linux/file-details.ts'
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../linux/file-status.ts'
import { RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from '../../linux/open-how.ts'
import { tryOpenat2 } from '../../linux/openat2.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { syscall, trySyscall } from '../../linux/syscall.ts'
import { setXattr } from '../../linux/xattr.ts'
import { cloneFile, copyContent } from '../../rootfs/build/copy-file.ts'
import { pause } from '../../rootfs/build/pause.ts'
import { xattrsOf } from './attributes.ts'
import { kernelDevice } from '../../linux/device-number.ts'
import { linkIn, openIn, pathIn, shown } from './names.ts'
import type { TreeEntry } from './walk.ts'
import { walkTree } from './walk.ts'

const SECOND = 1_000_000_000n

export interface CopyTreeOptions {
  readonly signal?: AbortSignal | undefined
  /** Is told of what can't be kept: a sentence without a full stop, and its path. */
  readonly onLeftOut: (what: string, path: string) => void
}

/** How many files got there in each way, of those that have anything in them. */
export interface CopiedTree {
  readonly copied: number
  readonly cloned: number
}

const timesOf = ({ accessed, modified }: FileDetails): BigInt64Array =>
  BigInt64Array.from(
    [accessed, modified].flatMap((time) => {
      const rest = ((time % SECOND) + SECOND) % SECOND
      return [(time - rest) / SECOND, rest]
    }),
  )

/** A copy of one tree in another, on its way. */
class TreeCopy {
  readonly #top: number
  readonly #options: CopyTreeOptions
  readonly #first = new Map<string, string>()
  readonly #directories: {
    readonly path: string
    readonly details: FileDetails
    readonly xattrs: ReadonlyMap<string, Uint8Array>
  }[] = []
  readonly counts = { copied: 0, cloned: 0 }

  constructor(top: number, options: CopyTreeOptions) {
    this.#top = top
    this.#options = options
  }

  async run(from: number): Promise<CopiedTree> {
    for (const entry of walkTree(from)) {
      await pause(this.#options.signal)
      await this.#put(entry)
    }
    // Deepest first: the time of one above changes no more.
    for (const { path, details, xattrs } of this.#directories.toReversed()) {
      const fd = this.#open(path, O_RDONLY | O_DIRECTORY)
      try {
        this.#attributes(fd, path, details, xattrs)
      } finally {
        closeSync(fd)
      }
    }
    return this.counts
  }

  /** A file of the copy. Nobody else is in there, and it is made without a link on the way. */
  #open(path: string, flags: number): number {
    const how = { flags, resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS }
    const fd = tryOpenat2(nameBytes(path === '' ? '.' : path), how, this.#top)
    if (fd < 0) throw this.#failed(path, 'openat2', -fd)
    return fd
  }

  async #put(entry: TreeEntry): Promise<void> {
    const { path, details } = entry
    const kind = details.mode & S_IFMT
    if (kind === S_IFDIR) return this.#directory(entry)
    const key = `${details.device.major}:${details.device.minor}:${details.inode}`
    const first = details.links > 1 ? this.#first.get(key) : undefined
    if (first !== undefined) {
      const result = trySyscall('linkat', this.#top, nameBytes(first), this.#top, nameBytes(path), 0)
      if (result < 0) throw this.#failed(path, 'linkat', -result)
      return
    }
    if (kind === S_IFREG) await this.#file(entry)
    else if (!this.#special(entry, kind)) return
    if (details.links > 1) this.#first.set(key, path)
  }

  #failed(path: string, call: string, errno: number): TareError {
    return new TareError({ operation: 'copy', target: shown(path), syscall: call, errno })
  }

  #directory({ path, fd, details }: TreeEntry): void {
    if (path !== '')
      try {
        mkdirSync(pathIn(this.#top, path), { mode: 0o700 })
      } catch (error) {
        throw fromNodeError(error, 'copy', shown(path))
      }
    this.#directories.push({ path, details, xattrs: xattrsOf(fd, shown(path)) })
  }

  async #file({ path, fd, details }: TreeEntry): Promise<void> {
    const from = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NOCTTY)
    try {
      const to = openIn(this.#top, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600, 'copy', shown(path))
      try {
        const { signal } = this.#options
        const copy = { from, to, source: shown(path), target: shown(path), stats: fstatSync(from), signal }
        const cloned = details.size > 0 && cloneFile(copy)
        if (!cloned) await copyContent(copy)
        if (details.size > 0) this.counts[cloned ? 'cloned' : 'copied'] += 1
        this.#attributes(to, path, details, xattrsOf(fd, shown(path)))
      } finally {
        closeSync(to)
      }
    } finally {
      closeSync(from)
    }
  }

  /** False where it is left out. */
  #special({ path, dirfd, name, details }: TreeEntry, kind: number): boolean {
    const { mode, uid, gid, represents } = details
    if (kind === S_IFLNK) {
      try {
        symlinkSync(Buffer.from(linkIn(dirfd, name, shown(path)), 'latin1'), pathIn(this.#top, path))
      } catch (error) {
        throw fromNodeError(error, 'copy', shown(path))
      }
    } else {
      const result = trySyscall('mknodat', this.#top, nameBytes(path), kind | 0o600, kernelDevice(represents))
      if (-result === EPERM) {
        this.#options.onLeftOut('device nodes left out, which root alone may make', shown(path))
        return false
      }
      if (result < 0) throw this.#failed(path, 'mknodat', -result)
    }
    const owned = trySyscall('fchownat', this.#top, nameBytes(path), uid, gid, AT_SYMLINK_NOFOLLOW)
    if (owned < 0) throw this.#failed(path, 'fchownat', -owned)
    if (kind !== S_IFLNK) {
      const result = trySyscall('fchmodat', this.#top, nameBytes(path), mode & 0o7777)
      if (result < 0) throw this.#failed(path, 'fchmodat', -result)
    }
    const timed = trySyscall('utimensat', this.#top, nameBytes(path), timesOf(details), AT_SYMLINK_NOFOLLOW)
    if (timed < 0) throw this.#failed(path, 'utimensat', -timed)
    return true
  }

  /** The owner first: the kernel takes set-user-id and capabilities from a file that gets another. */
  #attributes(fd: number, path: string, details: FileDetails, xattrs: ReadonlyMap<string, Uint8Array>): void {
    const target = shown(path)
    syscall({ operation: 'give away', target }, 'fchown', fd, details.uid, details.gid)
    syscall({ operation: 'set the mode of', target }, 'fchmod', fd, details.mode & 0o7777)
    for (const [name, value] of xattrs)
      setXattr(fd, name, value, { purpose: { operation: `set the attribute ${name} of`, target } })
    syscall({ operation: 'set the times of', target }, 'utimensat', fd, null, timesOf(details), 0)
  }
}

const EPERM = 1

/**
 * Copies what is in one directory into another, empty one, with all that its files have: owners, permissions, times to the
 * nanosecond, hard links, extended attributes, holes, devices, sockets. Blocks are shared where the file system can
 * (ioctl_ficlone(2)). What is mounted in it is left out. Throws {@link TareError} for what can't be kept, except for what is told.
 */
export const copyTree = async (from: number, to: number, options: CopyTreeOptions): Promise<CopiedTree> =>
  new TreeCopy(to, options).run(from)
