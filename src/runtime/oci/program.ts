import { ERRNO } from '../../linux/errno.ts'
import type { Named, Operand, Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { REPORT_READY } from '../control.ts'
import type { PlanContext } from '../plan/context.ts'
import { CONTROL, CWD } from '../plan/context.ts'
import { planCredentials, planRlimits } from '../plan/credentials.ts'
import { planKeyring, planSeccomp, unblockSignals } from '../plan/program.ts'
import { planContainerHooks } from './container-hooks.ts'
import type { OciContext } from './context.ts'
import { START } from './context.ts'
import { planMemoryPolicy } from './memory-policy.ts'
import { planScheduling } from './scheduling.ts'

const { ENOENT = 2, EACCES = 13, ENOTDIR = 20, EPIPE = 32 } = ERRNO
const CLOSE_RANGE_CLOEXEC = named(4, 'CLOSE_RANGE_CLOEXEC')
const O_CLOEXEC = named(0o2000000, 'O_CLOEXEC')
const X_OK = named(1, 'X_OK')
const AT_EACCESS = named(0x200, 'AT_EACCESS')
const TIOCSCTTY = named(0x540e, 'TIOCSCTTY')
const F_DUPFD_CLOEXEC = named(1030, 'F_DUPFD_CLOEXEC')
const PERSONALITIES = { LINUX: 0, LINUX32: 8 } as const
const ALL = 0xffffffff
const POLLIN = 1
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A plan in the making, and which descriptors of the caller's the program gets from 3 on: where the stage has them. */
export type ProgramContext = PlanContext & { readonly preserved: readonly Named[] }

/** Says to Tare that the stage has come to a place where it waits, or has made all that can fail. */
const planReady = (context: OciContext, what: string): void => {
  const { stage, data } = context
  const message = data.space(16, '{ready}')
  data.setWord(message.offset, REPORT_READY)
  stage.call({ what }, 'write', [CONTROL, message, 16])
}

/** Waits for Tare to say that it has done its part. */
export const planSync = (context: OciContext, what: string, why: string): void => {
  const { stage, data } = context
  planReady(context, what)
  const words = { what: 'wait for it', why }
  const received = stage.callFor('received', words, 'recvfrom', [CONTROL, data.space(8, 'a byte'), 1, 0, 0, 0])
  stage.check(words, received, 1, EPIPE)
  stage.release(received)
}

/** Enters the working directory while still able to; if not, it is tried again as the user. */
export const planEnter = (context: ProgramContext): (() => void) => {
  const { stage, data, spec } = context
  const { cwd } = spec.process
  const words = {
    what: `enter ${cwd}`,
    hints: { ENOENT: 'The working directory must exist in the container.', EACCES: 'The user may not enter it.' },
  }
  const one = data.space(8, '{1}')
  data.setWord(one.offset, 1)
  const entered = stage.register('entered')
  const denied = stage.label()
  // A register that an earlier step used holds what that left.
  stage.loadInto(entered, { what: 'note that it is not entered yet' }, data.space(8, '{0}').offset, 8)
  stage.call(words, 'chdir', [context.string(cwd)], [{ errno: EACCES, to: denied }])
  stage.loadInto(entered, { what: 'note that it is' }, one.offset, 8)
  stage.place(denied)
  return () => {
    const [again, done] = [stage.label(), stage.label()]
    stage.check({ what: 'see whether it was entered' }, entered, 1, EACCES, [{ errno: EACCES, to: again }])
    stage.jump({ what: 'go on' }, done)
    stage.place(again)
    stage.call(words, 'chdir', [context.string(cwd)])
    stage.place(done)
    stage.release(entered)
  }
}

const HINTS = {
  ENOEXEC: 'It is neither a program of this architecture nor a script that begins with "#!".',
  EACCES: 'It is not executable by this user, or its file system is mounted noexec.',
  ENOENT: 'It is not there, or what it is run by is not: the loader that it names, or the interpreter of a script.',
}

/** Finds the program now, so that one that isn't there is told of before anything is started. */
export const planFind = (context: ProgramContext): Operand => {
  const { stage, data, spec } = context
  const { args, env } = spec.process
  const [command = ''] = args
  const access = (file: string): readonly Operand[] => [CWD, context.string(file), X_OK, AT_EACCESS]
  if (command.includes('/')) {
    stage.call({ what: `run ${command}`, hints: HINTS }, 'faccessat2', access(command))
    return context.string(command)
  }
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH
  const program = stage.register('program')
  const denied = stage.register('denied')
  const one = data.space(8, '{1}')
  data.setWord(one.offset, 1)
  stage.loadInto(denied, { what: 'note that none was denied' }, data.space(8, '{0}').offset, 8)
  const found = stage.label()
  for (const directory of path.split(':')) {
    const file = directory === '' ? `./${command}` : `${directory}/${command}`
    const [no, next] = [stage.label(), stage.label()]
    stage.call({ what: `look for ${file}` }, 'faccessat2', access(file), [
      { errno: ENOENT, to: next },
      { errno: ENOTDIR, to: next },
      { errno: EACCES, to: no },
    ])
    const pointer = data.space(8, JSON.stringify(file))
    data.pointer(pointer.offset, context.string(file).offset)
    stage.loadInto(program, { what: `take ${file}` }, pointer.offset, 8)
    stage.jump({ what: 'go on with it' }, found)
    stage.place(no)
    stage.loadInto(denied, { what: 'note that it was denied' }, one.offset, 8)
    stage.place(next)
  }
  const hints = { EACCES: 'It was found, but is not executable by this user.' }
  stage.check({ what: `run ${command}`, hints }, denied, 0, EACCES)
  stage.fail(
    { what: `find ${command} in ${path}`, hints: { ENOENT: 'Give its path, or a PATH that has it.' } },
    ENOENT,
    'execve',
  )
  stage.place(found)
  stage.release(denied)
  return program
}

/** Waits in the kernel until somebody writes to the fifo; who does needs no more than its path, and nobody has to live. */
const planWait = (context: OciContext): void => {
  const { stage, data, report } = context
  if (report === undefined) return
  stage.mechanism('start')
  stage.call({ what: 'report to whoever starts it from here on' }, 'dup3', [report, CONTROL, O_CLOEXEC])
  const poll = data.space(8, '{start, POLLIN}')
  data.setWord(poll.offset, START.value + POLLIN * 2 ** 32)
  const words = { what: 'wait to be started' }
  // A fifo that nobody has opened yet for writing is at its end for read(2), but not for ppoll(2).
  stage.call(words, 'ppoll', [poll, 1, 0, 0, 8])
  const received = stage.callFor('received', words, 'read', [START, data.space(8, 'a byte'), 1])
  stage.check(words, received, 1, EPIPE)
  stage.release(received)
}

/** The caller's descriptors take their places, the last thing before the program; returns where reports go then. */
const planPreserved = (context: ProgramContext): Register | undefined => {
  const { stage, preserved } = context
  if (preserved.length === 0) return undefined
  const control = stage.callFor('control', { what: 'keep a way to report' }, 'fcntl', [
    CONTROL,
    F_DUPFD_CLOEXEC,
    Math.max(...preserved.map(({ value }) => value)) + 1,
  ])
  preserved.forEach((fd, index) => {
    stage.call({ what: `pass on descriptor ${index + 3}` }, 'dup3', [fd, index + 3, 0])
  })
  return control
}

export const planExecute = (context: ProgramContext, program: Operand): void => {
  const { stage, data, spec, preserved } = context
  const { args, env } = spec.process
  const control = planPreserved(context)
  stage.call({ what: 'let no other descriptor through' }, 'close_range', [
    CONTROL.value + preserved.length,
    ALL,
    CLOSE_RANGE_CLOEXEC,
  ])
  if (spec.process.noNewPrivileges) planSeccomp(context)
  stage.mechanism('process')
  const words = { what: `run ${args[0] ?? ''}`, hints: HINTS }
  const call: readonly Operand[] = [program, data.strings(args), data.strings(env, `[${env.length} variables]`)]
  if (control === undefined) {
    stage.call(words, 'execve', call)
    return
  }
  const failed = stage.label()
  stage.call(words, 'execve', call, [{ errno: 'any', to: failed }])
  stage.place(failed)
  stage.call({ what: 'report' }, 'dup3', [control, CONTROL, O_CLOEXEC])
  stage.call(words, 'execve', call)
}

/**
 * From the root file system to the program: who it is, what it may, where it is, and then, once it is started, itself.
 * Returns the number of the first step that is taken only then.
 */
export const planBundleProgram = (context: OciContext): number => {
  const { stage, spec, oci, namespaces, request, startState } = context
  const { process } = spec
  stage.mechanism('process')
  stage.call({ what: 'close what the setup has opened' }, 'close_range', [context.firstOfSetup, ALL, 0])
  stage.call({ what: 'begin a session', why: "the caller's terminal is not the container's" }, 'setsid', [])
  if (process.terminal)
    stage.call({ what: 'take the terminal', why: 'as the controlling terminal of the session' }, 'ioctl', [
      0,
      TIOCSCTTY,
      0,
    ])
  const domain = oci.linux?.personality?.domain
  if (domain !== undefined)
    stage.call({ what: `be of the execution domain ${domain}` }, 'personality', [named(PERSONALITIES[domain], domain)])
  planScheduling(context, oci.process ?? {})
  planMemoryPolicy(context, oci.linux?.memoryPolicy)
  planRlimits(context)
  const enter = planEnter(context)
  if (!process.noNewPrivileges) planSeccomp(context)
  planCredentials(context, { joined: namespaces.joined.has('user') })
  if (!request.noNewKeyring) planKeyring(context)
  enter()
  stage.call({ what: `set the umask to 0${process.umask.toString(8)}` }, 'umask', [process.umask])
  const program = process.args.length === 0 ? undefined : planFind(context)
  planReady(context, 'say that all is ready')
  planWait(context)
  const first = stage.steps.length
  if (startState !== undefined)
    planContainerHooks(context, 'startContainer', oci.hooks?.startContainer ?? [], startState)
  stage.mechanism('process')
  unblockSignals(stage)
  if (program === undefined) stage.fail({ what: 'find a program in the configuration' }, ENOENT)
  else planExecute(context, program)
  return first
}
