import { Buffer } from 'node:buffer'
import { binding } from '../linux/binding.ts'
import type { Cgroup } from '../linux/cgroup/cgroup.ts'
import { TareError } from '../linux/error.ts'
import { sendPidfdSignal, whenEnded } from '../linux/pidfd.ts'
import { openPtyPeer } from '../linux/pty.ts'
import { signalName } from '../linux/signal.ts'
import { syscall, trySyscall } from '../linux/syscall.ts'
import type { ResourceUsage, WaitStatus } from '../linux/wait.ts'
import { RUSAGE_SIZE, decodeRusage, decodeWaitStatus } from '../linux/wait.ts'
import { stepError } from '../plan/failure.ts'
import type { Step } from '../plan/step.ts'
import type { Attachment } from './attachment.ts'
import type { Control } from './control.ts'
import type { ContainerPlan } from './plan/container-plan.ts'
import type { ContainerSpec } from './spec.ts'
import type { StageProcess } from './stage.ts'
import { finishStage, stepTaken } from './stage.ts'

const SIGKILL = 9
const F_DUPFD_CLOEXEC = 1030
/** What the stage ends with if a step fails (native/stage.c). */
const FAILED = 125
/** Size of struct ended, native/plan.h. */
const ENDED_SIZE = 8 + RUSAGE_SIZE

/** How a program ended, and what it used. */
export interface Ended {
  readonly status: WaitStatus
  /** Microseconds of processor time. */
  readonly userTime: number
  readonly systemTime: number
  /**
   * The most memory in use at once, in bytes: of the whole container where it has a memory cgroup, else of its largest
   * process; undefined where neither is known.
   */
  readonly peakMemory: number | undefined
  /** Whether the kernel killed a process because a memory limit was reached. */
  readonly oomKilled: boolean
}

/** A program on its way or running. */
export interface RunningProgram {
  /** Its id on the host; that of PID 1 where there is one beside it. */
  readonly pid: number
  /** Resolves when it has ended; rejects if it was never reached. */
  readonly ended: Promise<Ended>
  /** Resolves with our side of its terminal, or with undefined if it never came to have one. */
  readonly terminalReady: Promise<number | undefined>
  /** Our side of its terminal while it runs. */
  readonly terminal: number | undefined
  /** Sends a signal. False if it has ended. */
  readonly signal: (signal: number) => boolean
}

/** Why a program was never reached: the step that failed, or at which the stage was killed; undefined if it was. */
export const setupError = (
  stage: readonly Step[],
  control: Control,
  at: number,
  status: WaitStatus,
): TareError | undefined => {
  const { report } = control
  if (report !== undefined) {
    const step = stage[report.step]
    if (step !== undefined && report.kind === 'failed') return stepError(step, report.errno)
    const reason = `the stage ${report.kind} at step ${report.step}`
    return new TareError({ operation: 'start the container', reason, errno: report.errno })
  }
  const step = stage[at]
  if ((step?.operation === 'syscall' && step.call === 'execve') || step?.operation === 'init') return undefined
  const how = status.kind === 'killed' ? `was killed by ${signalName(status.signal)}` : 'ended'
  const reason = `the process that was to do it ${how}`
  return new TareError({ operation: step?.what ?? 'start the container', reason, code: 'ERR_TARE_KILLED' })
}

/**
 * Our side of a program's terminal. It is kept open until the program has ended, whatever becomes of the descriptor that
 * is read: a program closes its side before it ends, reading then fails, and if that closed the last of ours, the kernel
 * would hang the terminal up, and the program would end by SIGHUP.
 */
export class TerminalSide {
  #kept: number | undefined
  #peer: number | undefined

