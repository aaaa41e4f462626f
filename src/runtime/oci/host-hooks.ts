import { Buffer } from 'node:buffer'
import { openSync } from 'node:fs'
import type { Hook, HookName } from '../../oci/hooks.ts'
import type { State } from '../../oci/state.ts'
import { ERRNO } from '../../linux/errno.ts'
import { TareError } from '../../linux/error.ts'
import { sendPidfdSignal } from '../../linux/pidfd.ts'
import { packetSocketPair } from '../../linux/socket.ts'
import { ARCHITECTURE, syscall, trySyscall } from '../../linux/syscall.ts'
import { signalName } from '../../linux/signal.ts'
import { StepBuilder } from '../../plan/builder.ts'
import { DataBuilder } from '../../plan/data.ts'
import { encodePlan } from '../../plan/encode.ts'
import { named } from '../../plan/step.ts'
import { Control } from '../control.ts'
import { Descriptors } from '../descriptors.ts'
import { unblockSignals } from '../plan/program.ts'
import { setupError } from '../running.ts'
import { finishStage, makePipe, planDescriptor, startStage, stepTaken } from '../stage.ts'
import type { Warn } from './warn.ts'

const SIGKILL = 9
const MFD_CLOEXEC = 1
const O_NONBLOCK = 0o4000
const F_SETFL = 4
/** The end of what a hook has said that stands in the error. */
const LAST_SAID = 2000

/** A file in memory with a state in it, at its beginning. Close it. */
const stateDescriptor = (state: State): number => {
  const fd = syscall({ operation: 'hand over the state' }, 'memfd_create', 'oci-state', MFD_CLOEXEC)
  const bytes = Buffer.from(JSON.stringify(state))
  syscall({ operation: 'hand over the state' }, 'pwrite64', fd, bytes, bytes.length, 0)
  return fd
}

const planHook = ({ path, args = [path], env = [] }: Hook): StepBuilder => {
  const data = new DataBuilder()
  const stage = new StepBuilder(data).mechanism('process')
  unblockSignals(stage)
  stage.call({ what: 'let no descriptor through but 0, 1 and 2' }, 'close_range', [
    3,
    0xffffffff,
    named(4, 'CLOSE_RANGE_CLOEXEC'),
  ])
  const hints = { ENOENT: 'It is not there, or what it is run by is not.' }
  stage.call({ what: `run the hook ${path}`, hints }, 'execve', [
    data.string(path),
    data.strings(args),
    data.strings(env, `[${env.length} variables]`),
  ])
  return stage
}

/** What was said last, without waiting for more. */
const readSaid = (fd: number): string => {
  const buffer = Buffer.alloc(65_536)
  const length = trySyscall('read', fd, buffer, buffer.length)
  return length <= 0 ? '' : buffer.toString('utf8', 0, length).trim().slice(-LAST_SAID)
}

const runHook = async (name: HookName, hook: Hook, state: State): Promise<void> => {
  const descriptors = new Descriptors()
  const operation = `run the ${name} hook`
  try {
    const input = descriptors.add(stateDescriptor(state))
    const nothing = descriptors.add(openSync('/dev/null', 'r+'))
    const [said, saying] = makePipe()
    descriptors.add(said)
    descriptors.add(saying)
    // A hook that leaves somebody behind who holds it open keeps nobody waiting; one that says more than fits loses it.
    for (const end of [said, saying]) syscall({ operation }, 'fcntl', end, F_SETFL, O_NONBLOCK)
    const [ours, theirs] = packetSocketPair()
    descriptors.add(ours)
    descriptors.add(theirs)
    const { steps, data } = planHook(hook)
    const planFd = descriptors.add(planDescriptor(encodePlan(steps, data, ARCHITECTURE)))
    const stage = startStage(0, [input, nothing, saying, theirs, planFd])
    descriptors.add(stage.pidfd)
    descriptors.close(theirs)
    let late = false
    const expire = (): void => {
      late = true
      sendPidfdSignal(stage.pidfd, SIGKILL)
    }
    const timer = hook.timeout === undefined ? undefined : setTimeout(expire, hook.timeout * 1000)
    const { status } = await finishStage(stage).finally(() => clearTimeout(timer))
    const target = hook.path
    if (late)
      throw new TareError({ operation, target, errno: ERRNO['ETIMEDOUT'], hint: `It may take ${hook.timeout} s.` })
    const error = setupError(steps, new Control(ours), stepTaken(planFd), status)
    if (error !== undefined) throw error
    if (status.kind === 'exited' && status.code === 0) return
    const ended =
      status.kind === 'exited'
        ? `it ended with status ${status.code}`
        : `it was ended by ${status.kind === 'killed' ? signalName(status.signal) : status.kind}`
    const words = readSaid(said)
    throw new TareError({ operation, target, reason: words === '' ? ended : `${ended}: ${words}` })
  } finally {
    descriptors.closeAll()
  }
}

/**
 * Runs the hooks that are last, all of them: what one fails with is passed to `warn`, and the rest goes on (runtime-spec,
 * runtime.md, Lifecycle).
 */
export const runLastHooks = async (hooks: readonly Hook[] | undefined, state: State, warn: Warn): Promise<void> => {
  for (const hook of hooks ?? [])
    await runHook('poststop', hook, state).catch((error: unknown) => {
      if (!(error instanceof TareError)) throw error
      warn(error)
    })
}

/** Runs hooks on the host, one after the other. Throws {@link TareError} at the first that fails. */
export const runHooks = async (name: HookName, hooks: readonly Hook[] | undefined, state: State): Promise<void> => {
  for (const hook of hooks ?? []) await runHook(name, hook, state)
}
