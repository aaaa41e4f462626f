import { Buffer } from 'node:buffer'
import { closeSync, openSync, readSync, writeSync, constants } from 'node:fs'
import { fromNodeError } from '../../linux/proc.ts'

/** Bytes of the console that are kept: what is older is overwritten. */
export const LOG_CAPACITY: number = 1 << 20

/** native/plan.h: struct monitor_log, and what its `state` says. */
const HEAD_SIZE = 16
const DATA_AT = 64
const STATES = ['unknown', 'ready', 'stopping'] as const

/** What init has said of itself, since it was started. */
export type InitState = (typeof STATES)[number]

/** The log of a machine's console, as its monitor writes it: so many of the last bytes, in a file that never grows. */
export class ConsoleLog {
  readonly fd: number
  readonly #path: string

  /** `make`: for writing, made if it isn't there. Close it. Throws where it can't be opened. */
  constructor(path: string, make = false) {
    this.#path = path
    try {
      this.fd = openSync(path, make ? constants.O_RDWR | constants.O_CREAT : constants.O_RDONLY, 0o600)
    } catch (error) {
      throw fromNodeError(error, 'open the log of the console', path)
    }
  }

  /** How many bytes were ever written to the console. */
  get written(): number {
    return Number(this.#head().readBigUInt64LE(0))
  }

  get initState(): InitState {
    return STATES[Number(this.#head().readBigUInt64LE(8))] ?? 'unknown'
  }

  /** For a new boot: nothing is known of its init yet. Only while nobody else writes. */
  forgetInit(): void {
    this.#write(Buffer.alloc(8), 8)
  }

  /** Adds to what the console has said. Only while nobody else writes. */
  append(text: string): void {
    const { written } = this
    const bytes = Buffer.from(text).subarray(-LOG_CAPACITY)
    const at = written % LOG_CAPACITY
    this.#write(bytes.subarray(0, LOG_CAPACITY - at), DATA_AT + at)
    this.#write(bytes.subarray(LOG_CAPACITY - at), DATA_AT)
    const head = Buffer.alloc(8)
    head.writeBigUInt64LE(BigInt(written + bytes.length))
    this.#write(head, 0)
  }

  /**
   * What was written from byte `from` on, counted from the first ever; and up to where that goes. What is no longer there
   * is left out: then `from` of what is returned is later.
   */
  read(from: number): { readonly from: number; readonly to: number; readonly bytes: Buffer } {
    const to = this.written
    const begin = Math.max(from, to - LOG_CAPACITY)
    const bytes = Buffer.alloc(to - begin)
    for (let done = 0; done < bytes.length;) {
      const at = (begin + done) % LOG_CAPACITY
      const count = Math.min(bytes.length - done, LOG_CAPACITY - at)
      done += this.#read(bytes, done, count, DATA_AT + at)
    }
    // Written over while it was read.
    const lost = Math.max(0, this.written - LOG_CAPACITY - begin)
    return { from: begin + lost, to, bytes: bytes.subarray(lost) }
  }

  close(): void {
    closeSync(this.fd)
  }

  #head(): Buffer {
    const head = Buffer.alloc(HEAD_SIZE)
    try {
      // One that was just made is empty: all zero.
      readSync(this.fd, head, 0, HEAD_SIZE, 0)
    } catch (error) {
      throw fromNodeError(error, 'read', this.#path)
    }
    return head
  }

  #read(bytes: Buffer, at: number, count: number, position: number): number {
    try {
      const got = readSync(this.fd, bytes, at, count, position)
      return got > 0 ? got : count
    } catch (error) {
      throw fromNodeError(error, 'read', this.#path)
    }
  }

  #write(bytes: Buffer, position: number): void {
    try {
      if (bytes.length > 0) writeSync(this.fd, bytes, 0, bytes.length, position)
    } catch (error) {
      throw fromNodeError(error, 'write', this.#path)
    }
  }
}
