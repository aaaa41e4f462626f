import { Buffer } from 'node:buffer'
import { readdirSync } from 'node:fs'
import { ERRNO } from '../../linux/errno.ts'
import { TareError } from '../../linux/error.ts'
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from '../../linux/fcntl.ts'
import { trySyscall } from '../../linux/syscall.ts'

const CHUNK = 64 * 1024
/** The most that is read of one file, in bytes: a process may have made its tables as long as it likes. */
const LONGEST = 64 << 20

const { EACCES = 13, EINVAL = 22, EPERM = 1, ENOENT = 2, ESRCH = 3 } = ERRNO

/**
 * The files of one process in /proc, by a descriptor of its directory: whatever is read through it is of this process,
 * and of none that gets its number later. Close it.
 */
export class ProcessFiles implements Disposable {
  readonly pid: number
  readonly #directory: number
  #root: number | undefined

  /** Throws {@link TareError} where there is no such process. */
  constructor(pid: number) {
    this.pid = pid
    this.#directory = trySyscall('openat', AT_FDCWD, `/proc/${pid}`, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    if (this.#directory < 0) throw this.error('openat', -this.#directory)
  }

  /** Why it can't be audited. */
  error(syscall: string, errno: number): TareError {
    // Of a process that has ended files are missing, and of one that is ending some can't be read any more.
    const meant = errno === ENOENT || errno === EINVAL ? ESRCH : errno
    const hint =
      meant === ESRCH
        ? 'There is no such process here, or it has ended: "tare ps" lists those in containers.'
        : meant === EACCES || meant === EPERM
          ? 'It belongs to another user: be root, or have CAP_SYS_PTRACE.'
          : undefined
    return new TareError({ operation: 'audit', target: `process ${this.pid}`, syscall, errno: meant, hint })
  }

  /** The text of a file, or the errno as a negative number. */
  tryRead(file: string): string | number {
    const fd = trySyscall('openat', this.#directory, file, O_RDONLY | O_CLOEXEC, 0)
    if (fd < 0) return fd
    const parts: Buffer[] = []
    let length = 0
    let result: number
    do {
      const buffer = Buffer.allocUnsafe(CHUNK)
      result = trySyscall('read', fd, buffer, buffer.length)
      if (result > 0) parts.push(buffer.subarray(0, result))
      length += Math.max(0, result)
    } while (result > 0 && length < LONGEST)
    trySyscall('close', fd)
    return result < 0 ? result : Buffer.concat(parts).toString()
  }

  /** The text of a file. Throws {@link TareError}. */
  read(file: string): string {
    const text = this.tryRead(file)
    if (typeof text === 'number') throw this.error('read', -text)
    return text
  }

  /** The text of a file; undefined where this kernel has none, or it may not be read. */
  readIfThere(file: string): string | undefined {
    const text = this.tryRead(file)
    return typeof text === 'number' ? undefined : text
  }

  /**
   * A descriptor of where a link leads (`root`, `cwd`, `fd/3`): of O_PATH, so that nothing is opened, whatever it is.
   * The errno as a negative number where it may not be followed. Close it.
   */
  tryFollow(link: string): number {
    return trySyscall('openat', this.#directory, link, O_PATH | O_CLOEXEC, 0)
  }

  /** A descriptor (O_PATH) of its root directory, which is closed with this. Throws {@link TareError}. */
  get root(): number {
    if (this.#root !== undefined) return this.#root
    const fd = this.tryFollow('root')
    if (fd < 0) throw this.error('openat', -fd)
    this.#root = fd
    return fd
  }

  /** A descriptor of one of its namespaces (`ns/net`), or the errno as a negative number. Close it. */
  tryOpenNamespace(link: string): number {
    return trySyscall('openat', this.#directory, link, O_RDONLY | O_CLOEXEC, 0)
  }

  /** The text of a link; undefined where it may not be read. */
  link(link: string): string | undefined {
    const buffer = Buffer.alloc(4096)
    const length = trySyscall('readlinkat', this.#directory, link, buffer, buffer.length)
    return length < 0 ? undefined : buffer.toString('utf8', 0, length)
  }

  /** The names in a directory (`fd`); undefined where it may not be read. */
  list(directory: string): readonly string[] | undefined {
    try {
      return readdirSync(`/proc/self/fd/${this.#directory}/${directory}`).toSorted()
    } catch {
      return undefined // not ours to read, or the process has ended, which the caller sees to
    }
  }

  /** Throws {@link TareError} if the process has ended, and what was read of it is worth nothing. */
  checkAlive(): void {
    const text = this.tryRead('stat')
    const state = typeof text === 'number' ? undefined : text.slice(text.lastIndexOf(')') + 2)[0]
    if (state === undefined || state === 'Z' || state === 'X') throw this.error('read', ESRCH)
  }

  [Symbol.dispose](): void {
    if (this.#root !== undefined) trySyscall('close', this.#root)
    trySyscall('close', this.#directory)
  }
}
