import { ERRNO } from '../../linux/errno.ts'
import { signalName } from '../../linux/signal.ts'
import { named } from '../../plan/step.ts'
import { CONTROL } from '../plan/context.ts'
import { PR_SET_PDEATHSIG } from '../plan/prctl.ts'
import { planExecution, unblockSignals } from '../plan/program.ts'
import type { LaunchContext } from './context.ts'

/** CLONE_PARENT_SETTID, CLONE_PARENT, SIGCHLD (clone(2)). Memory isn't shared: with a new time namespace the kernel refuses that. */
const FLAGS = named(0x100000 | 0x8000 | 17, 'CLONE_PARENT_SETTID|CLONE_PARENT|SIGCHLD')
const CLOSE_RANGE_CLOEXEC = named(4, 'CLOSE_RANGE_CLOEXEC')
const MSG_PEEK_DONTWAIT = named(0x42, 'MSG_PEEK|MSG_DONTWAIT')
const ALL = 0xffffffff
const { EAGAIN = 11, EPIPE = 32 } = ERRNO

/**
 * The program is a child of this process: the first one in a new pid namespace. For the host it is Tare's own child
 * (CLONE_PARENT), and this process is gone. The kernel notes the child's id in the plan before there is a child: so
 * whatever becomes of us, Tare knows of it. Returns where in the data.
 */
export const planFork = (context: LaunchContext): number | undefined => {
  const { stage, data, spec } = context
  if (!spec.fork) return undefined
  const parent = stage.label()
  const program = stage.label()
  const child = stage.register('program')
  const id = data.space(8, "the program's id")
  stage.mechanism('process')
  const hints = {
    ENOMEM: 'PID 1 of the pid namespace has ended: no process is born there any more.',
    EAGAIN: 'A limit on the number of processes is reached (RLIMIT_NPROC, pids.max).',
  }
  stage.clone({ what: 'clone the program', hints }, 'clone', [FLAGS, 0, id, 0, 0], child, parent)
  stage.jump({ what: 'go on as the program' }, program)
  stage.place(parent)
  stage.call({ what: 'end', why: 'the program goes on without it' }, 'exit_group', [0])
  stage.place(program)
  return id.offset
}

/** Gets a signal when the caller ends. If it has ended already there will be none: then its socket is closed. */
const planDeathSignal = (context: LaunchContext, signal: number): void => {
  const { stage, data } = context
  const name = named(signal, signalName(signal))
  stage.call({ what: `get ${name.text} when the caller ends` }, 'prctl', [PR_SET_PDEATHSIG, name, 0, 0, 0])
  const alive = stage.label()
  const words = { what: 'see that the caller is there' }
  stage.call(
    words,
    'recvfrom',
    [CONTROL, data.space(8, 'a byte'), 1, MSG_PEEK_DONTWAIT, 0, 0],
    [{ errno: EAGAIN, to: alive }],
  )
  stage.fail(words, EPIPE)
  stage.place(alive)
}

/** The last steps. After the change of ids, which would clear the wish for a signal (prctl(2)). */
export const planLaunched = (context: LaunchContext): void => {
  const { stage, spec } = context
  stage.mechanism('process')
  if (spec.parentDeathSignal !== undefined) planDeathSignal(context, spec.parentDeathSignal)
  if (spec.umask !== undefined)
    stage.call({ what: `set the umask to 0${spec.umask.toString(8)}` }, 'umask', [spec.umask])
  stage.call({ what: 'let no descriptor through but 0, 1 and 2' }, 'close_range', [CONTROL, ALL, CLOSE_RANGE_CLOEXEC])
  unblockSignals(stage)
  planExecution(stage, spec)
}
