import { AT_NO_AUTOMOUNT, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from './fcntl.ts'
import type { NamespaceId, NamespaceKind, NamespaceLink } from './namespace.ts'
import { NAMESPACE_KINDS } from './namespace.ts'
import { trySyscall } from './syscall.ts'

const bytesOf = (name: string): Uint8Array => new TextEncoder().encode(`${name}\0`)

/** The names of the links below /proc/PID/ns, as system calls take them. */
const NAMES: Readonly<Record<NamespaceLink, Uint8Array>> = {
  cgroup: bytesOf('cgroup'),
  ipc: bytesOf('ipc'),
  mnt: bytesOf('mnt'),
  net: bytesOf('net'),
  pid: bytesOf('pid'),
  pid_for_children: bytesOf('pid_for_children'),
  time: bytesOf('time'),
  time_for_children: bytesOf('time_for_children'),
  user: bytesOf('user'),
  uts: bytesOf('uts'),
}

const [ZERO, NINE, BRACKET, COLON, DOT] = [0x30, 0x39, 0x5b, 0x3a, 0x2e]

/** The number between the brackets of `net:[4026531840]`; 0 for another text. */
const inodeIn = (text: Uint8Array, length: number): number => {
  const bracket = text.indexOf(BRACKET)
  if (bracket < 0 || bracket >= length) return 0
  let inode = 0
  for (let at = bracket + 1; at < length - 1; at++) {
    const digit = text[at] ?? 0
    if (digit < ZERO || digit > NINE) return 0
    inode = 10 * inode + (digit - ZERO)
  }
  return inode
}

/** What begins the links of sockets, and of the device whose descriptors are each a socket (tun, tap). */
const SOCKETS = [bytesOf('socket:').subarray(0, -1), bytesOf('/dev/net/tun').subarray(0, -1)]

const startsWith = (text: Uint8Array, beginning: Uint8Array): boolean => {
  for (let at = 0; at < beginning.length; at++) if (text[at] !== beginning[at]) return false
  return true
}

/** The kind that `net:[4026531840]` begins with; undefined for another text, such as `pipe:[1234]`. */
const kindIn = (text: Uint8Array): NamespaceKind | undefined =>
  NAMESPACE_KINDS.find((kind) => {
    const name = NAMES[kind].subarray(0, -1)
    return text[name.length] === COLON && startsWith(text, name)
  })

/** Longer than any link to a namespace. */
const TEXT_SIZE = 64
const ENTRIES_SIZE = 32_768

/** statx(2): the number of links, and where it stands in the answer. */
const STATX_NLINK = 0x4
const STX_NLINK = 16

/**
 * Reads thousands of links below /proc: a system call for each link, no text and no error object. Paths are relative
 * to a directory, /proc. What it returns of a failure is the negative errno.
 */
export class NamespaceLinks {
  readonly #text: Uint8Array = new Uint8Array(TEXT_SIZE)
  readonly #entries: Uint8Array = new Uint8Array(ENTRIES_SIZE)
  readonly #view: DataView = new DataView(this.#entries.buffer)
  readonly #proc: number

  /** The descriptor of /proc stays the caller's. */
  constructor(proc: number) {
    this.#proc = proc
  }

  /** A descriptor of a directory whose links are to be read (`12/ns`); close it with {@link close}. */
  open(path: string): number {
    return trySyscall('openat', this.#proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC)
  }

  /** A descriptor of a directory that is to be listed (`12/fd`); close it with {@link close}. */
  openList(path: string): number {
    return trySyscall('openat', this.#proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  }

  close(fd: number): void {
    trySyscall('close', fd)
  }

  /** How many threads a process has; the directory of its threads has a link for each, and two. */
  threads(pid: number): number {
    const result = trySyscall('statx', this.#proc, `${pid}/task`, AT_NO_AUTOMOUNT, STATX_NLINK, this.#entries)
    return result < 0 ? result : this.#view.getUint32(STX_NLINK, true) - 2
  }

  /** The inode of the namespace that a link below an opened `ns` directory leads to. */
  inode(directory: number, link: NamespaceLink): number {
    const length = trySyscall('readlinkat', directory, NAMES[link], this.#text, TEXT_SIZE)
    return length < 0 ? length : inodeIn(this.#text, length)
  }

  /**
   * The namespace that a descriptor is of, from its link below an opened `fd` directory; `socket` for one that lies in
   * a network namespace; undefined for others.
   */
  descriptor(directory: number, name: Uint8Array): NamespaceId | 'socket' | undefined {
    const length = trySyscall('readlinkat', directory, name, this.#text, TEXT_SIZE)
    if (length <= 0) return undefined
    // Files begin with a slash. What is neither file nor namespace has another word before the colon.
    const kind = kindIn(this.#text)
    if (kind !== undefined) return { kind, inode: inodeIn(this.#text, length) }
    return SOCKETS.some((text) => startsWith(this.#text, text)) ? 'socket' : undefined
  }

  /** Calls back with the name of each entry of an opened directory but `.` and `..`, ended by NUL, valid until it returns. */
  each(directory: number, callback: (name: Uint8Array) => void): void {
    for (;;) {
      const length = trySyscall('getdents64', directory, this.#entries, ENTRIES_SIZE)
      if (length <= 0) return
      for (let at = 0; at < length;) {
        const size = this.#view.getUint16(at + 16, true)
        if (this.#entries[at + 19] !== DOT) callback(this.#entries.subarray(at + 19, at + size))
        at += size
      }
    }
  }
}

/** The number that a name of {@link NamespaceLinks.each} spells: a descriptor, or a thread id. */
export const numberOf = (name: Uint8Array): number => {
  let value = 0
  for (const byte of name) {
    if (byte < ZERO || byte > NINE) break
    value = 10 * value + (byte - ZERO)
  }
  return value
}
