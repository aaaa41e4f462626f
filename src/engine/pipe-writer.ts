import type { Buffer } from 'node:buffer'
import { Writable } from 'node:stream'
import { ERRNO } from '../linux/errno.ts'
import { TareError } from '../linux/error.ts'
import { O_NONBLOCK, O_WRONLY } from '../linux/fcntl.ts'
import { trySyscall } from '../linux/syscall.ts'
import { WatchedDescriptor } from './watched-descriptor.ts'

const { EAGAIN = 11, EPIPE = 32 } = ERRNO

type Done = (error?: Error | null) => void

/**
 * Our end of a pipe as a stream. What doesn't fit waits for room without holding anything up: a socket of node:net does
 * that for a pipe under Node alone, while under Bun it blocks the whole process.
 */
export class PipeWriter extends Writable {
  readonly #end: WatchedDescriptor
  /** Of the write that waits for room. */
  #waiting: Done | undefined

  /** Takes the descriptor over. */
  constructor(fd: number) {
    super()
    this.#end = new WatchedDescriptor(fd, O_WRONLY | O_NONBLOCK, 'write the input')
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#put(chunk, done)
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#end.close()
    this.#waiting?.(error ?? new TareError({ operation: 'write the input', errno: EPIPE }))
    this.#waiting = undefined
    done(error)
  }

  /** Once, however fast it is read: what didn't fit at once waits, so that others have their turn. */
  #put(bytes: Buffer, done: Done): void {
    const length = trySyscall('write', this.#end.fd, bytes, bytes.length)
    if (length === bytes.length) done()
    else if (length >= 0) this.#watch(bytes.subarray(length), done)
    else if (length === -EAGAIN) this.#watch(bytes, done)
    else done(new TareError({ operation: 'write the input', errno: -length }))
  }

  #watch(rest: Buffer, done: Done): void {
    const room = (): void => {
      this.#waiting = undefined
      this.#put(rest, done)
    }
    const result = this.#end.watch(room, 'writable')
    if (result < 0) done(new TareError({ operation: 'watch the input', errno: -result }))
    else this.#waiting = done
  }
}
