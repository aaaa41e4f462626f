import { Buffer } from 'node:buffer'
import type { Cgroup } from '../linux/cgroup/cgroup.ts'
import { TareError } from '../linux/error.ts'
import { sendPidfdSignal, whenEnded } from '../linux/pidfd.ts'
import { receiveDescriptors } from '../linux/socket.ts'
import { signalName } from '../linux/signal.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { ResourceUsage, WaitStatus } from '../linux/wait.ts'
import { RUSAGE_SIZE, decodeRusage, decodeWaitStatus, waitid } from '../linux/wait.ts'
import { stepError } from '../plan/failure.ts'
import type { Step } from '../plan/step.ts'
import type { ContainerPlan } from './plan/context.ts'
import type { Report } from './stage.ts'
import { REPORT_SIZE, parseReport, readReport, stepTaken } from './stage.ts'

const SIGKILL = 9
/** Size of struct ended, native/plan.h. */
const ENDED_SIZE = 8 + RUSAGE_SIZE

/** How a container ended, and what it used. */
export interface Ended {
  readonly status: WaitStatus
  /** Microseconds of processor time. */
  readonly userTime: number
  readonly systemTime: number
  /** The most memory in use at once, in bytes: of the whole container where it has a memory cgroup, else of its
   * largest process; undefined where neither is known. */
  readonly peakMemory: number | undefined
  /** Whether the kernel killed a process because a memory limit was reached. */
  readonly oomKilled: boolean
}

export interface RunningParts {
  readonly plan: ContainerPlan
  /** The stage's steps as they were sent. */
  readonly stage: readonly Step[]
  readonly pid: number
  readonly pidfd: number
  readonly control: number
  readonly status: number
  readonly planFd: number
  readonly cgroup: Cgroup | undefined
}

/** A container on its way or running. Its end is awaited from the beginning, so that nothing is left of it. */
export class Running {
  readonly plan: ContainerPlan
  /** The id, on the host, of its PID 1. */
  readonly pid: number
  readonly cgroup: Cgroup | undefined
  /** Resolves when it has ended and all that belonged to it is gone; rejects if the program was never reached. */
  readonly ended: Promise<Ended>
  /** Resolves with our side of the program's terminal, or with undefined if it never came to have one. */
  readonly terminalReady: Promise<number | undefined>
  readonly #parts: RunningParts
  #open = true
  #terminal: number | undefined
  /** A report that came instead of the terminal. */
  #early: Report | undefined

  constructor(parts: RunningParts) {
    this.plan = parts.plan
    this.pid = parts.pid
    this.cgroup = parts.cgroup
    this.#parts = parts
    this.terminalReady = parts.plan.spec.process.terminal ? this.#receiveTerminal() : Promise.resolve(undefined)
    this.ended = this.#end()
  }

  /** Sends a signal to the program; to PID 1 where there is one, which passes it on. False if it has ended. */
  signal(signal: number): boolean {
    return this.#open && sendPidfdSignal(this.#parts.pidfd, signal)
  }

  /** Ends every process of the container: the kernel kills a pid namespace with its PID 1. */
  kill(): boolean {
    return this.signal(SIGKILL)
  }

  /** A pidfd of PID 1; valid until the container has ended. */
  get pidfd(): number {
    return this.#parts.pidfd
  }

  /** Our side of the program's terminal, once it is there; it is closed when the container has ended. */
  get terminal(): number | undefined {
    return this.#open ? this.#terminal : undefined
  }

  /** The step that the stage is at, or, once it has become the program, its last. */
  get step(): number {
    return stepTaken(this.#parts.planFd)
  }

  /** Resolves when the program runs, or has failed to: then {@link ended} rejects. */
  started(): Promise<void> {
    return whenEnded(this.#parts.control)
  }

  async #receiveTerminal(): Promise<number | undefined> {
    await whenEnded(this.#parts.control)
    const message = receiveDescriptors(this.#parts.control, REPORT_SIZE, { operation: 'receive the terminal' })
    this.#terminal = message?.fds[0]
    if (message !== undefined && this.#terminal === undefined) this.#early = parseReport(message.bytes)
    return this.#terminal
  }

  async #end(): Promise<Ended> {
    const { pidfd, control, status, planFd, cgroup } = this.#parts
    try {
      await whenEnded(pidfd)
      const waited = waitid({ pidfd })
      if (waited === undefined) throw new TareError({ operation: 'wait for', target: `process ${this.pid}` })
      return this.#outcome(waited.status, waited.usage)
    } finally {
      this.#open = false
      for (const fd of [pidfd, control, status, planFd]) trySyscall('close', fd)
      await cgroup?.remove()
    }
  }

  #outcome(own: WaitStatus, usage: ResourceUsage): Ended {
    const { control, stage, cgroup } = this.#parts
    const report = this.#early ?? readReport(control)
    if (report !== undefined) {
      const step = stage[report.step]
      if (step !== undefined && report.kind === 'failed') throw stepError(step, report.errno)
      throw new TareError({
        operation: 'start the container',
        reason: `the stage ${report.kind} at step ${report.step}`,
        errno: report.errno,
      })
    }
    const told = this.#told()
    const status = told?.status ?? own
    const at = stage[this.step]
    if (at?.call !== 'execve') {
      const how = status.kind === 'killed' ? `was killed by ${signalName(status.signal)}` : 'ended'
      throw new TareError({
        operation: at?.what ?? 'start the container',
        reason: `the process that was to do it ${how}`,
        code: 'ERR_TARE_KILLED',
      })
    }
    const used = cgroup?.stats()
    return {
      status,
      userTime: usage.userTime,
      systemTime: usage.systemTime,
      peakMemory: used?.memory?.peak ?? told?.usage.maxResident,
      oomKilled: (cgroup?.oomEvents()?.oomKill ?? 0) > 0,
    }
  }

  /** What PID 1 said of the program. All who could write to the pipe have ended, so reading doesn't wait. */
  #told(): { readonly status: WaitStatus; readonly usage: ResourceUsage } | undefined {
    const bytes = Buffer.alloc(ENDED_SIZE)
    if (trySyscall('read', this.#parts.status, bytes, bytes.length) !== ENDED_SIZE) return undefined
    return { status: decodeWaitStatus(bytes.readUInt32LE(0)), usage: decodeRusage(bytes.subarray(8)) }
  }
}
