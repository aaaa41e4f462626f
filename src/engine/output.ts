import { Buffer } from 'node:buffer'
import { PassThrough } from 'node:stream'
import type { Readable } from 'node:stream'
import { binding } from '../linux/binding.ts'
import { ERRNO } from '../linux/errno.ts'
import { TareError } from '../linux/error.ts'
import { O_NONBLOCK, O_RDONLY } from '../linux/fcntl.ts'
import { syscall, trySyscall } from '../linux/syscall.ts'
import type { Collected } from './collect.ts'
import { Collector, collect } from './collect.ts'
import { PipeReader } from './pipe-reader.ts'

const F_SETFL = 4
/** How long a program may take, in milliseconds, before its output is read while it runs. */
const SOON = 10
/** As much as a pipe holds. */
const CHUNK = 65536
const { EAGAIN = 11 } = ERRNO

/** What is read goes through one buffer, and is copied at its true size: most programs write little, or nothing. */
let scratch: Buffer | undefined
const scratchBuffer = (): Buffer => (scratch ??= Buffer.allocUnsafeSlow(CHUNK))

/** Where an output of a program is read. */
export interface Output {
  /** As a stream. To be asked for before {@link collect}, or it begins where that has come to. */
  readonly stream: Readable
  /** Reads to the end, and keeps up to `limit` bytes; calls `overflow` once if there is more. */
  readonly collect: (limit: number, overflow: () => void) => Promise<Collected>
  /** The program has ended: reads what is there, at once. */
  readonly settle: () => void
  readonly destroy: () => void
}

/** An output that is a stream already. */
export const streamOutput = (stream: Readable): Output => ({
  stream,
  collect: (limit, overflow) => collect(stream, limit, overflow),
  settle: () => undefined,
  destroy: () => void stream.destroy(),
})

/**
 * Our end of a pipe. It becomes a stream only if somebody asks for one: to collect what a program writes, reading the
 * descriptor when it is ready costs a tenth of what a stream costs.
 */
export class PipeOutput implements Output {
  readonly #fd: number
  #open = true
  #watched = false
  #stream: Readable | undefined
  #tap: PassThrough | undefined
  #collector: Collector | undefined
  #done: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined

  /** Takes the descriptor over. */
  constructor(fd: number) {
    this.#fd = fd
  }

  get stream(): Readable {
    if (this.#stream !== undefined) return this.#stream
    if (this.#collector === undefined) {
      this.#open = false
      this.#stream = new PipeReader(this.#fd)
    } else {
      this.#tap = new PassThrough()
      this.#stream = this.#tap
      if (!this.#open) this.#tap.end()
    }
    return this.#stream
  }

  async collect(limit: number, overflow: () => void): Promise<Collected> {
    if (this.#stream !== undefined) return collect(this.#stream, limit, overflow)
    const collector = new Collector(limit, overflow)
    this.#collector = collector
    syscall({ operation: 'read the output' }, 'fcntl', this.#fd, F_SETFL, O_RDONLY | O_NONBLOCK)
    const ended = new Promise<void>((resolve) => {
      this.#done = resolve
    })
    // Most programs that end soon have written less than a pipe holds: that is read at their end, unwatched.
    this.#timer = setTimeout(() => this.#watch(), SOON)
    await ended
    return collector.result
  }

  settle(): void {
    if (this.#collector === undefined || !this.#open) return
    this.#drain(this.#collector)
    if (this.#open && !this.#watched) this.#watch()
  }

  destroy(): void {
    this.#stream?.destroy()
    this.#close()
  }

  #watch(): void {
    if (!this.#open) return
    clearTimeout(this.#timer)
    const result = binding.watch(this.#fd, () => {
      this.#watched = false
      if (!this.#open) trySyscall('close', this.#fd)
      if (!this.#open || this.#collector === undefined) return
      this.#drain(this.#collector)
      if (this.#open) this.#watch()
    })
    if (result < 0) throw new TareError({ operation: 'watch the output', errno: -result })
    this.#watched = true
  }

  #drain(collector: Collector): void {
    while (this.#open) {
      const chunk = scratchBuffer()
      const length = trySyscall('read', this.#fd, chunk, CHUNK)
      if (length === -EAGAIN) return
      if (length <= 0) {
        this.#close()
        this.#tap?.end()
        this.#done?.()
        return
      }
      const bytes = Buffer.from(chunk.subarray(0, length))
      collector.add(bytes)
      this.#tap?.write(bytes)
    }
  }

  #close(): void {
    if (!this.#open) return
    this.#open = false
    clearTimeout(this.#timer)
    // What is still watched must stay open until its callback has come.
    if (!this.#watched || binding.unwatch(this.#fd)) trySyscall('close', this.#fd)
  }
}
