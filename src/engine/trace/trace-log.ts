import type { Stats } from 'node:fs'
import { lstatSync, readlinkSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
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

/** What programs were seen to do with files. The calls haven't happened yet when they are noted. */
export class TraceLog {
  /** When the trace began, in milliseconds: what changed later was changed by it. */
  readonly #began: number
  readonly #files = new Map<string, TracedFile>()
  readonly #leftOut = new Map<string, LeftOutFile>()
  readonly #command: string
  /** Calls that couldn't be read. */
  unread = 0

  /** `command`: who is said to have executed the program itself. */
  constructor(command: string, began: number) {
    this.#command = command
    this.#began = began
  }

  get files(): readonly TracedFile[] {
    return [...this.#files.values()].filter(({ path }) => !this.#wasWritten(path))
  }

  get leftOut(): readonly LeftOutFile[] {
    const written = [...this.#files.values()].filter(({ path }) => this.#wasWritten(path))
    const late = written.map(({ path }): LeftOutFile => ({ path, reason: 'written' }))
    return [...new Map([...late, ...this.#leftOut.values()].map((each) => [each.path, each])).values()].filter(
      ({ path }) => statsOf(path, true)?.isFile() === true,
    )
  }

  /** Takes note of a call. */
  note(notification: SeccompNotification): void {
    const named = this.#read(notification)
    if (named === undefined) return
    const { call, path, flags } = named
    if (call.does === 'make') return this.#parent(path, notification.pid)
    const follow = call.nofollow !== true && (flags & (call.does === 'open' ? O_NOFOLLOW : AT_SYMLINK_NOFOLLOW)) === 0
    const stats = statsOf(path, follow)
    if (stats === undefined) {
      if (call.does === 'open' && (flags & O_CREAT) !== 0) this.#parent(path, notification.pid)
      return
    }
    if (call.does === 'execute') return this.#add({ path, kind: 'executed', by: this.#programOf(notification.pid) })
    if (call.does === 'open' && (flags & O_ACCMODE) !== 0 && stats.isFile()) {
      this.#leave(path, 'written')
      return this.#parent(path, notification.pid)
    }
    this.#add({ path, kind: call.does === 'open' ? 'opened' : 'looked at', by: this.#programOf(notification.pid) })
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
    const path = written.startsWith('/') ? resolve(written) : this.#absolute(pid, call, args, written)
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

  /** The directory that a program makes something in has to be there. */
  #parent(path: string, pid: number): void {
    const directory = dirname(path)
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

  /** A file that was changed since the trace began, or a directory that is newer. */
  #wasWritten(path: string): boolean {
    const stats = statsOf(path, true)
    if (stats === undefined) return false
    return (stats.isDirectory() ? stats.birthtimeMs : stats.ctimeMs) > this.#began
  }
}
