import { AT_NO_AUTOMOUNT, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from './fcntl.ts'
import { inodeInText, NAMESPACE_TEXT_SIZE } from './namespace-links.ts'
import type { NamespaceId } from './namespace.ts'
import { NAMESPACE_KINDS } from './namespace.ts'
import { trySyscall } from './syscall.ts'

const [ZERO, NINE, DOT, SLASH] = [0x30, 0x39, 0x2e, 0x2f]

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What begins the links of descriptors. */
const BEGINNINGS = NAMESPACE_KINDS.map((kind) => ({ kind, bytes: bytesOf(`${kind}:`) }))
const SOCKET = bytesOf('socket:')
/** The device of tun and tap, each of whose descriptors is a socket too. */
const TUN = bytesOf('/dev/net/tun')

const startsWith = (text: Uint8Array, beginning: Uint8Array): boolean => {
  for (let at = 0; at < beginning.length; at++) if (text[at] !== beginning[at]) return false
  return true
}

const ENTRIES_SIZE = 32_768

/** `struct linux_dirent64`: where the length of an entry and its name stand. */
const [D_RECLEN, D_NAME] = [16, 19]

/** statx(2): the number of links, and where it stands in the answer. */
const STATX_NLINK = 0x4
const STX_NLINK = 16

/** Lists descriptors and threads of thousands of processes, without a text or an error for each. */
export class ProcEntries {
  readonly #text: Uint8Array = new Uint8Array(NAMESPACE_TEXT_SIZE)
  readonly #entries: Uint8Array = new Uint8Array(ENTRIES_SIZE)
  readonly #view: DataView = new DataView(this.#entries.buffer)
  readonly #proc: number

  /** `proc` is a descriptor of /proc, which stays the caller's. */
  constructor(proc: number) {
    this.#proc = proc
  }

  /**
   * Calls back with the name of each entry of a directory below /proc (`12/fd`), ended by NUL, and with the directory's
   * descriptor; both are valid until it returns. Not at all where the directory can't be read.
   */
  each(path: string, callback: (name: Uint8Array, directory: number) => void): void {
    const directory = trySyscall('openat', this.#proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    if (directory < 0) return
    try {
      let length: number
      while ((length = trySyscall('getdents64', directory, this.#entries, ENTRIES_SIZE)) > 0) {
        for (let at = 0; at < length;) {
          const size = this.#view.getUint16(at + D_RECLEN, true)
          // All but `.` and `..` are numbers.
          if (this.#entries[at + D_NAME] !== DOT) callback(this.#entries.subarray(at + D_NAME, at + size), directory)
          at += size
        }
      }
    } finally {
      trySyscall('close', directory)
    }
  }

  /**
   * The namespace that a descriptor is of, by its entry of an `fd` directory; `socket` for one that lies in a network
   * namespace; undefined for others.
   */
  descriptor(name: Uint8Array, directory: number): NamespaceId | 'socket' | undefined {
    const text = this.#text
    const length = trySyscall('readlinkat', directory, name, text, NAMESPACE_TEXT_SIZE)
    if (length <= 0) return undefined
    // A file begins with a slash. What is no file has its sort before a colon.
    if (text[0] === SLASH) return startsWith(text, TUN) ? 'socket' : undefined
    for (const { kind, bytes } of BEGINNINGS) {
      if (startsWith(text, bytes)) return { kind, inode: inodeInText(text, 0, length) }
    }
    return startsWith(text, SOCKET) ? 'socket' : undefined
  }

  /** How many threads a process has; the directory of its threads has a link for each, and two. */
  threads(pid: number): number {
    const result = trySyscall('statx', this.#proc, `${pid}/task`, AT_NO_AUTOMOUNT, STATX_NLINK, this.#entries)
    return result < 0 ? result : this.#view.getUint32(STX_NLINK, true) - 2
  }
}

/** The number that a name of {@link ProcEntries.each} spells: a descriptor, or a thread id. */
export const numberOf = (name: Uint8Array): number => {
  let value = 0
  for (const byte of name) {
    if (byte < ZERO || byte > NINE) break
    value = 10 * value + (byte - ZERO)
  }
  return value
}
