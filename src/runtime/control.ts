import { receiveDescriptors } from '../linux/socket.ts'
import { trySyscall } from '../linux/syscall.ts'

/**
 * native/plan.h: struct report, and its kinds; the last three are written by plans: a program's id, that it waits, and the
 * id of a parent that stays with it.
 */
const MESSAGE_SIZE = 16
const REPORT_FAILED = 1
const REPORT_REFUSED = 2
export const REPORT_PID = 3
export const REPORT_READY = 4
export const REPORT_MONITOR = 5

/** What the stage said of itself. */
export interface Report {
  readonly kind: 'failed' | 'refused'
  readonly step: number
  readonly errno: number
}

/** Our end of the socket to a stage: its reports, and descriptors that come from it. */
export class Control {
  readonly fd: number
  #report: Report | undefined
  #pid: number | undefined
  #monitor: number | undefined
  #ready = 0
  #closed = false
  #descriptor: number | undefined

  constructor(fd: number) {
    this.fd = fd
  }

  /** What went wrong; undefined if nothing did so far. */
  get report(): Report | undefined {
    this.#drain()
    return this.#report
  }

  /** The process that the stage has cloned, as the host sees it. */
  get pid(): number | undefined {
    this.#drain()
    return this.#pid
  }

  /** The parent that stays with that process. */
  get monitor(): number | undefined {
    this.#drain()
    return this.#monitor
  }

  /** Whether nobody has the other end any more. */
  get closed(): boolean {
    this.#drain()
    return this.#closed
  }

  /** Whether it waits for us, or says that all is there. */
  get ready(): boolean {
    return this.timesReady > 0
  }

  /** How often it has said that it waits for us. */
  get timesReady(): number {
    this.#drain()
    return this.#ready
  }

  /** The descriptor that came, if one did: it is the caller's to close, and given once. */
  takeDescriptor(): number | undefined {
    this.#drain()
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    return descriptor
  }

  close(): void {
    if (this.#descriptor !== undefined) trySyscall('close', this.#descriptor)
    trySyscall('close', this.fd)
  }

  /** Takes what has come so far; never waits. */
  #drain(): void {
    for (;;) {
      const message = receiveDescriptors(this.fd, MESSAGE_SIZE, { operation: 'hear from the stage' })
      if (message === undefined) return
      if (message.bytes.length === 0) {
        this.#closed = true
        return
      }
      for (const fd of message.fds) {
        if (this.#descriptor !== undefined) trySyscall('close', this.#descriptor)
        this.#descriptor = fd
      }
      if (message.bytes.length < MESSAGE_SIZE) continue
      const view = new DataView(message.bytes.buffer, message.bytes.byteOffset, MESSAGE_SIZE)
      const kind = view.getUint32(0, true)
      const step = view.getUint32(4, true)
      if (kind === REPORT_PID) this.#pid = step
      if (kind === REPORT_MONITOR) this.#monitor = step
      if (kind === REPORT_READY) this.#ready += 1
      if (kind === REPORT_FAILED || kind === REPORT_REFUSED)
        this.#report ??= { kind: kind === REPORT_FAILED ? 'failed' : 'refused', step, errno: view.getInt32(8, true) }
    }
  }
}