  /**
   * Waits until the stage speaks or is gone; resolves with a descriptor to read and write, which is the caller's.
   * `console`: the other side is held open too, since a terminal that nobody has open can't be read.
   */
  async receive(control: Control, console = false): Promise<number | undefined> {
    await whenEnded(control.fd)
    this.#kept = control.takeDescriptor()
    if (this.#kept === undefined) return undefined
    if (console) this.#peer = openPtyPeer(this.#kept)
    return syscall({ operation: 'duplicate the terminal' }, 'fcntl', this.#kept, F_DUPFD_CLOEXEC, 0)
  }

  /** While it is there. */
  get descriptor(): number | undefined {
    return this.#kept
  }

  close(): void {
    for (const fd of [this.#kept, this.#peer]) if (fd !== undefined) trySyscall('close', fd)
    this.#kept = undefined
    this.#peer = undefined
  }
}

/** What PID 1 says of the program. */
interface Told {
  readonly status: WaitStatus
  readonly usage: ResourceUsage
}

export interface RunningParts {
  readonly plan: ContainerPlan
  /** The stage's steps as they were sent. */
  readonly stage: () => readonly Step[]
  readonly process: StageProcess
  readonly control: Control
  readonly status: number
  readonly planFd: number
  readonly cgroup: Cgroup | undefined
  /** To be released at the end. */
  readonly network?: Attachment | undefined
}

/** A container on its way or running. Its end is awaited from the beginning, so that nothing is left of it. */
export class Running implements RunningProgram {
  readonly spec: ContainerSpec
  readonly pid: number
  readonly cgroup: Cgroup | undefined
  /** Resolves when it has ended and all that belonged to it is gone; rejects if the program was never reached. */
  readonly ended: Promise<Ended>
  readonly terminalReady: Promise<number | undefined>
  readonly #parts: RunningParts
  #open = true
  readonly #terminal = new TerminalSide()

  constructor(parts: RunningParts) {
    this.spec = parts.plan.spec
    this.pid = parts.process.pid
    this.cgroup = parts.cgroup
    this.#parts = parts
    const { terminal, console } = this.spec.process
    this.terminalReady = terminal
      ? this.#terminal.receive(parts.control, console !== undefined)
      : Promise.resolve(undefined)
    this.ended = this.#end()
  }

  /** Sends a signal to the program, by way of PID 1 where there is one beside it. False if the container has ended. */
  signal(signal: number): boolean {
    return this.#open && sendPidfdSignal(this.#parts.process.pidfd, signal)
  }

  /** Ends every process of the container: the kernel kills a pid namespace with its PID 1. */
  kill(): boolean {
    return this.signal(SIGKILL)
  }

  /** A pidfd of PID 1; valid until the container has ended. */
  get pidfd(): number {
    return this.#parts.process.pidfd
  }

  get terminal(): number | undefined {
    return this.#terminal.descriptor
  }

  /** The step that the stage is at, or, once it has become the program, its last. */
  get step(): number {
    return stepTaken(this.#parts.planFd)
  }

  /** Resolves when the program runs, or has failed to: then {@link ended} rejects. */
  started(): Promise<void> {
    return whenEnded(this.#parts.control.fd)
  }

  /** Whether it has not ended, and no step has failed so far. */
  get alive(): boolean {
    return this.#open && this.#parts.control.report === undefined
  }

  /**
   * Leaves it to its parent, where that is another process: {@link ended} is never settled then. False if it has ended,
   * or is about to.
   */
  leave(): boolean {
    const { process, control, status, planFd, network } = this.#parts
    if (!this.#open || !binding.unwatch(status)) return false
    this.#open = false
    this.#terminal.close()
    control.close()
    for (const fd of [process.pidfd, status, planFd]) trySyscall('close', fd)
    network?.leave()
    return true
  }

  async #end(): Promise<Ended> {
    const { process, control, status, planFd, cgroup, network } = this.#parts
    try {
      // It is said before PID 1 ends, and with it the namespaces: while the kernel takes those down, we wake up.
      await whenEnded(status)
      const told = this.#told()
      // Also where it never became the stage: the terminal is listened for on a socket that is closed below.
      const waited = await finishStage(process).finally(() => this.terminalReady)
      return this.#outcome(told, waited.status, waited.usage)
    } finally {
      this.#open = false
      this.#terminal.close()
      control.close()
      for (const fd of [process.pidfd, status, planFd]) trySyscall('close', fd)
      try {
        network?.release()
      } finally {
        await cgroup?.remove()
      }
    }
  }

  #outcome(told: Told | undefined, own: WaitStatus, usage: ResourceUsage): Ended {
    const { control, stage, cgroup } = this.#parts
    const status = told?.status ?? own
    // A stage that fails ends with 125, and one that is killed was killed: any other end is the program's own.
    const sure = told !== undefined && status.kind === 'exited' && status.code !== FAILED
    const error = sure ? undefined : setupError(stage(), control, this.step, status)
    if (error !== undefined) throw error
    if (told === undefined && own.kind === 'exited')
      throw new TareError({ operation: 'be PID 1', reason: `it ended with ${own.code}`, code: 'ERR_TARE_KILLED' })
    return {
      status,
      userTime: usage.userTime,
      systemTime: usage.systemTime,
      peakMemory: cgroup?.stats().memory?.peak ?? told?.usage.maxResident,
      oomKilled: (cgroup?.oomEvents()?.oomKill ?? 0) > 0,
    }
  }

  /** What PID 1 said of the program. Something is there to read, or all who could write have ended. */
  #told(): Told | undefined {
    const bytes = Buffer.alloc(ENDED_SIZE)
    if (trySyscall('read', this.#parts.status, bytes, bytes.length) !== ENDED_SIZE) return undefined
    return { status: decodeWaitStatus(bytes.readUInt32LE(0)), usage: decodeRusage(bytes.subarray(8)) }
  }
}
