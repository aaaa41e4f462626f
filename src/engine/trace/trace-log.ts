import type { Stats } from 'node:fs'
import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_CREAT, O_NOFOLLOW } from '../../linux/fcntl.ts'
import { readProcessMemory, readProcessString } from '../../linux/process-memory.ts'
import { seccompAbi, seccompSyscallName } from '../../linux/seccomp/architectures.ts'
import type { SeccompNotification } from '../../linux/seccomp/notify.ts'
import type { TracedFile } from '../../rootfs/closure/closure.ts'
import { isNotTraced } from '../../rootfs/closure/closure.ts'
import type { PathCall } from './path-calls.ts'
import { PATH_CALLS, TRACED_ARCHITECTURES } from './path-calls.ts'

/** A file that a traced program used and that is no part of what it needs, as far as can be told. */
export interface LeftOutFile {
  readonly path: string
  readonly reason: 'written' | 'temporary'
}

const O_ACCMODE = 3
/** Where a process's own files are, or the kernel's: nobody misses them. */
const VIRTUAL = ['/dev', '/proc', '/sys']

const RANK: Readonly<Record<TracedFile['kind'], number>> = { executed: 3, opened: 2, 'written to': 1, 'looked at': 0 }

const isBelow = (path: string, directory: string): boolean => path === directory || path.startsWith(`${directory}/`)

const linkOf = (path: string): string | undefined => {
  try {
    return readlinkSync(path)
  } catch {
    // The process has ended, or isn't ours to look into.
    return undefined
  }
}

const statsOf = (path: string, follow: boolean): Stats | undefined => {
  try {
    return (follow ? statSync : lstatSync)(path, { throwIfNoEntry: false })
  } catch {
    // What can't be looked at can't be used either: the call that names it fails alike.
    return undefined
  }
}

/** An argument as a signed 32-bit number: a descriptor, or flags. */
const int = (value: bigint | undefined): number => Number(BigInt.asIntN(32, value ?? 0n))

/** What a call is about. */
interface Named {
  readonly call: PathCall
  /** Absolute. */
  readonly path: string
  readonly flags: number
}

const realOf = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    // It is gone, or out of reach: then its own name has to do.
    return path
  }
}

/** A path, of something that need not be there, without links in its directory. */
const placeOf = (path: string): string => join(realOf(dirname(path)), basename(path))

/** Whether one of the paths is this one, or a directory above it. */
const holds = (paths: ReadonlySet<string>, path: string): boolean =>
  paths.has(path) || (path !== '/' && holds(paths, dirname(path)))

/** What programs were seen to do with files. The calls haven't happened yet when they are noted. */
export class TraceLog {
  readonly #files = new Map<string, TracedFile>()
  readonly #leftOut = new Map<string, LeftOutFile>()
  /** What was made or written to: no part of what is needed. */
  readonly #written = new Set<string>()
  readonly #command: string
  /** Calls that couldn't be read. */
  unread = 0

  /** `command`: who is said to have executed the program itself. */
  constructor(command: string) {
    this.#command = command
  }

  get files(): readonly TracedFile[] {
    const written = new Set([...this.#written, ...[...this.#written].map(realOf)])
    return [...this.#files.values()].filter(
      ({ path }) => !holds(written, placeOf(path)) && !holds(written, realOf(path)),
    )
  }

  get leftOut(): readonly LeftOutFile[] {
    return [...this.#leftOut.values()].filter(({ path }) => statsOf(path, true)?.isFile() === true)
  }

  /** Takes note of a call. */
  note(notification: SeccompNotification): void {
    const named = this.#read(notification)
    if (named === undefined) return
    const { call, path, flags } = named
    const follow = call.nofollow !== true && (flags & (call.does === 'open' ? O_NOFOLLOW : AT_SYMLINK_NOFOLLOW)) === 0
    const stats = statsOf(path, follow)
    const creates = call.does === 'open' && (flags & O_CREAT) !== 0 && stats === undefined
    const writes = call.does === 'open' && (flags & O_ACCMODE) !== 0 && stats?.isFile() === true
    const makes = call.does === 'make' || (call.does === 'make directory' && stats === undefined)
    if (creates || writes || makes) return this.#write(path, stats, notification.pid)
    if (stats === undefined) return
    const by = this.#programOf(notification.pid)
    if (call.does === 'execute') return this.#add({ path, kind: 'executed', by })
    this.#add({ path, kind: call.does === 'open' ? 'opened' : 'looked at', by })
  }

  #read(notification: SeccompNotification): Named | undefined {
    const { pid, nr, audit, args } = notification
    const architecture = TRACED_ARCHITECTURES.find(
      (each) => seccompAbi(each).audit === audit && seccompSyscallName(each, nr) !== undefined,
    )
    const name = architecture === undefined ? undefined : seccompSyscallName(architecture, nr)
    const call = name === undefined ? undefined : PATH_CALLS[name]
    if (call === undefined) return undefined
    const written = readProcessString(pid, args[call.path] ?? 0n)
    if (written === undefined) {
      this.unread += 1
      return undefined
    }
    // An empty path means the descriptor, whose file has been opened before.
    if (written === '') return undefined
    // As it is: where ".." leads depends on the links before it.
    const path = written.startsWith('/') ? written : this.#absolute(pid, call, args, written)
    // Another root, as by chroot(2): its paths are not ours.
    if (path === undefined || linkOf(`/proc/${pid}/root`) !== '/') {
      this.unread += 1
      return undefined
    }
    return { call, path, flags: this.#flags(pid, call, args) }
  }

  #absolute(pid: number, call: PathCall, args: readonly bigint[], written: string): string | undefined {
    const fd = call.directory === undefined ? AT_FDCWD : int(args[call.directory])
    const base = linkOf(fd === AT_FDCWD ? `/proc/${pid}/cwd` : `/proc/${pid}/fd/${fd}`)
    return base?.startsWith('/') === true ? `${base === '/' ? '' : base}/${written}` : undefined
  }

  #flags(pid: number, { flags, how }: PathCall, args: readonly bigint[]): number {
    if (flags === undefined) return 0
    if (how !== true) return int(args[flags])
    const bytes = readProcessMemory(pid, args[flags] ?? 0n, 8)
    return bytes === undefined || bytes.length < 8 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true)
  }

  /** The program that a process is. */
  #programOf(pid: number): string {
    const exe = linkOf(`/proc/${pid}/exe`)
    return exe === undefined || exe.startsWith('/memfd:') ? this.#command : exe
  }

  /** Something is made, or written to: the directory that it is in has to be there. */
  #write(path: string, stats: Stats | undefined, pid: number): void {
    const place = placeOf(path)
    if (stats?.isFile() === true && !holds(this.#written, place)) this.#leave(place, 'written')
    this.#written.add(place)
    const directory = dirname(place)
    if (statsOf(directory, true)?.isDirectory() === true)
      this.#add({ path: directory, kind: 'written to', by: this.#programOf(pid) })
  }

  #leave(path: string, reason: LeftOutFile['reason']): void {
    if (!VIRTUAL.some((place) => isBelow(path, place))) this.#leftOut.set(path, { path, reason })
  }

  #add(file: TracedFile): void {
    if (isNotTraced(file.path, file.kind)) {
      if (file.kind === 'opened' || file.kind === 'executed') this.#leave(file.path, 'temporary')
      return
    }
    const known = this.#files.get(file.path)
    if (known === undefined || RANK[known.kind] < RANK[file.kind]) this.#files.set(file.path, file)
  }
}
