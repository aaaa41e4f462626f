import { randomBytes } from 'node:crypto'
import type { BigIntStats, Stats } from 'node:fs'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { ERRNO } from '../../linux/errno.ts'
import { InputError, TareError } from '../../linux/error.ts'
import { AT_FDCWD } from '../../linux/fcntl.ts'
import { readMountinfo } from '../../linux/mountinfo.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { syscall, trySyscall } from '../../linux/syscall.ts'
import { removeHeld } from './remove-tree.ts'

/** The file by which a directory is known to have been built here. */
export const MARK = '.tare-chroot'

const LOCK_EX = 2
const LOCK_NB = 4
const RENAME_NOREPLACE = 1
const RENAME_EXCHANGE = 2
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants
const TRIES = 16

const HINTS = {
  ENOENT: 'Make the directory that it is to lie in first.',
  EACCES: 'This user may not write there: choose another place, or run as one who may.',
  EROFS: 'The file system is read-only: choose another place.',
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

const refuse = (output: string, reason: string, hint: string): never => {
  throw new InputError({ operation: 'build', target: output, reason, hint })
}

/** Where a root is to be, checked: whether something of ours is there that it takes the place of. */
export interface Place {
  readonly path: string
  readonly state: 'absent' | 'empty' | 'ours'
}

/** Links at the end are followed as far as they lead somewhere. */
const realOutput = (output: string): string => {
  const path = resolve(output)
  try {
    return realpathSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw fromNodeError(error, 'build', path, HINTS)
  }
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch (error) {
    throw fromNodeError(error, 'build', path, HINTS)
  }
}

const refuseMounted = (path: string): void => {
  const mounted = readMountinfo().find(
    ({ mountPoint }) => mountPoint === path || mountPoint.startsWith(path === '/' ? '/' : `${path}/`),
  )
  if (mounted !== undefined)
    refuse(path, `something is mounted at ${mounted.mountPoint}`, 'Unmount it first, or choose another place.')
}

/** Looks at what is where a root is to be. Throws {@link InputError} where it may not be put there. */
export const checkPlace = (output: string, replace: boolean): Place => {
  if (output === '') refuse('""', 'that is no path', 'Name a directory, which need not be there.')
  const path = realOutput(output)
  if (!existsSync(path)) return { path, state: 'absent' }
  refuseMounted(path)
  const names = listNames(path)
  if (names.length === 0) return { path, state: 'empty' }
  if (!names.includes(MARK)) refuse(path, 'it is not empty', 'Choose a directory that is empty, or not there.')
  if (!replace)
    refuse(
      path,
      'a root was built there before',
      'Say replace to have it replaced, with all that was put into it since.',
    )
  return { path, state: 'ours' }
}

/** The place of a directory that is to be replaced, whatever is in it. Throws {@link InputError} where something is mounted there. */
export const takenPlace = (output: string): Place => {
  const path = realOutput(output)
  refuseMounted(path)
  return { path, state: 'ours' }
}

const listNames = (path: string): readonly string[] => {
  try {
    return readdirSync(path)
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR')
      return refuse(path, 'it is no directory', 'Choose a directory that is empty, or not there.')
    throw fromNodeError(error, 'list', path, HINTS)
  }
}

/** Whether a path leads to an open directory. */
const isSame = (fd: number, path: string): boolean => {
  const [held, there] = [fstatSync(fd), lstatSync(path, { throwIfNoEntry: false })]
  return there !== undefined && held.ino === there.ino && held.dev === there.dev
}

const lock = (fd: number): boolean => trySyscall('flock', fd, LOCK_EX | LOCK_NB) === 0

/**
 * A directory beside the place, in which a root is built until it is all there. It is locked for as long as whoever builds
 * it lives: what a killed one has left is known by that, and removed by the next.
 */
export class Workshop {
  /** Where it is while it is built. */
  readonly path: string
  readonly #place: Place
  readonly #fd: number
  #open = true

  constructor(place: Place) {
    this.#place = place
    const prefix = prefixOf(place)
    removeStale(place)
    for (let attempt = 1; ; attempt++) {
      this.path = join(dirname(place.path), `${prefix}${randomBytes(6).toString('hex')}`)
      const fd = makeLocked(this.path, place.path)
      if (fd !== undefined) {
        this.#fd = fd
        this.#mark()
        return
      }
      if (attempt === TRIES) throw new TareError({ operation: 'build', target: place.path, errno: ERRNO['EBUSY'] })
    }
  }

  /** Says that it is one of ours, and unfinished. */
  #mark(): void {
    try {
      writeFileSync(`${this.held}/${MARK}`, '', { flag: 'wx', mode: 0o600 })
    } catch (error) {
      this.abandon()
      throw fromNodeError(error, 'build', this.#place.path, HINTS)
    }
  }

  /**
   * The directory by its descriptor: whoever may rename it, as the one above is his too, can put another one in its place,
   * but can't have anything built in that.
   */
  get held(): string {
    return `/proc/self/fd/${this.#fd}`
  }

  /** Puts a directory that is in the workshop where the root is to be, at once and as a whole; the rest is removed. */
  finishPart(name: string): void {
    this.putPart(name)
    this.abandon()
  }

  /** As {@link finishPart}, but what was there before, which is in the workshop then, is left to be removed. */
  putPart(name: string): void {
    const { path } = this.#place
    const part = openDirectory(`${this.held}/${name}`)
    if (part === undefined) throw new TareError({ operation: 'build', target: path, errno: ERRNO['ENOENT'] })
    try {
      // What was built by the workshop's path was built in another one, if that leads elsewhere.
      this.#check(this.path)
      const before = fstatSync(part, { bigint: true })
      this.#put(this.#fd, name)
      this.#check(path, part)
      keepTimes(part, before)
    } finally {
      closeSync(part)
    }
  }

  /** Puts the root where it is to be, at once and as a whole. */
  finish(): void {
    const { path, state } = this.#place
    const old = state === 'ours' ? openDirectory(path) : undefined
    try {
      this.#check(this.path)
      this.#put(AT_FDCWD, this.path)
      this.#check(path)
      if (old !== undefined) removeHeld(old, this.path)
    } finally {
      if (old !== undefined) closeSync(old)
    }
    this.#close()
  }

  #check(path: string, fd = this.#fd): void {
    if (isSame(fd, path)) return
    const reason = 'somebody else has put something in its place'
    const hint = 'Build it in a directory that nobody else may write to.'
    throw new TareError({ operation: 'build', target: this.#place.path, reason, hint })
  }

  #put(directory: number, name: string): void {
    const { path, state } = this.#place
    const purpose = { operation: 'put the root in its place', target: path }
    const flags = { absent: RENAME_NOREPLACE, empty: 0, ours: RENAME_EXCHANGE }[state]
    const result = trySyscall('renameat2', directory, name, AT_FDCWD, path, flags)
    // File systems that know no flags (EINVAL) have this left, which takes no place of anything but an empty directory.
    if (result === -(ERRNO['EINVAL'] ?? 0) && state === 'absent')
      syscall(purpose, 'renameat2', directory, name, AT_FDCWD, path, 0)
    else if (result < 0) throw new TareError({ ...purpose, syscall: 'renameat2', errno: -result })
  }

  /** Removes what has been built so far; nothing once it is in its place. */
  abandon(): void {
    if (!this.#open) return
    removeHeld(this.#fd, this.path)
    this.#close()
  }

  #close(): void {
    if (this.#open) closeSync(this.#fd)
    this.#open = false
  }
}

/** Some file systems take a directory for changed when it gets another parent (xfs). */
const keepTimes = (fd: number, { atimeNs, mtimeNs }: BigIntStats): void => {
  if (fstatSync(fd, { bigint: true }).mtimeNs === mtimeNs) return
  const second = 1_000_000_000n
  const times = BigInt64Array.from([atimeNs, mtimeNs].flatMap((time) => [time / second, time % second]))
  const result = trySyscall('utimensat', fd, null, times, 0)
  // Of another id of an ordinary user's: it stays as it is.
  if (result < 0 && -result !== ERRNO['EPERM'])
    throw new TareError({
      operation: 'set the times of',
      target: `descriptor ${fd}`,
      syscall: 'utimensat',
      errno: -result,
    })
}

/** Undefined where somebody took it for a stale one in between. */
const makeLocked = (path: string, output: string): number | undefined => {
  try {
    // Nobody else is to enter before it is complete.
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    throw fromNodeError(error, 'build', output, HINTS)
  }
  const fd = openDirectory(path)
  if (fd !== undefined && lock(fd) && isSame(fd, path) && isOwn(fstatSync(fd))) return fd
  if (fd !== undefined) closeSync(fd)
  return undefined
}

const openDirectory = (path: string): number | undefined => {
  try {
    return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return undefined
    throw fromNodeError(error, 'open', path)
  }
}

/** Names in a directory; none where this user may make some, and not see them. */
const visibleNames = (directory: string): readonly string[] => {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (codeOf(error) === 'EACCES') return []
    throw fromNodeError(error, 'list', directory, HINTS)
  }
}

const isOwn = ({ uid }: Pick<Stats, 'uid'>): boolean => uid === trySyscall('geteuid')

/** Whether a directory is one that was being built: empty as yet, or with a mark in it that says nothing yet. */
const isUnfinished = (fd: number): boolean => {
  const here = `/proc/self/fd/${fd}`
  const { uid, mode } = fstatSync(fd)
  if (!isOwn({ uid })) return false
  const mark = lstatSync(`${here}/${MARK}`, { throwIfNoEntry: false })
  if (mark === undefined) return readdirSync(here).length === 0
  return mark.isFile() && isOwn(mark) && (mark.size === 0 || (mode & 0o777) === 0o700)
}

const prefixOf = ({ path }: Place): string => `.${basename(path)}.tare-`

/** A workshop that a killed process of this user has left. It is locked until it is released. */
export interface StaleWorkshop {
  readonly path: string
  readonly fd: number
  readonly release: () => void
}

/** What this user has begun beside a place and never finished. Each is to be released. */
export const staleWorkshops = (place: Place): readonly StaleWorkshop[] => {
  const directory = dirname(place.path)
  const found: StaleWorkshop[] = []
  for (const name of visibleNames(directory).filter((each) => each.startsWith(prefixOf(place)))) {
    const path = join(directory, name)
    const fd = openDirectory(path)
    if (fd === undefined) continue
    if (lock(fd) && isUnfinished(fd)) found.push({ path, fd, release: () => closeSync(fd) })
    else closeSync(fd)
  }
  return found
}

const removeStale = (place: Place): void => {
  for (const { path, fd, release } of staleWorkshops(place)) {
    try {
      removeHeld(fd, path)
    } finally {
      release()
    }
  }
}
