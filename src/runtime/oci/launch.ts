import type { Cgroup } from '../../linux/cgroup/cgroup.ts'
import { TareError } from '../../linux/error.ts'
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY } from '../../linux/fcntl.ts'
import { sendPidfdSignal, whenEnded } from '../../linux/pidfd.ts'
import { packetSocketPair } from '../../linux/socket.ts'
import { ARCHITECTURE, syscall, trySyscall } from '../../linux/syscall.ts'
import { encodePlan } from '../../plan/encode.ts'
import type { WaitResult } from '../../linux/wait.ts'
import type { Registers } from '../../plan/perform.ts'
import { performSteps } from '../../plan/perform.ts'
import type { Step } from '../../plan/step.ts'
import { Control } from '../control.ts'
import { Descriptors } from '../descriptors.ts'
import { mapWithHelpers } from '../mapping-helpers.ts'
import { setupError } from '../running.ts'
import type { StageProcess } from '../stage.ts'
import { finishStage, planMemory, proceed, startStage, stepTaken, writePlan } from '../stage.ts'
import { handOver } from '../start.ts'
import type { BundlePlan } from './plan.ts'
import { inNamespaces } from './thread-namespaces.ts'

const SIGKILL = 9
const F_SETFL = 4

/** What Tare opens for a stage besides what its plan says. */
export interface LaunchFiles {
  readonly stdio: readonly [stdin: number, stdout: number, stderr: number]
  readonly cgroup: Cgroup | undefined
  /** The fifos of a container that waits. */
  readonly fifos: { readonly start: string; readonly report: string } | undefined
  /** A connection to whoever takes the terminal. */
  readonly console: number | undefined
  /** What hooks in the container read. Made when the process is there, whose id is in it. */
  readonly creatingState: number | undefined
  readonly startState: number | undefined
}

/** What is done as a launch goes on. */
export interface LaunchCallbacks {
  /** The process is there; nothing of its plan has been done. */
  readonly cloned: (pid: number) => void
  /** Its namespaces and mounts are there: the moment of the host's hooks. */
  readonly synced: () => Promise<void>
}

/** Opened without waiting for another end; then it waits like any other. */
const openFifo = (path: string, flags: number): number => {
  const fd = syscall({ operation: 'open', target: path }, 'openat', AT_FDCWD, path, flags | O_NONBLOCK | O_CLOEXEC, 0)
  syscall({ operation: 'open', target: path }, 'fcntl', fd, F_SETFL, 0)
  return fd
}

const openGroups = (
  { groups }: BundlePlan,
  cgroup: Cgroup | undefined,
  registers: Registers,
  descriptors: Descriptors,
): number | undefined => {
  const open = (path: string, flags: number): number =>
    descriptors.add(syscall({ operation: 'open', target: path }, 'openat', AT_FDCWD, path, flags | O_CLOEXEC, 0))
  for (const { hierarchy, register } of groups.files) {
    const directory = cgroup?.paths[hierarchy.name] ?? ''
    // Moving a single thread takes no lock that every fork takes too: see `planCgroup`.
    registers.set(register.index, open(`${directory}/${hierarchy.version === 1 ? 'tasks' : 'cgroup.procs'}`, O_WRONLY))
  }
  return groups.birth === undefined || cgroup?.unified === undefined
    ? undefined
    : open(cgroup.unified, O_PATH | O_DIRECTORY)
}

/** A container on its way: what whoever launched it holds of it. */
export class Launched {
  readonly #plan: BundlePlan
  readonly #stage: StageProcess
  readonly #control: Control
  readonly #planFd: number
  #ended: Promise<WaitResult> | undefined

  constructor(plan: BundlePlan, stage: StageProcess, control: Control, planFd: number) {
    this.#plan = plan
    this.#stage = stage
    this.#control = control
    this.#planFd = planFd
  }

  get pid(): number {
    return this.#stage.pid
  }

  /** Resolves when its first process has ended. */
  ended(): Promise<WaitResult> {
    this.#ended ??= finishStage(this.#stage)
    return this.#ended
  }

  /** Resolves when the program runs. Throws what it failed with. */
  async started(): Promise<void> {
    const control = this.#control
    while (!control.closed && control.report === undefined) await whenEnded(control.fd)
    if (control.report !== undefined) throw await this.#failure()
  }

