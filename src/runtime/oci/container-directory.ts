import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { ERRNO } from '../../linux/errno.ts'
import { InputError } from '../../linux/error.ts'
import { AT_FDCWD } from '../../linux/fcntl.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { syscall, trySyscall } from '../../linux/syscall.ts'
import type { ContainerRecord } from './record.ts'
import { formatRecord, parseRecord } from './record.ts'

const LOCK_EX = 2
const S_IFIFO = 0o010000

const ABSENT = (id: string): InputError =>
  new InputError({ operation: 'find container', target: id, reason: 'it does not exist' })

/** Ids are names of directories: letters, digits and `_+-.,`. Throws {@link InputError}. */
const checkId = (id: string): string => {
  if (/^[\w+.,-]{1,255}$/.test(id) && id !== '.' && id !== '..') return id
  throw new InputError({
    operation: 'use the id',
    target: JSON.stringify(id),
    reason: 'it is no name for a container',
    hint: 'It may have letters, digits and the characters _ + - . and ,',
  })
}

/** Where a container keeps what is known of it between calls: ROOT/ID. */
export class ContainerDirectory {
  readonly id: string
  readonly path: string
  #lock: number | undefined

  /** Touches nothing. */
  constructor(root: string, id: string) {
    this.id = checkId(id)
    this.path = `${root}/${id}`
  }

  /** What `start` writes to, which is there from when it is created until it is started. */
  get startFifo(): string {
    return `${this.path}/start`
  }

  /** The same fifo while the container is being made. */
  get creatingFifo(): string {
    return `${this.path}/creating`
  }

  /** Where the stage says what went wrong after that. */
  get reportFifo(): string {
    return `${this.path}/report`
  }

  /** The bundle's configuration as it was when the container was created. */
  get configFile(): string {
    return `${this.path}/config.json`
  }

  get #recordFile(): string {
    return `${this.path}/state.json`
  }

  /** Makes it, with a lock that lasts until {@link unlock}. Throws {@link InputError} if there is one already. */
  make(): void {
    mkdirSync(this.path.slice(0, this.path.lastIndexOf('/')), { recursive: true, mode: 0o711 })
    try {
      mkdirSync(this.path, { mode: 0o711 })
    } catch (error) {
      const worded = fromNodeError(error, 'create container', this.id)
      if (worded.code !== 'EEXIST') throw worded
      throw new InputError({
        operation: 'create container',
        target: this.id,
        reason: 'a container with this id exists already',
        hint: 'Delete it first, or choose another id.',
      })
    }
    this.#hold()
  }

  /** Makes the fifo that says that the container is being made, and if it is to wait the one for what comes then. */
  makeFifos(wait: boolean): void {
    for (const path of wait ? [this.creatingFifo, this.reportFifo] : [this.creatingFifo])
      syscall({ operation: 'make the fifo', target: path }, 'mknodat', AT_FDCWD, path, S_IFIFO | 0o600, 0)
  }

  /** The container is made: it waits to be started, or runs. */
  finish(wait: boolean): void {
    const purpose = { operation: 'finish making container', target: this.id }
    if (wait) syscall(purpose, 'renameat2', AT_FDCWD, this.creatingFifo, AT_FDCWD, this.startFifo, 0)
    else syscall(purpose, 'unlinkat', AT_FDCWD, this.creatingFifo, 0)
  }

  /** Waits until nobody else changes it, and keeps others from doing so. Throws {@link InputError} if there is none. */
  lock(): void {
    this.#hold()
    // Whoever had it before may have deleted it.
    if (trySyscall('faccessat', AT_FDCWD, this.path, 0) >= 0) return
    this.unlock()
    throw ABSENT(this.id)
  }

  #hold(): void {
    try {
      this.#lock = openSync(this.path, 'r')
    } catch (error) {
      const worded = fromNodeError(error, 'open', this.path)
      throw worded.code === 'ENOENT' ? ABSENT(this.id) : worded
    }
    syscall({ operation: 'lock container', target: this.id }, 'flock', this.#lock, LOCK_EX)
  }

  /** Lets others change it. */
  unlock(): void {
    if (this.#lock !== undefined) closeSync(this.#lock)
    this.#lock = undefined
  }

  /** What is known of the container; undefined if it was left half made. Throws {@link InputError} if there is none. */
  tryRead(): ContainerRecord | undefined {
    let text: string
    try {
      text = readFileSync(this.#recordFile, 'utf8')
    } catch (error) {
      const worded = fromNodeError(error, 'read', this.#recordFile)
      if (worded.code !== 'ENOENT') throw worded
      if (trySyscall('faccessat', AT_FDCWD, this.path, 0) === -(ERRNO['ENOENT'] ?? 0)) throw ABSENT(this.id)
      return undefined
    }
    return parseRecord(text, this.#recordFile)
  }

  /** What is known of the container. Throws {@link InputError} if there is none, or only a half made one. */
  read(): ContainerRecord {
    const record = this.tryRead()
    if (record !== undefined) return record
    throw new InputError({
      operation: 'use container',
      target: this.id,
      reason: 'it was left half made',
      hint: 'Delete it with --force.',
    })
  }

  /** Replaces what is known of the container: whoever reads sees the old or the new. */
  write(record: ContainerRecord): void {
    const temporary = `${this.#recordFile}.new`
    try {
      writeFileSync(temporary, formatRecord(record), { mode: 0o600, flush: true })
      renameSync(temporary, this.#recordFile)
    } catch (error) {
      throw fromNodeError(error, 'write', this.#recordFile)
    }
  }

  /** Whether it is being made, waits to be started, or neither. */
  get stage(): 'creating' | 'created' | undefined {
    if (trySyscall('faccessat', AT_FDCWD, this.startFifo, 0) >= 0) return 'created'
    return trySyscall('faccessat', AT_FDCWD, this.creatingFifo, 0) >= 0 ? 'creating' : undefined
  }

  /** Removes it, whatever is in it. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
    this.unlock()
  }
}

/** The ids of the containers below a root; none where there is no such directory. */
export const containerIds = (root: string): readonly string[] => {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .toSorted()
  } catch (error) {
    const worded = fromNodeError(error, 'list the containers in', root)
    if (worded.code === 'ENOENT') return []
    throw worded
  }
}
