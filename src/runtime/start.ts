import { dirname } from 'node:path'
import type { Cgroup } from '../linux/cgroup/cgroup.ts'
import { createCgroup } from '../linux/cgroup/create.ts'
import { delegateCgroup } from '../linux/cgroup/delegate.ts'
import { InputError, TareError } from '../linux/error.ts'
import { O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY } from '../linux/fcntl.ts'
import { idOutside } from '../linux/idmap.ts'
import { sendPidfdSignal, whenEnded } from '../linux/pidfd.ts'
import { packetSocketPair, sendDescriptors } from '../linux/socket.ts'
import { ARCHITECTURE, syscall, trySyscall } from '../linux/syscall.ts'
import { encodePlan } from '../plan/encode.ts'
import type { Registers } from '../plan/perform.ts'
import { performSteps } from '../plan/perform.ts'
import type { Step } from '../plan/step.ts'
import type { Attachment } from './attachment.ts'
import { Control } from './control.ts'
import { Descriptors } from './descriptors.ts'
import type { Fault, Phase } from './fault.ts'
import { injectFault } from './inject.ts'
import { mapWithHelpers } from './mapping-helpers.ts'
import type { PlannedCgroup } from './plan/cgroups.ts'
import type { ContainerPlan } from './plan/container-plan.ts'
import type { PlanHost } from './plan/context.ts'
import { Running } from './running.ts'
import { removeStaleCgroups } from './stale-cgroups.ts'
import type { StageProcess, Unshare } from './stage.ts'
import { finishStage, makePipe, planMemory, proceed, startStage, writePlan } from './stage.ts'

const SIGKILL = 9

export interface StartOptions {
  /** The program's standard input, output and error: descriptors of this process, which stay open here. */
  readonly stdio: readonly [stdin: number, stdout: number, stderr: number]
  readonly host: PlanHost
  /** What makes the link to the host; released with the container, also if it can't be started. */
  readonly network?: Attachment | undefined
  /** Starts the process that becomes the stage; by default it is a child of this one. */
  readonly start?: ((request: StageRequest) => Promise<StageProcess>) | undefined
  /** For tests. */
  readonly fault?: Fault | undefined
}

/** A process that is to become the stage of a container. */
export interface StageRequest {
  /** CLONE_ flags. */
  readonly flags: number
  readonly unshare: Unshare
  /** What become its descriptors, from 3 on: its control socket, its plan, the pipe for its end, and others. */
  readonly slots: readonly number[]
  /** Our end of its control socket, and of the pipe; they stay ours. */
  readonly control: number
  readonly status: number
}

const AT_FDCWD = -100
/** What sending to a socket fails with whose other end is closed. */
const ENDED: readonly string[] = ['EPIPE', 'ECONNRESET', 'ENOTCONN']

const openMemberships = (
  planned: PlannedCgroup,
  cgroup: Cgroup,
  registers: Registers,
  descriptors: Descriptors,
): number | undefined => {
  let birth: number | undefined
  for (const { hierarchy, register, join } of planned.memberships) {
    const directory = cgroup.paths[hierarchy.name]
    if (directory === undefined) throw new InputError({ operation: 'find the cgroup in', target: hierarchy.name })
    const file = hierarchy.version === 1 ? 'tasks' : 'cgroup.procs'
    const [path, flags] = join === undefined ? [directory, O_PATH | O_DIRECTORY] : [`${directory}/${file}`, O_WRONLY]
    const fd = descriptors.add(
      syscall({ operation: 'open', target: path }, 'openat', AT_FDCWD, path, flags | O_CLOEXEC, 0),
    )
    registers.set(register.index, fd)
    if (join === undefined) birth = fd
  }
  return birth
}

/** The errno that a fault wants for a step of this process. */
const faultOf = (fault: Fault | undefined, phase: Phase): ((index: number) => number | undefined) | undefined =>
  fault?.kind === 'fail' && fault.phase === phase
    ? (index) => (index === fault.index ? fault.errno : undefined)
    : undefined

/** The namespaces that the process makes, or fails to as a fault wants it. */
const unshareWith = (unshare: Unshare, fault: Fault | undefined): Unshare =>
  fault?.kind === 'fail' && fault.phase === 'unshare' ? { ...unshare, flags: -fault.errno } : unshare

/** Lets a waiting stage go on, with descriptors. If it has ended, it has said why: that is what the caller is told then. */
export const handOver = (control: number, descriptors: readonly number[]): void => {
  try {
    sendDescriptors(control, Uint8Array.of(1), descriptors, { operation: 'hand descriptors to the stage' })
  } catch (error) {
    if (!(error instanceof TareError && ENDED.includes(error.code))) throw error
  }
}

