import { binding } from './binding.ts'
import { CallTable } from './call-table.ts'
import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import { O_CLOEXEC, O_RDONLY } from './fcntl.ts'
import type { NamespaceLink } from './namespace.ts'
import { inodeInText, NAMESPACE_TEXT_SIZE } from './namespace-links.ts'
import { syscallNumber, trySyscall } from './syscall.ts'

const codes = (...names: readonly string[]): readonly number[] => names.map((name) => -(ERRNO[name] ?? 0))

const GONE = codes('ENOENT', 'ESRCH')
const DENIED = codes('EACCES', 'EPERM')

/** Whether this negative errno says that a process, or a file of one, is not there. */
export const isGone = (result: number): boolean => GONE.includes(result)

/** Longer than most files of a process, so that one read(2) takes them whole. */
const FIRST_SIZE = 32 * 1024

/** Files that the kernel writes in one piece: a read(2) that finds less than it has room for has found all. */
const PIECES: readonly string[] = ['stat', 'status', 'cgroup', 'cmdline', 'comm', 'statm']

/** Looked up once: these calls are made many times for each process. */
const OPENAT = syscallNumber('openat')
const READ = syscallNumber('read')
const READLINKAT = syscallNumber('readlinkat')
const CLOSE = syscallNumber('close')

/** The text in the first bytes of a buffer. Naming its encoding would cost a look-up. */
const textIn = (bytes: Buffer, length: number): string => bytes.toString(undefined, 0, length)

/** What the processes of a directory are read with. One for each directory. */
export class ProcTools {
  /** Where texts arrive, one after the other; it grows with the longest. */
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_SIZE)
  readonly #links: Map<readonly NamespaceLink[], CallTable> = new Map()

  /** Calls that read links, each into memory of its own, of the directory that is the first argument of each. */
  linkTable(links: readonly NamespaceLink[]): CallTable {
    const known = this.#links.get(links)
    if (known !== undefined) return known
    const made = new CallTable(
      links.map((link, index) => {
        return ['readlinkat', -1, `ns/${link}`, { own: index * NAMESPACE_TEXT_SIZE }, NAMESPACE_TEXT_SIZE]
      }),
      { parts: 1, room: links.length * NAMESPACE_TEXT_SIZE },
    )
    this.#links.set(links, made)
    return made
  }

  grow(): void {
    this.bytes = Buffer.concat([this.bytes], this.bytes.length * 2)
  }
}

/**
 * One process in /proc, held by a descriptor of its directory: all that is read through it is of one and the same
 * process, even if that ends meanwhile and another one gets its number. Close it.
 */
export class ProcProcess {
  readonly pid: number
  readonly #fd: number
  readonly #tools: ProcTools
  #ended = false
  #isClosed = false
  #known: { readonly links: readonly NamespaceLink[]; readonly inodes: readonly (number | undefined)[] } | undefined

  /** Made by `ProcDirectory.open`. */
  constructor(pid: number, fd: number, tools: ProcTools) {
    this.pid = pid
    this.#fd = fd
    this.#tools = tools
  }

  /** Whether something could not be told because the process has ended and was waited for. */
  get ended(): boolean {
    return this.#ended
  }

