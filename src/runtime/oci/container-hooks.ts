import type { Hook } from '../../oci/hooks.ts'
import { ERRNO } from '../../linux/errno.ts'
import type { Named } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { CONTROL } from '../plan/context.ts'
import { unblockSignals } from '../plan/program.ts'
import type { OciContext } from './context.ts'

const { ETIMEDOUT = 110, ECANCELED = 125 } = ERRNO
const FORK = named(17 | 0x1000, 'CLONE_PIDFD|SIGCHLD')
const SIGKILL = named(9, 'SIGKILL')
const P_PIDFD = named(3, 'P_PIDFD')
const WEXITED = named(4, 'WEXITED')
const CLOSE_RANGE_CLOEXEC = named(4, 'CLOSE_RANGE_CLOEXEC')
const CLD_EXITED = 1
const POLLIN = 1
const ALL = 0xffffffff

/** A hook's program: its standard input is the state, and what it writes goes where errors go. */
const planHookProgram = (context: OciContext, { path, args = [path], env = [] }: Hook, state: Named): void => {
  const { stage, data } = context
  stage.call({ what: 'begin with the state', why: 'the hook before has read it' }, 'lseek', [state, 0, 0])
  stage.call({ what: 'make the state its standard input' }, 'dup3', [state, 0, 0])
  stage.call({ what: 'let its output go to standard error' }, 'dup3', [2, 1, 0])
  unblockSignals(stage)
  stage.call({ what: 'let no other descriptor through' }, 'close_range', [CONTROL, ALL, CLOSE_RANGE_CLOEXEC])
  stage.call({ what: `run the hook ${path}` }, 'execve', [
    context.string(path),
    data.strings(args),
    data.strings(env, `[${env.length} variables]`),
  ])
}

/**
 * Runs hooks where the stage is, one after the other. One that fails, or takes longer than it may, ends the container
 * (runtime-spec, runtime.md, Lifecycle). `state`: the descriptor of what they read.
 */
export const planContainerHooks = (context: OciContext, name: string, hooks: readonly Hook[], state: Named): void => {
  const { stage, data } = context
  stage.mechanism('process')
  for (const hook of hooks) {
    const { path, timeout } = hook
    const handle = data.space(8, '{the hook}')
    const [parent, late, done] = [stage.label(), stage.label(), stage.label()]
    const child = stage.register('hook')
    stage.clone({ what: `clone the ${name} hook ${path}` }, 'clone', [FORK, 0, handle, 0, 0], child, parent)
    planHookProgram(context, hook, state)
    stage.place(parent)
    const pidfd = stage.register('hook pidfd')
    stage.loadInto(pidfd, { what: 'take its pidfd' }, handle.offset, 4)
    const poll = data.space(8, `{the hook, POLLIN}`)
    stage.store({ what: 'watch it' }, poll.offset, pidfd, 4)
    data.setWord(poll.offset, POLLIN * 2 ** 32)
    const limit = data.space(16, `{${timeout ?? 'for ever'}}`)
    data.setWord(limit.offset, timeout ?? 0)
    const ended = stage.register('ended')
    const words = { what: `wait for the ${name} hook ${path}` }
    stage.callInto(ended, words, 'ppoll', [poll, 1, timeout === undefined ? 0 : limit, 0, 8])
    const waited = { what: `run the ${name} hook ${path} within ${timeout ?? 0} s` }
    stage.check(waited, ended, 1, ETIMEDOUT, [{ errno: ETIMEDOUT, to: late }])
    stage.jump({ what: 'see how it ended' }, done)
    stage.place(late)
    stage.call({ what: 'kill it' }, 'pidfd_send_signal', [pidfd, SIGKILL, 0, 0])
    stage.fail(waited, ETIMEDOUT)
    stage.place(done)
    const info = data.space(128, '{how it ended}')
    stage.call(words, 'waitid', [P_PIDFD, pidfd, info, WEXITED, 0])
    const hints = { ECANCELED: 'It was ended by a signal, or with another status than 0.' }
    const succeeded = { what: `complete the ${name} hook ${path}`, hints }
    const result = stage.register('how it ended')
    stage.loadInto(result, { what: 'see how it ended' }, info.offset + 8, 4)
    stage.check(succeeded, result, CLD_EXITED, ECANCELED)
    stage.loadInto(result, { what: 'see its status' }, info.offset + 24, 4)
    stage.check(succeeded, result, 0, ECANCELED)
    stage.call({ what: 'close its pidfd' }, 'close', [pidfd])
    for (const register of [child, pidfd, ended, result]) stage.release(register)
  }
}
