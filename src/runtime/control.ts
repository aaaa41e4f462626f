import { receiveDescriptors } from '../linux/socket.ts'
import { trySyscall } from '../linux/syscall.ts'

/** native/plan.h: struct report, and its kinds; the last two are written by plans: a program's id, and that it waits. */
const MESSAGE_SIZE = 16
const REPORT_FAILED = 1
const REPORT_REFUSED = 2
export const REPORT_PID = 3
export const REPORT_READY = 4

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
  #ready = false
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

  /** Whether it waits for us to set up its namespaces. */
  get ready(): boolean {
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
      if (message === undefined || message.bytes.length === 0) return
      for (const fd of message.fds) {
        if (this.#descriptor !== undefined) trySyscall('close', this.#descriptor)
        this.#descriptor = fd
      }
      if (message.bytes.length < MESSAGE_SIZE) continue
      const view = new DataView(message.bytes.buffer, message.bytes.byteOffset, MESSAGE_SIZE)
      const kind = view.getUint32(0, true)
      const step = view.getUint32(4, true)
      if (kind === REPORT_PID) this.#pid = step
      if (kind === REPORT_READY) this.#ready = true
      if (kind === REPORT_FAILED || kind === REPORT_REFUSED)
        this.#report ??= { kind: kind === REPORT_FAILED ? 'failed' : 'refused', step, errno: view.getInt32(8, true) }
    }
  }
}
