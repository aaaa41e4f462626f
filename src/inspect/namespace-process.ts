import { idInside, parseIdMap } from '../linux/idmap.ts'
import { readNamespace } from '../linux/namespace.ts'
import type { ProcDirectory, ProcProcess } from '../linux/proc-directory.ts'
import { parseCommandLine } from '../linux/process-command-line.ts'
import { parseProcessStatus } from '../linux/process-status.ts'
import { COMMAND_LINE_LIMIT } from './processes.ts'
import { userNames } from './user-names.ts'

/** A process, as both sides know it. */
export interface NamespaceProcess {
  readonly pid: number
  /** Its number in each pid namespace that it is in: the reader's first, its own last. */
  readonly pids: readonly number[]
  /** The effective user id, as the reader's user namespace sees it. */
  readonly uid: number
  /** Its name on this host (/etc/passwd); undefined where it has none. */
  readonly user: string | undefined
  /** The same in the process's own user namespace; undefined where it isn't mapped there. */
  readonly uidInside: number | undefined
  /** Its arguments with spaces between them, or its name in brackets where it has none. Any characters but NUL. */
  readonly command: string
}

/** Reads processes for display, each once. */
export class ProcessReader {
  readonly #proc: ProcDirectory
  /** The reader's user namespace. */
  readonly #own: number | undefined
  readonly #users: ReadonlyMap<number, string> = userNames()
  readonly #names: Map<number, string> = new Map()
  readonly #known: Map<number, NamespaceProcess | undefined> = new Map()

  /** The directory stays the caller's. */
  constructor(proc: ProcDirectory) {
    this.#proc = proc
    this.#own = readNamespace('self', 'user')?.inode
  }

  /** Undefined where it has ended, or hides (hidepid of proc(5)). */
  read(pid: number): NamespaceProcess | undefined {
    if (!this.#known.has(pid)) this.#known.set(pid, this.#read(pid))
    return this.#known.get(pid)
  }

  /** What it calls itself: 15 bytes at most, any but NUL; empty where it has ended. */
  name(pid: number): string {
    const known = this.#names.get(pid)
    if (known !== undefined) return known
    const process = this.#proc.open(pid)
    const name = process?.read('comm')?.slice(0, -1) ?? ''
    process?.close()
    this.#names.set(pid, name)
    return name
  }

  #inside(process: ProcProcess, uid: number): number | undefined {
    // The map of the reader's own namespace would tell what its ids are outside of that.
    if (process.namespace('user') === this.#own) return uid
    return idInside(parseIdMap(process.read('uid_map') ?? ''), uid)
  }

  #read(pid: number): NamespaceProcess | undefined {
    const process = this.#proc.open(pid)
    if (process === undefined) return undefined
    try {
      const text = process.read('status')
      if (text === undefined) return undefined
      const { name, pids, uid } = parseProcessStatus(text)
      const words = parseCommandLine(process.read('cmdline', COMMAND_LINE_LIMIT) ?? '')
      return {
        pid,
        pids,
        uid: uid.effective,
        user: this.#users.get(uid.effective),
        uidInside: this.#inside(process, uid.effective),
        command: words.length === 0 ? `[${name}]` : words.join(' '),
      }
    } finally {
      process.close()
    }
  }
}
