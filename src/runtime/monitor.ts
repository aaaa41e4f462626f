import { TareError } from '../linux/error.ts'
import { CLONE_NEWUSER } from '../linux/namespace.ts'
import { openPidfd, whenEnded } from '../linux/pidfd.ts'
import { packetSocketPair, sendDescriptors } from '../linux/socket.ts'
import { ARCHITECTURE, trySyscall } from '../linux/syscall.ts'
import { RUSAGE_SIZE, decodeRusage } from '../linux/wait.ts'
import { encodePlan } from '../plan/encode.ts'
import type { Step } from '../plan/step.ts'
import { Control } from './control.ts'
import { Descriptors } from './descriptors.ts'
import type { ExitCommand } from './plan/monitor.ts'
import { planMonitor } from './plan/monitor.ts'
import { setupError } from './running.ts'
import type { StageProcess } from './stage.ts'
import { finishStage, planDescriptor, startStage, stepTaken } from './stage.ts'
import type { StageRequest } from './start.ts'
import { handOver } from './start.ts'

export type { ExitCommand } from './plan/monitor.ts'
export { MONITOR_LOCK_FD, MONITOR_STATUS_FD } from './plan/monitor.ts'

/** What a monitor is given; all descriptors stay the caller's. */
export interface MonitorParts {
  /** A descriptor of /dev/null. */
  readonly nothing: number
  /** What is to be held as long as the container runs, and by the exit command. */
  readonly lock: number
  /** A listening socket of packets. */
  readonly listener: number
  /** The log, and how many bytes of the console it keeps. */
  readonly log: number
  readonly capacity: number
  /** A socket on which init says how far it is. */
  readonly notify: number | undefined
  /** What else is to be held until the container has ended. */
  readonly held: readonly number[]
  readonly exit: ExitCommand
}

/** A container's control socket, its plan, and the pipe for its end. */
const CONTAINER_SLOTS = 3
/** How a stage ends that could not do a step (native/stage.c). */
const ENDED = { kind: 'exited', code: 125 } as const

/** The small parent of a container in the background, as long as this process has to do with it. */
export class Monitor {
  readonly pid: number
  /** The container's process. */
  readonly container: StageProcess
  readonly #pidfd: number
  readonly #control: Control
  readonly #planFd: number
  readonly #steps: readonly Step[]

  constructor(parts: {
    readonly pid: number
    readonly container: StageProcess
    readonly control: Control
    readonly planFd: number
    readonly steps: readonly Step[]
  }) {
    this.pid = parts.pid
    this.container = parts.container
    this.#control = parts.control
    this.#planFd = parts.planFd
    this.#steps = parts.steps
    this.#pidfd = openPidfd(parts.pid)
  }

  /** Hands the console over; from then on the container is the monitor's alone. Rejects if it could not take it. */
  async handOver(console: number): Promise<void> {
    sendDescriptors(this.#control.fd, Uint8Array.of(1), [console], { operation: 'hand over the console' })
    await whenEnded(this.#control.fd)
    if (!this.#control.ready) throw this.#error()
    this.#close()
  }

  /** Ends it, and with it the container; resolves when it is gone. */
  async abandon(): Promise<void> {
    this.#control.close()
    await whenEnded(this.#pidfd)
    for (const fd of [this.#pidfd, this.#planFd]) trySyscall('close', fd)
  }

  #close(): void {
    this.#control.close()
    for (const fd of [this.#pidfd, this.#planFd]) trySyscall('close', fd)
  }

  #error(): TareError {
    return (
      setupError(this.#steps, this.#control, stepTaken(this.#planFd), ENDED) ??
      new TareError({ operation: 'keep the console', reason: 'the process that was to do it has ended' })
    )
  }
}

/** The process that a monitor has made. `failure`: why it never became the stage, if it didn't. */
const stageOf = (
  pid: number,
  { flags, unshare, control }: StageRequest,
  failure: () => TareError | undefined,
): StageProcess => {
  const pidfd = openPidfd(pid)
  return {
    pid,
    pidfd,
    child: 0n,
    held: (flags & CLONE_NEWUSER) !== 0,
    unshare,
    parent: {
      proceed: () => handOver(control, []),
      // Its monitor waits for it, and is told what it used.
      finish: async () => {
        await whenEnded(pidfd)
        const error = failure()
        if (error !== undefined) throw error
        return { pid, uid: 0, status: ENDED, usage: decodeRusage(new Uint8Array(RUSAGE_SIZE)) }
      },
    },
  }
}

/**
 * Starts a monitor, and the container's process as its child. Both end if this process ends before the console is
 * handed over. Rejects if the kernel refuses a step; nothing is left then.
 */
export const startMonitor = async (parts: MonitorParts, request: StageRequest): Promise<Monitor> => {
  const descriptors = new Descriptors()
  const { nothing, lock, listener, log, capacity, notify, exit, held: others } = parts
  const { flags, unshare, slots, status } = request
  try {
    const held = (flags & CLONE_NEWUSER) !== 0
    const inherited = slots.length - CONTAINER_SLOTS
    const { stage, data } = planMonitor({
      cloneFlags: flags,
      held,
      unshare,
      inherited,
      notify: notify !== undefined,
      capacity,
      exit,
    })
    const [ours, theirs] = packetSocketPair()
    descriptors.add(ours)
    descriptors.add(theirs)
    const planFd = descriptors.add(planDescriptor(encodePlan(stage, data, ARCHITECTURE)))
    const own = [nothing, nothing, nothing, theirs, planFd, status, lock, listener, log, notify ?? nothing]
    const launcher = startStage(0, [...own, ...slots, ...others])
    descriptors.add(launcher.pidfd)
    descriptors.close(theirs)
    const control = new Control(ours)
    const { status: ended } = await finishStage(launcher)
    // In this order: what comes after the last look must be what the wait ends by.
    while (!control.closed && control.pid === undefined) await whenEnded(ours)
    const { pid, monitor } = control
    if (pid === undefined || monitor === undefined)
      throw setupError(stage, control, stepTaken(planFd), ended) ?? new TareError({ operation: 'start the monitor' })
    descriptors.release(ours)
    descriptors.release(planFd)
    const failure = () => (control.report === undefined ? undefined : setupError(stage, control, 0, ENDED))
    return new Monitor({ pid: monitor, container: stageOf(pid, request, failure), control, planFd, steps: stage })
  } finally {
    descriptors.closeAll()
  }
}
