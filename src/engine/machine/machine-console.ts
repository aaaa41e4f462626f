import { Buffer } from 'node:buffer'
import { Readable, Writable } from 'node:stream'
import { binding } from '../../linux/binding.ts'
import { ERRNO } from '../../linux/errno.ts'
import { whenEnded } from '../../linux/pidfd.ts'
import { encodeWindowSize } from '../../linux/pty.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { connectPackets } from '../../linux/unix-address.ts'

/** native/plan.h: the first byte of a message to a monitor, and the most that it takes at once. */
const TYPED = 0
const SIZE = 1
const LARGEST = 4096
const MSG_DONTWAIT_NOSIGNAL = 0x4040
/** How long to wait for room, in milliseconds. */
const FULL = 5
const { EAGAIN = 11 } = ERRNO

/**
 * The console of a machine in the background, for one of those who are attached to it: up to eight at once, who all see
 * what it writes from now on. One who doesn't read is let go by the monitor, so that the machine never waits.
 */
export class MachineConsole {
  readonly stdin: Writable
  /** Ends with the machine, or when the monitor has let go. */
  readonly stdout: Readable
  readonly #socket: number
  #open = true
  #reading = false

  /** `path`: of the monitor's socket. Throws {@link TareError}. */
  constructor(path: string) {
    this.#socket = connectPackets(path)
    this.stdin = new Writable({
      write: (chunk: Uint8Array, _encoding, done) => this.#type(Buffer.from(chunk), done),
    })
    this.stdin.on('error', () => undefined)
    this.stdout = new Readable({ read: () => this.#read() })
  }

  /** Tells the machine the size of the window. */
  resize(columns: number, rows: number): void {
    if (this.#open) this.#send(Buffer.concat([Uint8Array.of(SIZE), encodeWindowSize({ columns, rows })]))
  }

  /** Leaves it. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    // While it is watched the descriptor stays open: then it is closed when the notice comes.
    if (!this.#reading || binding.unwatch(this.#socket)) trySyscall('close', this.#socket)
    this.stdout.push(null)
    this.stdin.destroy()
  }

  #send(message: Buffer): number {
    return trySyscall('sendto', this.#socket, message, message.length, MSG_DONTWAIT_NOSIGNAL, null, 0)
  }

  #type(chunk: Buffer, done: (error?: Error | null) => void): void {
    // What is typed into a machine that has ended is lost.
    if (!this.#open || chunk.length === 0) return done()
    const part = chunk.subarray(0, LARGEST - 1)
    const result = this.#send(Buffer.concat([Uint8Array.of(TYPED), part]))
    if (result === -EAGAIN) return void setTimeout(() => this.#type(chunk, done), FULL)
    if (result < 0) return done()
    return this.#type(chunk.subarray(part.length), done)
  }

  #read(): void {
    if (this.#reading || !this.#open) return
    this.#reading = true
    void whenEnded(this.#socket).then(
      () => {
        this.#reading = false
        return this.#take()
      },
      (error: unknown) => this.stdout.destroy(error instanceof Error ? error : undefined),
    )
  }

  #take(): void {
    if (!this.#open) return void trySyscall('close', this.#socket)
    const bytes = Buffer.alloc(LARGEST)
    const length = trySyscall('recvfrom', this.#socket, bytes, bytes.length, MSG_DONTWAIT_NOSIGNAL, null, null)
    if (length === -EAGAIN) return this.#read()
    if (length > 0) return void this.stdout.push(bytes.subarray(0, length))
    return this.close()
  }
}
