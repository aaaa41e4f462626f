import { binding } from '../linux/binding.ts'
import type { Cgroup } from '../linux/cgroup/cgroup.ts'
import { TareError } from '../linux/error.ts'
import { O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY } from '../linux/fcntl.ts'
import { openNamespace } from '../linux/namespace.ts'
import { openPidfd, sendPidfdSignal, whenEnded } from '../linux/pidfd.ts'
import { packetSocketPair } from '../linux/socket.ts'
import { ARCHITECTURE, syscall, trySyscall } from '../linux/syscall.ts'
import { waitid } from '../linux/wait.ts'
import { encodePlan } from '../plan/encode.ts'
import type { Step } from '../plan/step.ts'
import { Control } from './control.ts'
import { Descriptors } from './descriptors.ts'
import type { PlanHost } from './plan/context.ts'
import { planExec } from './plan/exec.ts'
import type { Ended, RunningProgram } from './running.ts'
import { TerminalSide, setupError } from './running.ts'
import type { ContainerSpec, ProcessSpec } from './spec.ts'
import { finishStage, planDescriptor, startStage, stepTaken } from './stage.ts'

const AT_FDCWD = -100
const SIGKILL = 9

interface ExecParts {
  readonly stage: readonly Step[]
  readonly pid: number
  readonly pidfd: number
  readonly control: Control
  readonly planFd: number
  readonly terminal: boolean
  readonly cgroup: Cgroup | undefined
}

const oomKills = (cgroup: Cgroup | undefined): number => cgroup?.oomEvents()?.oomKill ?? 0

/** One more program in a container. */
export class ExecRunning implements RunningProgram {
  readonly pid: number
  readonly ended: Promise<Ended>
  readonly terminalReady: Promise<number | undefined>
  readonly #parts: ExecParts
  readonly #oomBefore: number
  #open = true
  readonly #terminal = new TerminalSide()

  constructor(parts: ExecParts) {
    this.pid = parts.pid
    this.#parts = parts
    this.#oomBefore = oomKills(parts.cgroup)
    this.terminalReady = parts.terminal ? this.#terminal.receive(parts.control) : Promise.resolve(undefined)
    this.ended = this.#end()
  }

  get terminal(): number | undefined {
    return this.#terminal.descriptor
  }

  /** SIGKILL goes to all processes of its group: those that it started, unless they left. */
  signal(signal: number): boolean {
    if (!this.#open || !sendPidfdSignal(this.#parts.pidfd, signal)) return false
    if (signal === SIGKILL) trySyscall('kill', -this.pid, signal)
    return true
  }

  /**
   * Leaves it to itself as soon as it runs, if its spec lets it outlive this process: {@link ended} is never settled then.
   * Rejects if it was never reached.
   */
  async leave(): Promise<void> {
    const { pidfd, control, planFd } = this.#parts
    const over = this.ended.then(
      () => undefined,
      () => undefined,
    )
    await Promise.race([whenEnded(control.fd), over])
    // Where it has ended at once, or was never reached, that is said as ever.
    if (!this.#open || control.report !== undefined || !binding.unwatch(pidfd)) {
      await this.ended
      return
    }
    this.#open = false
    control.close()
    for (const fd of [pidfd, planFd]) trySyscall('close', fd)
  }

  async #end(): Promise<Ended> {
    const { pidfd, control, planFd, stage, cgroup } = this.#parts
    try {
      await whenEnded(pidfd)
      await this.terminalReady
      const waited = waitid({ pidfd })
      if (waited === undefined) throw new TareError({ operation: 'wait for', target: `process ${this.pid}` })
      const error = setupError(stage, control, stepTaken(planFd), waited.status)
      if (error !== undefined) throw error
      const { userTime, systemTime, maxResident } = waited.usage
      const oomKilled = oomKills(cgroup) > this.#oomBefore
      return { status: waited.status, userTime, systemTime, peakMemory: maxResident, oomKilled }
    } finally {
      this.#open = false
      this.#terminal.close()
      binding.unwatch(control.fd)
      control.close()
      for (const fd of [pidfd, planFd]) trySyscall('close', fd)
    }
  }
}

export interface ExecOptions {
  readonly stdio: readonly [stdin: number, stdout: number, stderr: number]
  readonly host: PlanHost
}

/** What a program is let into. */
export interface ExecContainer {
  readonly spec: ContainerSpec
  /** A process that is in all its namespaces, and a pidfd of it. */
  readonly pid: number
  readonly pidfd: number
  readonly alive: boolean
  /** The group that the program is to be in. */
  readonly cgroup: Cgroup | undefined
}

/** Starts a program in a running container. Throws if it has ended, or if the kernel refuses to let it in. */
export const execInContainer = async (
  container: ExecContainer,
  process: ProcessSpec,
  { stdio, host }: ExecOptions,
): Promise<ExecRunning> => {
  if (!container.alive)
    throw new TareError({ operation: 'run a program in the container', reason: 'it has ended', code: 'ERR_TARE_ENDED' })
  const descriptors = new Descriptors()
  const { cgroup } = container
  try {
    const born = host.cgroups?.kind === 'v2' ? cgroup?.unified : undefined
    const birth =
      born === undefined
        ? undefined
        : descriptors.add(
            syscall({ operation: 'open', target: born }, 'openat', AT_FDCWD, born, O_PATH | O_DIRECTORY | O_CLOEXEC, 0),
          )
    const joins = birth === undefined ? (cgroup?.joinFiles() ?? []) : []
    const files = joins.map((file) =>
      descriptors.add(syscall({ operation: 'open', target: file }, 'openat', AT_FDCWD, file, O_WRONLY | O_CLOEXEC, 0)),
    )
    const clocks = descriptors.add(openNamespace(container.pid, 'time_for_children'))
    const { stage, data } = planExec({ ...container.spec, process }, host, { joins })
    const [ours, theirs] = packetSocketPair()
    descriptors.add(ours)
    descriptors.add(theirs)
    const planFd = descriptors.add(planDescriptor(encodePlan(stage, data, ARCHITECTURE)))
    const joiner = startStage(0, [...stdio, theirs, planFd, container.pidfd, clocks, ...files], birth)
    descriptors.close(theirs)
    const control = new Control(ours)
    descriptors.add(joiner.pidfd)
    const { status } = await finishStage(joiner)
    const { pid } = control
    if (pid === undefined) {
      throw (
        setupError(stage, control, stepTaken(planFd), status) ??
        new TareError({ operation: 'start a program in the container' })
      )
    }
    const pidfd = openPidfd(pid)
    descriptors.release(ours)
    descriptors.release(planFd)
    return new ExecRunning({ stage, pid, pidfd, control, planFd, terminal: process.terminal, cgroup })
  } finally {
    descriptors.closeAll()
  }
}
