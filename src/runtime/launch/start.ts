import { openPidfd, sendPidfdSignal, whenEnded } from '../../linux/pidfd.ts'
import { packetSocketPair } from '../../linux/socket.ts'
import { ARCHITECTURE, trySyscall } from '../../linux/syscall.ts'
import type { WaitResult, WaitStatus } from '../../linux/wait.ts'
import { encodePlan } from '../../plan/encode.ts'
import { TareError } from '../../linux/error.ts'
import { Control } from '../control.ts'
import { Descriptors } from '../descriptors.ts'
import type { StageProcess } from '../stage.ts'
import { handOver } from '../start.ts'
import { finishStage, planDescriptor, startStage, stepTaken, wordNoted } from '../stage.ts'
import { setupError } from '../running.ts'
import { forgetNamespaces, setUpNamespaces } from './caller.ts'
import type { LaunchPlan } from './plan.ts'
import type { LaunchedProcess } from './launched.ts'
import { Launched, whenFinished } from './launched.ts'

const SIGKILL = 9

const OPERATION = 'start the program'

interface Attempt {
  readonly plan: LaunchPlan
  readonly planFd: number
  readonly control: Control
  readonly persisted: string[]
}

/** Why the stage ended before it had come as far as it should. */
const failure = ({ plan, planFd, control }: Attempt, status: WaitStatus): TareError =>
  setupError(plan.stage, control, stepTaken(planFd), status) ?? new TareError({ operation: OPERATION })

/** The process that the program is to be: the stage itself, or the child that it has cloned. */
const programOf = async (attempt: Attempt, stage: StageProcess): Promise<LaunchedProcess> => {
  const own = (): Promise<WaitResult> => finishStage(stage)
  const { planFd, plan } = attempt
  if (plan.programId === undefined) return { pid: stage.pid, pidfd: stage.pidfd, finish: own }
  const { status } = await own()
  trySyscall('close', stage.pidfd)
  const pid = wordNoted(planFd, plan.programId)
  if (pid === 0) throw failure(attempt, status)
  // It is our child, so its number is no other's until it has been waited for.
  const child = { pid, pidfd: openPidfd(pid), finish: undefined }
  if (status.kind === 'exited' && status.code === 0) return child
  await endProcess(child)
  throw failure(attempt, status)
}

/** Kills a process that is not to become the program, and waits for its end. */
const endProcess = async (process: LaunchedProcess): Promise<WaitStatus> => {
  sendPidfdSignal(process.pidfd, SIGKILL)
  const { status } = await whenFinished(process)
  trySyscall('close', process.pidfd)
  return status
}

/** Waits until the program's process has its namespaces, sets up what only we can, and lets it go on. */
const attend = async (attempt: Attempt, process: LaunchedProcess): Promise<void> => {
  const { control, plan, persisted } = attempt
  if (!control.ready) await whenEnded(control.fd)
  // It has failed, or is gone: its end will tell.
  if (!control.ready) return
  try {
    await setUpNamespaces(plan.spec, process.pid, persisted)
    handOver(control.fd, [])
  } catch (error) {
    const status = await endProcess(process)
    forgetNamespaces(persisted)
    // Had it failed meanwhile, its namespaces were no longer to be found: then that is why.
    throw control.report === undefined ? error : failure(attempt, status)
  }
}

/**
 * Carries out the plan of a launch. Resolves as soon as the program is on its way: whether it arrives,
 * {@link Launched.ended} tells. If anything fails, nothing is left behind.
 */
export const startLaunch = async (
  plan: LaunchPlan,
  stdio: readonly [stdin: number, stdout: number, stderr: number],
): Promise<Launched> => {
  const descriptors = new Descriptors()
  try {
    const [ours, theirs] = packetSocketPair()
    descriptors.add(ours)
    descriptors.add(theirs)
    const planFd = descriptors.add(planDescriptor(encodePlan(plan.stage, plan.data, ARCHITECTURE)))
    const control = new Control(ours)
    const attempt = { plan, planFd, control, persisted: [] }
    const stage = startStage(0, [...stdio, theirs, planFd, ...plan.inherited])
    descriptors.close(theirs)
    const process = await programOf(attempt, stage)
    if (plan.waits) await attend(attempt, process)
    descriptors.release(ours)
    descriptors.release(planFd)
    return new Launched({ ...attempt, process })
  } finally {
    descriptors.closeAll()
  }
}