  /** Waits until it has said so often that it waits. Throws what it failed with. */
  async ready(times: number): Promise<void> {
    const control = this.#control
    for (;;) {
      // In this order: what was said before the end comes before it.
      const { closed } = control
      if (control.report !== undefined) throw await this.#failure()
      if (control.timesReady >= times) return
      if (closed) throw await this.#failure()
      await whenEnded(control.fd)
    }
  }

  async #failure(): Promise<Error> {
    const { status } = await this.ended()
    return (
      setupError(this.#plan.stage, this.#control, stepTaken(this.#planFd), status) ??
      new TareError({ operation: 'set up the container', reason: 'its process has ended' })
    )
  }

  /** Ends what there is of it. */
  async kill(): Promise<void> {
    if (this.#ended === undefined) sendPidfdSignal(this.#stage.pidfd, SIGKILL)
    await this.ended()
  }

  /** Sends a signal to its first process. False if that has ended. */
  signal(signal: number): boolean {
    return sendPidfdSignal(this.#stage.pidfd, signal)
  }

  /** Closes what is held of it; the container stays. */
  release(): void {
    this.#control.close()
    for (const fd of [this.#planFd, this.#stage.pidfd]) trySyscall('close', fd)
  }
}

/**
 * Carries out a plan up to where the stage waits, or up to the program. The process is a child of this one, and stays
 * when this one ends. If anything fails it is killed.
 */
export const launchBundle = async (
  plan: BundlePlan,
  files: LaunchFiles,
  callbacks: LaunchCallbacks,
): Promise<Launched> => {
  const descriptors = new Descriptors()
  const registers: Registers = new Map()
  const { registers: own } = plan
  try {
    const birth = openGroups(plan, files.cgroup, registers, descriptors)
    const set = (register: { readonly index: number }, fd: number | undefined): void => {
      if (fd !== undefined) registers.set(register.index, fd)
    }
    const start = files.fifos === undefined ? -1 : descriptors.add(openFifo(files.fifos.start, O_RDONLY))
    if (files.fifos !== undefined) set(own.report, descriptors.add(openFifo(files.fifos.report, O_RDWR)))
    set(own.console, files.console)
    set(own.creatingState, files.creatingState)
    set(own.startState, files.startState)
    own.preserved.forEach((register, index) => set(register, index + 3))
    const perform = (steps: readonly Step[], pid: number): void => {
      try {
        performSteps(steps, plan.ownData, registers, pid)
      } finally {
        for (const { result } of steps) {
          const fd = result === undefined ? undefined : registers.get(result.index)
          if (fd !== undefined) descriptors.add(fd)
        }
      }
    }
    perform(plan.prepare, 0)
    const [control, theirs] = packetSocketPair()
    descriptors.add(control)
    descriptors.add(theirs)
    const planFd = descriptors.add(planMemory())
    const write = (): void => writePlan(planFd, encodePlan(plan.stage, plan.data, ARCHITECTURE))
    // One that has nothing to wait for reads its plan at once.
    const waits = plan.unshare !== undefined || plan.userNamespace.kind === 'mapped'
    if (!waits) write()
    const inherited = plan.inherited.map(({ index }) => registers.get(index) ?? -1)
    const stage = inNamespaces(plan.byBirth, () =>
      startStage(plan.cloneFlags, [...files.stdio, theirs, planFd, start, ...inherited], birth, plan.unshare),
    )
    descriptors.add(stage.pidfd)
    descriptors.close(theirs)
    const launched = new Launched(plan, stage, new Control(control), planFd)
    try {
      callbacks.cloned(stage.pid)
      if (plan.userNamespace.kind === 'mapped' && plan.userNamespace.helper)
        await mapWithHelpers(stage.pid, plan.userNamespace)
      perform(plan.grant, stage.pid)
      if (stage.held && stage.unshare !== undefined) proceed(stage)
      if (waits) {
        write()
        proceed(stage)
      }
      const handed = plan.handed.map(({ index }) => registers.get(index) ?? -1)
      if (handed.length > 0) handOver(control, handed)
      if (plan.syncs) {
        await launched.ready(1)
        await callbacks.synced()
        handOver(control, [])
      }
      await launched.ready(plan.syncs ? 2 : 1)
    } catch (error) {
      await launched.kill()
      throw error
    }
    for (const fd of [control, planFd, stage.pidfd]) descriptors.release(fd)
    return launched
  } finally {
    descriptors.closeAll()
  }
}
