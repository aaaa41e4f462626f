import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import { ERRNO } from '../linux/errno.ts'
import { TareError } from '../linux/error.ts'
import { O_NONBLOCK, O_RDONLY } from '../linux/fcntl.ts'
import { trySyscall } from '../linux/syscall.ts'
import { WatchedDescriptor } from './watched-descriptor.ts'

/** As much as a pipe holds. */
const CHUNK = 65536
const { EAGAIN = 11 } = ERRNO

/**
 * Our end of a pipe as a stream: read when somebody wants more, so that who reads slowly slows the writer down. A socket
 * of node:net does that for a pipe under Node alone; under Bun it reads nothing.
 */
export class PipeReader extends Readable {
  readonly #end: WatchedDescriptor

  /** Takes the descriptor over. */
  constructor(fd: number) {
    super({ highWaterMark: CHUNK })
    this.#end = new WatchedDescriptor(fd, O_RDONLY | O_NONBLOCK, 'read the output')
    // Where nothing comes it is closed at its end, read or not.
    this.read(0)
  }

  override _read(): void {
    if (!this.#end.isWatched) this.#readOn()
  }

  #readOn(): void {
    const chunk = Buffer.allocUnsafeSlow(CHUNK)
    const length = trySyscall('read', this.#end.fd, chunk, CHUNK)
    if (length > 0) this.push(length < CHUNK ? Buffer.from(chunk.subarray(0, length)) : chunk)
    else if (length === -EAGAIN) this.#watch()
    else if (length === 0) {
      this.push(null)
      this.read(0)
    } else this.destroy(new TareError({ operation: 'read the output', errno: -length }))
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#end.close()
    done(error)
  }

  #watch(): void {
    const result = this.#end.watch(() => this.#readOn(), 'readable')
    if (result < 0) this.destroy(new TareError({ operation: 'watch the output', errno: -result }))
  }
}
