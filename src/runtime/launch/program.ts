import { ERRNO } from '../../linux/errno.ts'
import { signalName } from '../../linux/signal.ts'
import { named } from '../../plan/step.ts'
import { REPORT_PID } from '../control.ts'
import { CONTROL } from '../plan/context.ts'
import { PR_SET_PDEATHSIG } from '../plan/prctl.ts'
import { planExecution, unblockSignals } from '../plan/program.ts'
import type { LaunchContext } from './context.ts'

/** CLONE_PARENT, SIGCHLD (clone(2)). Memory isn't shared: with a new time namespace the kernel refuses that. */
const FLAGS = named(0x8000 | 17, 'CLONE_PARENT|SIGCHLD')
const CLOSE_RANGE_CLOEXEC = named(4, 'CLOSE_RANGE_CLOEXEC')
const MSG_PEEK_DONTWAIT = named(0x42, 'MSG_PEEK|MSG_DONTWAIT')
const ALL = 0xffffffff
const { EAGAIN = 11, EPIPE = 32 } = ERRNO

/**
 * The program is a child of this process: the first one in a new pid namespace. For the host it is Tare's own child
 * (CLONE_PARENT), and this process, which has told its id, is gone.
 */
export const planFork = (context: LaunchContext): void => {
  const { stage, data, spec } = context
  if (!spec.fork) return
  const parent = stage.label()
  const program = stage.label()
  const child = stage.register('program')
  stage.mechanism('process')
  const hints = {
    ENOMEM: 'PID 1 of the pid namespace has ended: no process is born there any more.',
    EAGAIN: 'A limit on the number of processes is reached (RLIMIT_NPROC, pids.max).',
  }
  stage.clone({ what: 'clone the program', hints }, 'clone', [FLAGS, 0, 0, 0, 0], child, parent)
  stage.jump({ what: 'go on as the program' }, program)
  stage.place(parent)
  const message = data.space(16, "{the program's id}")
  data.setWord(message.offset, REPORT_PID)
  stage.store({ what: "note the program's id" }, message.offset + 4, child, 4)
  stage.call({ what: "say what the program's id is" }, 'write', [CONTROL, message, 16])
  stage.call({ what: 'end' }, 'exit_group', [0])
  stage.place(program)
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
