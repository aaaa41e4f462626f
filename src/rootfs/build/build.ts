import type { Stats } from 'node:fs'
import {
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from 'node:fs'
import { ERRNO } from '../../linux/errno.ts'
import { InputError, TareError } from '../../linux/error.ts'
import {
  O_CREAT,
  O_EXCL,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
} from '../../linux/fcntl.ts'
import { RESOLVE_NO_SYMLINKS } from '../../linux/open-how.ts'
import { openat2 } from '../../linux/openat2.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { Closure } from '../closure/closure.ts'
import type { ClosureEntry, DirectoryEntry, FileEntry } from '../closure/entry.ts'
import { parentOf } from '../closure/tree.ts'
import { copyAttributes, Losses } from './attributes.ts'
import { cloneFile, copyContent } from './copy-file.ts'
import { pause } from './pause.ts'
import { checkPlace, MARK, Workshop } from './place.ts'

/**
 * How files get into a root.
 * - `auto`: as `reflink` where the file systems can, else as `copy`. What is in the root is the same.
 * - `copy`: every byte is copied.
 * - `reflink`: the files share blocks with the host's until one of the two is changed (btrfs, xfs).
 * - `hardlink`: the files are the host's own: whoever changes them in the root changes the host.
 */
export type BuildMethod = 'auto' | 'copy' | 'reflink' | 'hardlink'

const BUILD_METHODS: readonly BuildMethod[] = ['auto', 'copy', 'reflink', 'hardlink']

export interface BuildOptions {
  /** The directory: absent, empty, or with `replace` one that was built before. */
  readonly output: string
  /** Default `auto`; the others are done or fail. */
  readonly method?: BuildMethod | undefined
  /** Whether a root that was built there before is replaced, with all that was put into it since. */
  readonly replace?: boolean | undefined
  /** Gives up, and leaves nothing. */
  readonly signal?: AbortSignal | undefined
}

/** A root that has been built. */
export interface BuiltRoot {
  /** Absolute. */
  readonly path: string
  /** How many files got there in each of the ways; `again` are those that the host has under several names too. */
  readonly copied: number
  readonly cloned: number
  readonly linked: number
  readonly again: number
  /** What couldn't be kept: sentences. */
  readonly warnings: readonly string[]
}

const HINTS = {
  EACCES: 'This user may not read it: run as one who may, or exclude it.',
  EPERM: 'This user may not read it.',
  ELOOP: 'It has become a link meanwhile.',
  ENOENT: 'It was there a moment ago: try again.',
}

const MISTAKES = {
  copy: '',
  reflink: 'Its file system, or that of the root, shares no blocks (btrfs and xfs do), or they are two: choose copy.',
  hardlink:
    'Links are possible within one file system, and to files that this user may write to or owns (fs.protected_hardlinks, proc(5)): choose copy.',
} as const

const openSource = (path: string, flags: number): number => {
  try {
    // The path has no links in it. One that has come there meanwhile is somebody's trick.
    return openat2(path, { flags, resolve: RESOLVE_NO_SYMLINKS })
  } catch (error) {
    if (!(error instanceof TareError)) throw error
    const hint = Object.entries(HINTS).find(([code]) => code === error.code)?.[1]
    throw new TareError({
      operation: 'read',
      target: path,
      errno: error.errno,
      syscall: error.syscall,
      hint,
      cause: error,
    })
  }
}

class Builder {
  readonly #root: string
  readonly #closure: Closure
  readonly #method: BuildMethod
  readonly #signal: AbortSignal | undefined
  readonly #directories = new Set<string>(['/'])
  /** Directories that are entries by themselves. */
  readonly #wanted: ReadonlyMap<string, DirectoryEntry>
  /** Where a file of the host has got to, by its device and number. */
  readonly #places = new Map<string, string>()
  readonly losses = new Losses()
  readonly counts = { copied: 0, cloned: 0, linked: 0, again: 0 }

  constructor(root: string, closure: Closure, { method = 'auto', signal }: BuildOptions) {
    this.#root = root
    this.#closure = closure
    this.#method = method
    this.#signal = signal
    this.#wanted = new Map(
      closure.entries.flatMap((entry) => (entry.kind === 'directory' ? [[entry.path, entry] as const] : [])),
    )
  }

  async build(): Promise<void> {
    for (const path of this.#wanted.keys()) this.#directory(path)
    for (const entry of this.#closure.entries) {
      if (entry.kind === 'directory') continue
      this.#directory(parentOf(entry.path))
      await pause(this.#signal)
      await this.#put(entry)
    }
    // Deepest first: one that may not be written to can't be filled.
    for (const path of [...this.#directories].toSorted().toReversed()) if (path !== '/') this.#finishDirectory(path)
  }

  #target(path: string): string {
    return `${this.#root}${path}`
  }

  /** Makes a directory and those above it, for now so that only we may enter. */
  #directory(path: string): void {
    if (this.#directories.has(path)) return
    this.#directory(parentOf(path))
    try {
      mkdirSync(this.#target(path), { mode: 0o700 })
    } catch (error) {
      throw fromNodeError(error, 'make the directory', path, { EEXIST: 'What is included there is in the way.' })
    }
    this.#directories.add(path)
  }

  #finishDirectory(path: string): void {
    const entry = this.#wanted.get(path)
    const source = entry === undefined ? `${this.#closure.root}${path}` : entry.source
    const target = this.#target(path)
    if (source === undefined || !isDirectory(source)) {
      chmodSync(target, entry?.mode ?? 0o755)
      return
    }
    const [from, to] = [openDirectory(source), openDirectory(target)]
    try {
      if (from === undefined || to === undefined) chmodSync(target, 0o755)
      else copyAttributes(from, to, fstatSync(from), path, this.losses)
    } finally {
      for (const fd of [from, to]) if (fd !== undefined) closeSync(fd)
    }
  }

  async #put(entry: Exclude<ClosureEntry, { kind: 'directory' }>): Promise<void> {
    const target = this.#target(entry.path)
    if (entry.kind === 'file') return this.#file(entry, target)
    try {
      if (entry.kind === 'link') symlinkSync(entry.target, target)
      else writeFileSync(target, entry.content, { flag: 'wx' })
    } catch (error) {
      throw fromNodeError(error, 'make', entry.path, { EEXIST: 'Something else that is included is in the way.' })
    }
    // Whatever the umask of this process is.
    if (entry.kind === 'made') chmodSync(target, entry.mode)
  }

  async #file(entry: FileEntry, target: string): Promise<void> {
    if (this.#method === 'hardlink') return this.#hardlink(entry, target)
    const from = openSource(entry.source, O_RDONLY | O_NONBLOCK)
    try {
      const stats = fstatSync(from)
      if (!stats.isFile())
        throw new TareError({ operation: 'read', target: entry.source, reason: 'it is no file any more' })
      const key = `${stats.dev}:${stats.ino}`
      const place = this.#places.get(key)
      if (place === undefined) await this.#copy(entry, from, target, stats)
      else {
        linkSync(place, target)
        this.counts.again += 1
      }
      if (stats.nlink > 1) this.#places.set(key, target)
    } finally {
      closeSync(from)
    }
  }

  #hardlink(entry: FileEntry, target: string): void {
    const from = openSource(entry.source, O_PATH)
    try {
      const result = trySyscall('linkat', AT_FDCWD, `/proc/self/fd/${from}`, AT_FDCWD, target, AT_SYMLINK_FOLLOW)
      if (result < 0) throw this.#refused(entry, 'linkat', -result)
      this.counts.linked += 1
    } finally {
      closeSync(from)
    }
  }

  async #copy(entry: FileEntry, from: number, target: string, stats: Stats): Promise<void> {
    const to = this.#create(entry.path, target)
    try {
      const copy = { from, to, source: entry.source, target: entry.path, stats, signal: this.#signal }
      const cloned = this.#method !== 'copy' && cloneFile(copy)
      if (!cloned && this.#method === 'reflink') throw this.#refused(entry, 'ioctl', ERRNO['EOPNOTSUPP'] ?? 0)
      if (!cloned) await copyContent(copy)
      this.counts[cloned ? 'cloned' : 'copied'] += 1
      copyAttributes(from, to, stats, entry.path, this.losses)
    } finally {
      closeSync(to)
    }
  }

  #create(path: string, target: string): number {
    try {
      return openSync(target, O_CREAT | O_EXCL | O_RDWR, 0o600)
    } catch (error) {
      throw fromNodeError(error, 'make', path, { ENOSPC: 'Make room there, or build elsewhere.' })
    }
  }

  #refused({ source }: FileEntry, syscall: string, errno: number): TareError {
    const method = this.#method === 'hardlink' ? 'hardlink' : 'reflink'
    return new TareError({
      operation: method === 'hardlink' ? 'link' : 'clone',
      target: source,
      syscall,
      errno,
      hint: MISTAKES[method],
    })
  }
}