/** Makes the link as soon as there is a network namespace for it. If the stage has ended, it has said why. */
const attachNetwork = async (network: Attachment, control: Control, { pid }: StageProcess): Promise<void> => {
  if (!control.ready) await whenEnded(control.fd)
  if (!control.ready) return
  try {
    network.attach(pid)
  } catch (error) {
    // Had it failed meanwhile, its network namespace was no longer to be found: then that is why.
    if (control.report === undefined) throw error
  }
}

/**
 * Carries out a plan. Resolves as soon as the stage is on its way: whether it arrives, {@link Running.ended} tells.
 * If anything fails, nothing is left behind.
 */
export const startContainer = async (plan: ContainerPlan, options: StartOptions): Promise<Running> => {
  const { host, fault, network } = options
  const descriptors = new Descriptors()
  const registers: Registers = new Map()
  let cgroup: Cgroup | undefined
  try {
    let birth: number | undefined
    if (plan.cgroup !== undefined && host.cgroups !== undefined) {
      removeStaleCgroups(host.cgroups, dirname(plan.cgroup.name))
      const { delegated } = plan.cgroup
      const { userNamespace } = plan.spec
      cgroup = createCgroup(host.cgroups, plan.cgroup.name, plan.cgroup.limits, {
        controllers: delegated === undefined ? [] : ['unified', ...delegated],
        finish: ({ unified }) => {
          // An ordinary user is root in the container itself, and owns the group already.
          if (delegated !== undefined && unified !== undefined && host.privileged && userNamespace.kind === 'mapped')
            delegateCgroup(unified, idOutside(userNamespace.uids, 0) ?? 0, idOutside(userNamespace.gids, 0) ?? 0)
        },
      })
      birth = openMemberships(plan.cgroup, cgroup, registers, descriptors)
    }
    const keep = (): void => {
      for (const step of [...plan.prepare, ...plan.grant]) {
        const fd = step.result === undefined ? undefined : registers.get(step.result.index)
        if (fd !== undefined) descriptors.add(fd)
      }
    }
    try {
      performSteps(plan.prepare, plan.ownData, registers, 0, faultOf(fault, 'prepare'))
    } finally {
      keep()
    }
    const [control, theirControl] = packetSocketPair()
    descriptors.add(control)
    descriptors.add(theirControl)
    const heard = new Control(control)
    const [status, theirStatus] = makePipe()
    descriptors.add(status)
    descriptors.add(theirStatus)
    // Worked out only when something has failed: mostly its bytes are all that is needed.
    const stage = (): readonly Step[] => (fault === undefined ? plan.stage : injectFault(plan.stage, fault))
    const planFd = descriptors.add(planMemory())
    const inherited = plan.inherited.map((register) => registers.get(register.index) ?? -1)
    const slots = [theirControl, planFd, theirStatus, ...inherited]
    const process =
      options.start === undefined
        ? startStage(plan.cloneFlags, [...options.stdio, ...slots], birth, unshareWith(plan.unshare, fault))
        : await options.start({ flags: plan.cloneFlags, unshare: plan.unshare, slots, control, status })
    descriptors.close(theirControl)
    descriptors.close(theirStatus)
    try {
      if (plan.mappingHelpers) await mapWithHelpers(process.pid, plan.spec.userNamespace)
      try {
        performSteps(plan.grant, plan.ownData, registers, process.pid, faultOf(fault, 'grant'))
      } finally {
        keep()
      }
      if (process.held) proceed(process)
      // By now it makes its namespaces, which takes longer than what is left to do here.
      writePlan(planFd, fault === undefined ? plan.encode() : encodePlan(stage(), plan.data, ARCHITECTURE))
      if (fault?.phase !== 'unshare' || fault.kind !== 'kill') proceed(process)
      if (network !== undefined) await attachNetwork(network, heard, process)
      const handed = plan.handed.map((register) => registers.get(register.index) ?? -1)
      if (handed.length > 0 || network !== undefined) handOver(control, handed)
    } catch (error) {
      sendPidfdSignal(process.pidfd, SIGKILL)
      await finishStage(process)
      trySyscall('close', process.pidfd)
      throw error
    }
    for (const fd of [control, status, planFd]) descriptors.release(fd)
    return new Running({ plan, stage, process, control: heard, status, planFd, cgroup, network })
  } catch (error) {
    try {
      network?.release()
    } finally {
      await cgroup?.remove()
    }
    throw error
  } finally {
    descriptors.closeAll()
  }
}
