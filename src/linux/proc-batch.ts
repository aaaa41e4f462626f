import type { TableCall } from './call-table.ts'
import { CallTable } from './call-table.ts'
import { AT_EMPTY_PATH, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from './fcntl.ts'
import type { NamespaceLink } from './namespace.ts'
import { inodeInText, NAMESPACE_TEXT_SIZE } from './namespace-links.ts'

/** Room for a process id, ended by NUL. */
const PID_ROOM = 16

/** Opens processes of /proc and reads links of theirs, so many of them at most in one go. */
export class ProcOpenings {
  readonly #links: readonly NamespaceLink[]
  readonly #table: CallTable
  readonly #room: number

  constructor(directory: number, links: readonly NamespaceLink[], most: number) {
    this.#links = links
    this.#room = PID_ROOM + links.length * NAMESPACE_TEXT_SIZE
    const readLinks = links.map((link, index): TableCall => {
      const text = { own: PID_ROOM + index * NAMESPACE_TEXT_SIZE }
      return ['readlinkat', { resultOf: 0 }, `ns/${link}`, text, NAMESPACE_TEXT_SIZE]
    })
    this.#table = new CallTable(
      [['openat', directory, { own: 0 }, O_PATH | O_DIRECTORY | O_CLOEXEC, 0], ...readLinks],
      { parts: most, room: this.#room },
    )
  }

  run(pids: readonly number[]): void {
    let part = 0
    for (const pid of pids) {
      const text = String(pid)
      const at = part * this.#room
      for (let index = 0; index < text.length; index++) this.#table.memory[at + index] = text.charCodeAt(index)
      this.#table.memory[at + text.length] = 0
      part++
    }
    this.#table.run(pids.length)
  }

  /** The directory of a process, by its place in the list; or the errno as a negative number. The caller closes it. */
  descriptor(part: number): number {
    return this.#table.result(0, part)
  }

  /** The inodes of a process's namespaces; undefined for those that could not be read. */
  inodes(part: number): readonly (number | undefined)[] {
    return this.#links.map((_, index) => {
      const length = this.#table.result(1 + index, part)
      const from = part * this.#room + PID_ROOM + index * NAMESPACE_TEXT_SIZE
      return length > 0 ? inodeInText(this.#table.memory, from, length) : undefined
    })
  }
}

/** What statx(2) is asked for, where it puts it, and room for all that it tells (linux/stat.h). */
const STATX_UID = 0x8
const UID_OFFSET = 20
const STATX_ROOM = 256

/** Room for each file. */
const FILE_ROOM = 4096

const CALLS_PER_FILE = 3

/** Tells whose processes are, reads files of theirs, and closes them, so many of them at most in one go. */
export class ProcEndings {
  readonly #files: number
  readonly #table: CallTable
  readonly #room: number

  constructor(files: readonly string[], most: number) {
    this.#files = files.length
    this.#room = STATX_ROOM + files.length * FILE_ROOM
    const readFiles = files.flatMap((file, index): readonly TableCall[] => {
      const opened = { resultOf: 1 + CALLS_PER_FILE * index }
      return [
        ['openat', -1, file, O_RDONLY | O_CLOEXEC, 0],
        ['read', opened, { own: STATX_ROOM + index * FILE_ROOM }, FILE_ROOM],
        ['close', opened],
      ]
    })
    this.#table = new CallTable(
      [['statx', -1, '', AT_EMPTY_PATH, STATX_UID, { own: 0 }], ...readFiles, ['close', -1]],
      { parts: most, room: this.#room },
    )
  }

  run(descriptors: readonly number[]): void {
    const last = 1 + CALLS_PER_FILE * this.#files
    let part = 0
    for (const fd of descriptors) {
      this.#table.setNumber(0, 0, fd, part)
      for (let call = 1; call <= last; call += CALLS_PER_FILE) this.#table.setNumber(call, 0, fd, part)
      part++
    }
    this.#table.run(descriptors.length)
  }

  /** The user whom a process's directory belongs to. Of one that has ended it is root. */
  owner(part: number): number {
    return this.#table.memory.readUInt32LE(part * this.#room + UID_OFFSET)
  }

  /** How many bytes of a file were read, or the errno as a negative number. */
  length(part: number, file: number): number {
    return this.#table.result(CALLS_PER_FILE * file + 2, part)
  }

  /** So many bytes of a file as text. */
  text(part: number, file: number, length: number): string {
    const from = part * this.#room + STATX_ROOM + file * FILE_ROOM
    // Naming its encoding would cost a look-up.
    return this.#table.memory.toString(undefined, from, from + length)
  }
}
