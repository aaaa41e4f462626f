import { binding } from './binding.ts'
import { errnoName } from './errno.ts'
import { TareError } from './error.ts'
import { syscall, trySyscall } from './syscall.ts'

const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_DEL = 2
const EPOLLIN = 1
const EFD_CLOEXEC_NONBLOCK = 0o2004000

/** struct epoll_event is packed on x86-64 alone. */
const EVENT_SIZE = process.arch === 'x64' ? 12 : 16
const DATA_OFFSET = process.arch === 'x64' ? 4 : 8
const MOST_EVENTS = 64

const epollEvent = (fd: number): Buffer => {
  const buffer = Buffer.alloc(EVENT_SIZE)
  buffer.writeUInt32LE(EPOLLIN, 0)
  buffer.writeInt32LE(fd, DATA_OFFSET)
  return buffer
}

/** An eventfd(2): a counter that others raise, and that is readable when it isn't 0. Close it. */
export const openEventfd = (): number =>
  syscall({ operation: 'make an event descriptor' }, 'eventfd2', 0, EFD_CLOEXEC_NONBLOCK)

/** What the counter of an eventfd has come to since it was read last; 0 if nothing has happened. */
export const readEventfd = (fd: number): number => {
  const value = new BigUint64Array(1)
  return trySyscall('read', fd, value, 8) === 8 ? Number(value[0]) : 0
}

/** Waits for several descriptors at once, without holding this thread up. epoll(7) */
export class Epoll {
  readonly #epoll: number
  readonly #stop: number
  #state: 'idle' | 'waiting' | 'closed' = 'idle'
  #wake: () => void = () => undefined

  constructor() {
    this.#epoll = syscall({ operation: 'make an epoll descriptor' }, 'epoll_create1', EPOLL_CLOEXEC)
    try {
      this.#stop = openEventfd()
      this.add(this.#stop)
    } catch (error) {
      trySyscall('close', this.#epoll)
      throw error
    }
  }

  /** From now on the descriptor is waited for. It must stay open until it is removed, or this is closed. */
  add(fd: number): void {
    const purpose = { operation: 'watch', target: `descriptor ${fd}` }
    syscall(purpose, 'epoll_ctl', this.#epoll, EPOLL_CTL_ADD, fd, epollEvent(fd))
  }

  /** It is no longer waited for. */
  remove(fd: number): void {
    if (this.#state !== 'closed') trySyscall('epoll_ctl', this.#epoll, EPOLL_CTL_DEL, fd, epollEvent(fd))
  }

  /**
   * Resolves with the descriptors that can be read, as soon as there are some; with none once this is closed. To be
   * called one at a time.
   */
  async ready(): Promise<readonly number[]> {
    for (;;) {
      if (this.#state === 'closed') return []
      const now = this.#readyNow()
      if (now.length > 0) return now
      await this.#wait()
    }
  }

  /** Ends the wait. The descriptors that were added stay open. */
  close(): void {
    const before = this.#state
    this.#state = 'closed'
    if (before === 'closed') return
    if (before === 'idle' || binding.unwatch(this.#epoll)) {
      this.#closeAll()
      this.#wake()
      return
    }
    // The watcher may hold the descriptor only while it is open: it is woken, and closes it then.
    trySyscall('write', this.#stop, new BigUint64Array([1n]), 8)
  }

  #wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#state = 'waiting'
      this.#wake = resolve
      const result = binding.watch(this.#epoll, () => {
        if (this.#state === 'closed') this.#closeAll()
        else this.#state = 'idle'
        resolve()
      })
      if (result >= 0) return
      this.#state = 'idle'
      reject(new TareError({ operation: 'watch an epoll descriptor', errno: -result }))
    })
  }

  #closeAll(): void {
    trySyscall('close', this.#epoll)
    trySyscall('close', this.#stop)
  }

  #readyNow(): readonly number[] {
    const events = Buffer.alloc(MOST_EVENTS * EVENT_SIZE)
    const count = trySyscall('epoll_pwait', this.#epoll, events, MOST_EVENTS, 0, null, 8)
    if (count < 0 && errnoName(-count) !== 'EINTR')
      throw new TareError({ operation: 'watch descriptors', syscall: 'epoll_pwait', errno: -count })
    return Array.from({ length: Math.max(0, count) }, (_, index) =>
      events.readInt32LE(index * EVENT_SIZE + DATA_OFFSET),
    )
  }
}
