import { ERRNO } from '../linux/errno.ts'
import { TareError } from '../linux/error.ts'
import { whenEnded } from '../linux/pidfd.ts'
import { PR_SET_NO_NEW_PRIVS } from '../linux/prctl.ts'
import { SECCOMP_FILTER_FLAG, SECCOMP_SET_MODE_FILTER } from '../linux/seccomp/compile.ts'
import type { SeccompProgram } from '../linux/seccomp/compile.ts'
import { packetSocketPair } from '../linux/socket.ts'
import { ARCHITECTURE, trySyscall } from '../linux/syscall.ts'
import type { WaitStatus } from '../linux/wait.ts'
import { StepBuilder } from '../plan/builder.ts'
import { DataBuilder } from '../plan/data.ts'
import { encodePlan } from '../plan/encode.ts'
import type { Branch, Step } from '../plan/step.ts'
import { named } from '../plan/step.ts'
import { Control } from './control.ts'
import { Descriptors } from './descriptors.ts'
import { CONTROL } from './plan/context.ts'
import { planExecution, unblockSignals } from './plan/program.ts'
import { sendDescriptor } from './plan/terminal.ts'
import { setupError } from './running.ts'
import { finishStage, planDescriptor, startStage, stepTaken } from './stage.ts'

const CLOSE_RANGE_CLOEXEC = named(4, 'CLOSE_RANGE_CLOEXEC')
const ALL = 0xffffffff
const { EINVAL = 22 } = ERRNO

/** A program whose system calls are told to a listener. */
export interface TracedProgram {
  readonly pid: number
  /** Where its calls come in (seccomp_unotify(2)); the caller's to close. */
  readonly listener: number
  /** Resolves when it has ended; rejects if it was never reached. */
  readonly ended: Promise<WaitStatus>
}

export interface TraceStart {
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly stdio: readonly [stdin: number, stdout: number, stderr: number]
  readonly filter: SeccompProgram
  /** Whether the caller may load filters without giving up set-user-id programs (CAP_SYS_ADMIN). */
  readonly privileged: boolean
}

const plan = ({
  args,
  env,
  filter,
  privileged,
}: TraceStart): { readonly steps: readonly Step[]; readonly data: DataBuilder } => {
  const data = new DataBuilder()
  const stage = new StepBuilder(data)
  stage.mechanism('seccomp')
  if (!privileged)
    stage.call(
      { what: 'promise to gain no privileges', why: 'without power over this host no filter is taken otherwise' },
      'prctl',
      [named(PR_SET_NO_NEW_PRIVS, 'PR_SET_NO_NEW_PRIVS'), 1, 0, 0, 0],
    )
  const program = data.add(filter.program, `${filter.instructions} instructions`)
  const header = data.space(16, `{${filter.instructions}, filter}`)
  data.setWord(header.offset, filter.instructions)
  data.pointer(header.offset + 8, program.offset)
  const words = {
    what: 'listen to system calls that name files',
    hints: {
      EBUSY: 'Somebody listens to the system calls of this process already (a container engine, perhaps).',
      EINVAL: 'This kernel has no seccomp filters, or none that can be listened to.',
    },
  }
  const listen = (flags: number, name: string, branches: readonly Branch[]): void => {
    const operands = [SECCOMP_SET_MODE_FILTER, named(filter.flags | flags, name), header]
    const listener = stage.callFor('listener', words, 'seccomp', operands, branches)
    sendDescriptor({ stage, data }, listener, 'hand over the listener', 'to whoever watches the program')
    stage.release(listener)
  }
  const { NEW_LISTENER, WAIT_KILLABLE_RECV } = SECCOMP_FILTER_FLAG
  const [older, done] = [stage.label(), stage.label()]
  // A signal would interrupt calls that nothing interrupts otherwise. The flag came with Linux 5.19.
  listen(NEW_LISTENER | WAIT_KILLABLE_RECV, 'SECCOMP_FILTER_FLAG_NEW_LISTENER|SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV', [
    { errno: EINVAL, to: older },
  ])
  stage.jump({ what: 'go on' }, done)
  stage.place(older)
  listen(NEW_LISTENER, 'SECCOMP_FILTER_FLAG_NEW_LISTENER', [])
  stage.place(done)
  stage.mechanism('process')
  unblockSignals(stage)
  stage.call({ what: 'let no descriptor through but 0, 1 and 2' }, 'close_range', [CONTROL, ALL, CLOSE_RANGE_CLOEXEC])
  planExecution(stage, { args, env })
  return { steps: stage.steps, data }
}

/** Starts a program as it is, but that it tells a listener of its system calls. Nothing is left if it fails. */
export const startTraced = async (start: TraceStart): Promise<TracedProgram> => {
  const descriptors = new Descriptors()
  try {
    const { steps, data } = plan(start)
    const [ours, theirs] = packetSocketPair()
    descriptors.add(ours)
    descriptors.add(theirs)
    const planFd = descriptors.add(planDescriptor(encodePlan(steps, data, ARCHITECTURE)))
    const process = startStage(0, [...start.stdio, theirs, planFd])
    descriptors.close(theirs)
    descriptors.add(process.pidfd)
    const control = new Control(ours)
    await whenEnded(control.fd)
    const listener = control.takeDescriptor()
    const finish = async (): Promise<WaitStatus> => {
      try {
        const { status } = await finishStage(process)
        const error = setupError(steps, control, stepTaken(planFd), status)
        if (error !== undefined) throw error
        return status
      } finally {
        for (const fd of [process.pidfd, planFd, ours]) trySyscall('close', fd)
      }
    }
    for (const fd of [process.pidfd, planFd, ours]) descriptors.release(fd)
    if (listener === undefined) {
      await finish()
      throw new TareError({ operation: 'listen to system calls', reason: 'the program started without a listener' })
    }
    return { pid: process.pid, listener, ended: finish() }
  } finally {
    descriptors.closeAll()
  }
}
