import { binding } from '../linux/binding.ts'
import { syscall, trySyscall } from '../linux/syscall.ts'

const F_SETFL = 4

/** A descriptor of a stream of ours, which is watched from time to time. */
export class WatchedDescriptor {
  readonly fd: number
  #watched = false
  #closed = false

  /** Takes the descriptor over, and sets its status flags: O_NONBLOCK, and how it is open. fcntl(2) */
  constructor(fd: number, flags: number, operation: string) {
    this.fd = fd
    syscall({ operation }, 'fcntl', fd, F_SETFL, flags)
  }

  get isWatched(): boolean {
    return this.#watched
  }

  /**
   * Calls back once, when it is readable (`writable`: when there is room) or its other end is gone, unless it is closed
   * before. Returns 0, or the negative error number.
   */
  watch(ready: () => void, what: 'readable' | 'writable'): number {
    const noticed = (): void => {
      this.#watched = false
      if (this.#closed) trySyscall('close', this.fd)
      else ready()
    }
    const result = binding.watch(this.fd, noticed, what === 'writable')
    this.#watched = result >= 0
    return result
  }

  /** What is still watched stays open until its callback has come. */
  close(): void {
    this.#closed = true
    if (!this.#watched || binding.unwatch(this.fd)) trySyscall('close', this.fd)
  }
}