const isDirectory = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** To read its attributes; undefined where this user may not even do that. */
const openDirectory = (path: string): number | undefined => {
  try {
    return openSync(path, O_RDONLY)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EACCES') return undefined
    throw fromNodeError(error, 'open', path)
  }
}

/**
 * Builds a root from a closure: files with their owners, permissions, set-user-id bits, capabilities and times, links as
 * links. It is built beside its place and put there at the end, so there is all of it or nothing; what an earlier one left
 * that was killed is removed.
 *
 * Throws {@link InputError} where the output isn't empty, {@link TareError} where something can't be read or written,
 * or what `method` asks for can't be done.
 * Example: `await buildRoot(closure(['nginx']), { output: 'jail' })`.
 */
export const buildRoot = async (closure: Closure, options: BuildOptions): Promise<BuiltRoot> => {
  const { method = 'auto', replace = false, signal, output } = options
  if (!BUILD_METHODS.includes(method))
    throw new InputError({
      operation: 'build by',
      target: JSON.stringify(method),
      reason: `it is ${BUILD_METHODS.join(', ')}`,
    })
  signal?.throwIfAborted()
  const place = checkPlace(output, replace)
  const workshop = new Workshop(place)
  try {
    const builder = new Builder(workshop.held, closure, options)
    await builder.build()
    const mark = { version: 1, programs: closure.programs }
    writeFileSync(`${workshop.held}/${MARK}`, `${JSON.stringify(mark)}\n`)
    chmodSync(`${workshop.held}/${MARK}`, 0o444)
    chmodSync(workshop.held, 0o755)
    workshop.finish()
    return { path: place.path, ...builder.counts, warnings: builder.losses.sentences }
  } finally {
    workshop.abandon()
  }
}