  /**
   * The text of a file such as `status`, or so many bytes of its beginning. Undefined where it may not be read, where
   * this kernel has no such file, or where the process has ended: see {@link ended}.
   */
  read(file: string, limit: number = Number.MAX_SAFE_INTEGER): string | undefined {
    const fd = binding.syscall(OPENAT, this.#fd, file, O_RDONLY | O_CLOEXEC, 0)
    if (fd < 0) return this.untold(file, 'openat', fd)
    const result = this.#fill(fd, limit, PIECES.includes(file))
    binding.syscall(CLOSE, fd)
    return result < 0 ? this.untold(file, 'read', result) : textIn(this.#tools.bytes, result)
  }

  /**
   * The inode of a namespace; undefined where it may not be known (ptrace(2), PTRACE_MODE_READ_FSCREDS), this kernel
   * has no such kind, or the process has ended: one that was not yet waited for (a zombie) has left all but its pid
   * and user namespaces.
   */
  namespace(link: NamespaceLink): number | undefined {
    const { bytes } = this.#tools
    const length = binding.syscall(READLINKAT, this.#fd, `ns/${link}`, bytes, bytes.length)
    if (length > 0) return inodeInText(bytes, 0, length)
    // Both errors are a link's own too: only the directory says whether the process has ended.
    if (this.#isThere()) return undefined
    return this.untold(`ns/${link}`, 'readlinkat', -(ERRNO['ENOENT'] ?? 0))
  }

  /** The inodes of several namespaces in one go, as {@link namespace}; the same list of links each time. */
  namespaces(links: readonly NamespaceLink[]): readonly (number | undefined)[] {
    if (this.#known?.links === links) return this.#known.inodes
    const table = this.#tools.linkTable(links)
    for (let call = 0; call < links.length; call++) table.setNumber(call, 0, this.#fd)
    table.run()
    return links.map((link, index) => {
      const length = table.result(index)
      return length > 0 ? inodeInText(table.memory, index * NAMESPACE_TEXT_SIZE, length) : this.namespace(link)
    })
  }

  /** Keeps for {@link namespaces} what was read as it was opened; what is undefined is asked for once more. */
  keep(links: readonly NamespaceLink[], inodes: readonly (number | undefined)[]): void {
    const all = inodes.includes(undefined) ? links.map((link, index) => inodes[index] ?? this.namespace(link)) : inodes
    this.#known = { links, inodes: all }
  }

  /**
   * A descriptor of a namespace; undefined as for {@link namespace}. Close it.
   */
  openNamespace(link: NamespaceLink): number | undefined {
    const fd = binding.syscall(OPENAT, this.#fd, `ns/${link}`, O_RDONLY | O_CLOEXEC, 0)
    return fd < 0 ? this.untold(`ns/${link}`, 'openat', fd) : fd
  }

  /** Where a link such as `exe` leads, or undefined as for {@link read}. Takes the right to trace the process. */
  link(name: string): string | undefined {
    const { bytes } = this.#tools
    const result = binding.syscall(READLINKAT, this.#fd, name, bytes, bytes.length)
    return result < 0 ? this.untold(name, 'readlinkat', result) : textIn(bytes, result)
  }

  /** Takes note that a file was not to be read, for this negative errno. Throws if that tells of no end and no wall. */
  untold(file: string, call: string, result: number): undefined {
    if (isGone(result)) this.#ended ||= !this.#isThere()
    else if (!DENIED.includes(result)) {
      throw new TareError({ operation: 'read', target: `/proc/${this.pid}/${file}`, syscall: call, errno: -result })
    }
  }

  /** The descriptor of its directory, which is the caller's to close from now on. */
  release(): number {
    this.#isClosed = true
    return this.#fd
  }

  /** Does nothing once it is closed. */
  close(): void {
    if (!this.#isClosed) binding.syscall(CLOSE, this.#fd)
    this.#isClosed = true
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Reads a descriptor to its end or limit; how many bytes, or the errno as a negative number. */
  #fill(fd: number, limit: number, isPiece: boolean): number {
    let length = 0
    for (;;) {
      if (length === this.#tools.bytes.length) this.#tools.grow()
      const { bytes } = this.#tools
      const room = Math.min(bytes.length, limit) - length
      const result = binding.syscall(READ, fd, length === 0 ? bytes : bytes.subarray(length), room)
      if (result <= 0) return result < 0 ? result : length
      length += result
      if (length >= limit || (isPiece && result < room)) return length
    }
  }

  #isThere(): boolean {
    return !this.#isClosed && trySyscall('faccessat', this.#fd, 'stat', 0) === 0
  }
}
