import { CallTable } from './call-table.ts'
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from './fcntl.ts'
import type { NamespaceLink } from './namespace.ts'

const [ZERO, NINE, BRACKET] = [0x30, 0x39, 0x5b]

/** Longer than any link to a namespace. */
export const NAMESPACE_TEXT_SIZE = 64

/** The number between the brackets of `net:[4026531840]`, or of `socket:[12]`; 0 for another text. */
export const inodeInText = (text: Uint8Array, from: number, length: number): number => {
  const end = from + length - 1
  let at = from
  while (at < end && text[at] !== BRACKET) at++
  let inode = 0
  for (at++; at < end; at++) {
    const digit = text[at] ?? 0
    if (digit < ZERO || digit > NINE) return 0
    inode = 10 * inode + (digit - ZERO)
  }
  return inode
}

/** Longer than `4194304/task/4194304/ns`. */
const PATH_SIZE = 32

/**
 * Reads which namespaces thousands of processes and threads are in: all links of one in one go, without an object or
 * an error for each.
 */
export class NamespaceLinks {
  readonly #path: Uint8Array = new Uint8Array(PATH_SIZE)
  readonly #texts: Uint8Array
  readonly #inodes: Float64Array
  readonly #table: CallTable

  /** `proc` is a descriptor of /proc, which stays the caller's. */
  constructor(proc: number, links: readonly NamespaceLink[]) {
    const texts = new Uint8Array(links.length * NAMESPACE_TEXT_SIZE)
    const directory = { resultOf: 0 }
    this.#texts = texts
    this.#inodes = new Float64Array(links.length)
    this.#table = new CallTable([
      ['openat', proc, this.#path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0],
      ...links.map((link, index) => {
        const text = texts.subarray(index * NAMESPACE_TEXT_SIZE, (index + 1) * NAMESPACE_TEXT_SIZE)
        return ['readlinkat', directory, link, text, NAMESPACE_TEXT_SIZE] as const
      }),
      ['close', directory],
    ])
  }

  /**
   * The inodes of the namespaces that the links of a directory below /proc (`12/ns`) lead to, in the order of the links;
   * for one that can't be read the errno as a negative number. They are valid until the next time.
   */
  read(path: string): Float64Array {
    for (let at = 0; at < path.length; at++) this.#path[at] = path.charCodeAt(at)
    this.#path[path.length] = 0
    this.#table.run()
    for (let index = 0; index < this.#inodes.length; index++) {
      const length = this.#table.result(index + 1)
      this.#inodes[index] = length < 0 ? length : inodeInText(this.#texts, index * NAMESPACE_TEXT_SIZE, length)
    }
    return this.#inodes
  }
}
