import { Buffer } from 'node:buffer'
import { Readable } from 'node:stream'
import { binding } from '../linux/binding.ts'
import { ERRNO } from '../linux/errno.ts'
import { TareError } from '../linux/error.ts'
import { O_NONBLOCK, O_RDONLY } from '../linux/fcntl.ts'
import { syscall, trySyscall } from '../linux/syscall.ts'

const F_SETFL = 4
/** As much as a pipe holds. */
const CHUNK = 65536
const { EAGAIN = 11 } = ERRNO

/**
 * Our end of a pipe as a stream: read when somebody wants more, so that who reads slowly slows the writer down. A socket
 * of node:net does that for a pipe under Node alone; under Bun it reads nothing.
 */
export class PipeReader extends Readable {
  readonly #fd: number
  #watched = false

  /** Takes the descriptor over. */
  constructor(fd: number) {
    super({ highWaterMark: CHUNK })
    this.#fd = fd
    syscall({ operation: 'read the output' }, 'fcntl', fd, F_SETFL, O_RDONLY | O_NONBLOCK)
    // Where nothing comes it is closed at its end, read or not.
    this.read(0)
  }

  override _read(): void {
    if (!this.#watched) this.#readOn()
  }

  #readOn(): void {
    const chunk = Buffer.allocUnsafeSlow(CHUNK)
    const length = trySyscall('read', this.#fd, chunk, CHUNK)
    if (length > 0) this.push(length < CHUNK ? Buffer.from(chunk.subarray(0, length)) : chunk)
    else if (length === -EAGAIN) this.#watch()
    else if (length === 0) {
      this.push(null)
      this.read(0)
    } else this.destroy(new TareError({ operation: 'read the output', errno: -length }))
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // What is still watched must stay open until its callback has come.
    if (!this.#watched || binding.unwatch(this.#fd)) trySyscall('close', this.#fd)
    done(error)
  }

  #watch(): void {
    const result = binding.watch(this.#fd, () => {
      this.#watched = false
      if (this.destroyed) trySyscall('close', this.#fd)
      else this.#readOn()
    })
    if (result < 0) this.destroy(new TareError({ operation: 'watch the output', errno: -result }))
    else this.#watched = true
  }
}
