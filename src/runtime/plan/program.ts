import { ERRNO } from '../../linux/errno.ts'
import { CLONE_NEWPID } from '../../linux/namespace.ts'
import type { Label } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { StepBuilder } from '../../plan/builder.ts'
import type { ProcessSpec } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { PR_SET_PDEATHSIG, PR_SET_DUMPABLE } from './prctl.ts'
import { CONTROL, STATUS_FD } from './context.ts'

/** CLONE_VM: nothing is copied for a process that drops it at once; PID 1 waits until the program is there (clone(2)). */
const VFORK = named(0x100 | 0x4000 | 17, 'CLONE_VM|CLONE_VFORK|SIGCHLD')
const FORK = named(17, 'SIGCHLD')
const SIGKILL = named(9, 'SIGKILL')
const SIG_SETMASK = named(2, 'SIG_SETMASK')
const CLOSE_RANGE_CLOEXEC = named(4, 'CLOSE_RANGE_CLOEXEC')
const SECCOMP_SET_MODE_FILTER = named(1, 'SECCOMP_SET_MODE_FILTER')
const TIOCSCTTY = named(0x540e, 'TIOCSCTTY')
const ALL = 0xffffffff
const MSG_PEEK_DONTWAIT = named(0x42, 'MSG_PEEK|MSG_DONTWAIT')
const { ENOENT = 2, EACCES = 13, ENOTDIR = 20, EINVAL = 22, EAGAIN = 11, EPIPE = 32, ENOSYS = 38 } = ERRNO
const KEYCTL_JOIN_SESSION_KEYRING = named(1, 'KEYCTL_JOIN_SESSION_KEYRING')
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Ends with the parent: the kernel kills us when the thread that made us ends (PR_SET_PDEATHSIG, prctl(2); a change of
 * ids clears it, so it comes after). If the parent has ended already there will be no signal: but then the other end
 * of the control socket is closed.
 */
const dieWithParent = (context: PlanContext): void => {
  const { stage, data } = context
  stage.call({ what: 'end with the parent', why: 'nothing is left behind, whatever happens' }, 'prctl', [
    PR_SET_PDEATHSIG,
    SIGKILL,
    0,
    0,
    0,
  ])
  const alive = stage.label()
  const words = { what: 'see that the parent is there' }
  stage.call(
    words,
    'recvfrom',
    [CONTROL, data.space(8, 'a byte'), 1, MSG_PEEK_DONTWAIT, 0, 0],
    [{ errno: EAGAIN, to: alive }],
  )
  stage.fail(words, EPIPE)
  stage.place(alive)
}

/** The stage begins with all signals blocked: it is not to be stopped halfway, and PID 1 takes them one by one. */
export const unblockSignals = (stage: StepBuilder): void =>
  stage.call({ what: 'unblock all signals', why: 'they were held back so far' }, 'rt_sigprocmask', [
    SIG_SETMASK,
    stage.data.space(8, '[]'),
    0,
    8,
  ])

/** The program, or others that come later, may run as the same user: they must not look into PID 1. */
const beOpaque = ({ stage }: PlanContext): void =>
  stage.call({ what: 'be opaque', why: 'no program may look into PID 1' }, 'prctl', [PR_SET_DUMPABLE, 0, 0, 0, 0])

/** Closes what the setup was done with. */
const closeTrees = ({ stage }: PlanContext): void =>
  stage.call({ what: 'close what the setup has opened' }, 'close_range', [STATUS_FD + 1, ALL, 0])

/** PID 1 keeps nothing but its status pipe, so that whoever reads the program's output sees its end. */
const closeRest = ({ stage }: PlanContext): void =>
  // The control socket last, so that a failure can be told.
  stage.call({ what: 'close what PID 1 does not need' }, 'close_range', [0, STATUS_FD - 1, 0])

/** Clones the program, and stays beside it as PID 1; the steps that follow are the program's. */
const planInit = (context: PlanContext): void => {
  const { stage } = context
  beOpaque(context)
  // Before the clone: a program may find a mount busy as long as PID 1 still has it open.
  closeTrees(context)
  const parent = stage.label()
  const program = stage.label()
  const child = stage.register('program')
  const why = 'PID 1 stays beside it, to reap orphans and pass signals on'
  const words = { what: 'clone the program', why }
  const plain = stage.label()
  stage.clone(words, 'clone', [VFORK, 0, 0, 0, 0], child, parent, [{ errno: EINVAL, to: plain }])
  stage.jump({ what: 'go on as the program' }, program)
  // Before Linux 6.1 processes that share memory can't be in two time namespaces, and an exec enters none.
  stage.place(plain)
  stage.clone(words, 'clone', [FORK, 0, 0, 0, 0], child, parent)
  stage.jump({ what: 'go on as the program' }, program)
  stage.place(parent)
  closeRest(context)
  stage.init(
    { what: 'be PID 1', why: 'until the program ends; then the kernel ends all that is left' },
    child,
    STATUS_FD,
  )
  stage.place(program)
}

const planSession = ({ stage }: PlanContext): void =>
  stage.call({ what: 'begin a session', why: "the caller's terminal is not the container's" }, 'setsid', [])

/**
 * The init of a machine is in the session of the process outside, and leads a group: so it can't lead a session either
 * (setsid(2)), and never takes the console as its controlling terminal, whatever it does. The kernel's own /dev/console
 * is nobody's, and inits open it, or ask for it, in that belief; and from another session no login could take it back,
 * since that takes CAP_SYS_ADMIN of the first user namespace (TIOCSCTTY, ioctl_tty(2)).
 */
const planGroup = ({ stage }: PlanContext): void =>
  stage.call({ what: 'begin a process group', why: 'the console is to be the terminal of a login' }, 'setpgid', [0, 0])

/** Like fork(2), with the child as PID 1 of a pid namespace in this one. */
const NEW_PID = named(CLONE_NEWPID | 17, 'CLONE_NEWPID|SIGCHLD')

/**
 * For a program that is to be PID 1 itself: all of the container is set up by a child in one more pid namespace, and this
 * process stays outside as PID 1 of the first. A program could take back the promise to end with its parent: here the
 * parent that matters is one that it can neither see nor reach.
 */
export const planOuterInit = (context: PlanContext): void => {
  const { stage } = context
  stage.mechanism('process')
  const parent = stage.label()
  const inside = stage.label()
  const child = stage.register('container')
  if (context.spec.process.console !== undefined) planSession(context)
  const why = 'the program is to be PID 1; outside of its pid namespace this process stays, so that all ends with it'
  stage.clone({ what: 'clone the container', why }, 'clone', [NEW_PID, 0, 0, 0, 0], child, parent)
  stage.jump({ what: 'go on as the container' }, inside)
  stage.place(parent)
  dieWithParent(context)
  beOpaque(context)
  closeTrees(context)
  closeRest(context)
  stage.init({ what: 'be PID 1 outside', why: 'until the program ends' }, child, STATUS_FD)
  stage.place(inside)
}

/** PID 1 alone, for a container in which programs come and go. */
const planPause = (context: PlanContext): void => {
  beOpaque(context)
  closeTrees(context)
  closeRest(context)
  const nobody = context.stage.register('nobody')
  context.stage.init({ what: 'be PID 1', why: 'until the container is ended' }, nobody, STATUS_FD)
}

/** execvp(3)'s search: the first that can be run; if none can, but one was there, that it may not be. */
export const planExecution = (
  stage: StepBuilder,
  { args, env, argv0 }: Pick<ProcessSpec, 'args' | 'env' | 'argv0'>,
): void => {
  const { data } = stage
  stage.mechanism('process')
  const [command = ''] = args
  const argv = data.strings(argv0 === undefined ? args : [argv0, ...args.slice(1)])
  const envp = data.strings(env, `[${env.length} variables]`)
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH
  const files = command.includes('/')
    ? [command]
    : path.split(':').map((directory) => (directory === '' ? `./${command}` : `${directory}/${command}`))
  const words = (file: string) => ({
    what: command.includes('/') ? `run ${command}` : `run ${command} (as ${file})`,
    hints: {
      ENOEXEC: 'It is neither a program of this architecture nor a script that begins with "#!".',
      EACCES: 'It is not executable by this user, or its file system is mounted noexec.',
      ENOENT: 'It is not there, or what it is run by is not: the loader that it names, or the interpreter of a script.',
    },
  })
  const notFound = { what: `find ${command} in ${path}`, hints: { ENOENT: 'Give its path, or a PATH that has it.' } }
  if (command.includes('/')) {
    stage.call(words(command), 'execve', [data.string(command), argv, envp])
    return
  }
  // Two chains, as jumps only go forward: as long as nothing was denied, and from the first denial on.
  const denied = [...files.map(() => stage.label()), stage.label()]
  const deniedAt = (index: number): Label => denied[index] ?? stage.label()
  for (const [index, file] of files.entries()) {
    const next = stage.label()
    stage.call(
      words(file),
      'execve',
      [data.string(file), argv, envp],
      [
        { errno: ENOENT, to: next },
        { errno: ENOTDIR, to: next },
        { errno: EACCES, to: deniedAt(index + 1) },
      ],
    )
    stage.place(next)
  }
  stage.fail(notFound, ENOENT, 'execve')
  for (const [index, file] of files.entries()) {
    stage.place(deniedAt(index))
    if (index === 0) continue
    const next = deniedAt(index + 1)
    stage.call(
      words(file),
      'execve',
      [data.string(file), argv, envp],
      [
        { errno: ENOENT, to: next },
        { errno: ENOTDIR, to: next },
        { errno: EACCES, to: next },
      ],
    )
  }
  stage.place(deniedAt(files.length))
  stage.fail(
    { what: `run ${command}`, hints: { EACCES: 'It was found, but is not executable by this user.' } },
    EACCES,
    'execve',
  )
}

/** The filter of system calls (seccomp(2)). */
export const planSeccomp = (context: PlanContext): void => {
  const { stage, data, spec } = context
  if (spec.process.seccomp === undefined) return
  const { program, flags } = spec.process.seccomp
  const filter = data.add(program, `${program.length / 8} instructions`)
  const header = data.space(16, `{${program.length / 8}, filter}`)
  data.setWord(header.offset, program.length / 8)
  data.pointer(header.offset + 8, filter.offset)
  stage.mechanism('seccomp').call(
    {
      what: 'filter system calls',
      why: 'for good, and for all that the program starts',
      hints: { EINVAL: 'The filter is malformed, or this kernel lacks seccomp filters.' },
    },
    'seccomp',
    [SECCOMP_SET_MODE_FILTER, flags, header],
  )
}

/** The working directory, entered as the user that the program is run by. */
export const planDirectory = (context: PlanContext): void => {
  const { stage, spec } = context
  stage.mechanism('process').call(
    {
      what: `enter ${spec.process.cwd}`,
      hints: { ENOENT: 'The working directory must exist in the container.', EACCES: 'The user may not enter it.' },
    },
    'chdir',
    [context.string(spec.process.cwd)],
  )
}

/** Else the program would possess the keys of whoever started it (session-keyring(7)). */
export const planKeyring = ({ stage }: PlanContext): void => {
  const without = stage.label()
  const words = {
    what: 'begin a session keyring',
    why: "the caller's keys stay out of reach",
    hints: { EDQUOT: 'The user has too many keys (/proc/sys/kernel/keys/maxkeys).' },
  }
  // A kernel without keys has none to hide.
  stage.call(words, 'keyctl', [KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0], [{ errno: ENOSYS, to: without }])
  stage.place(without)
}

/** The last steps before the program: PID 1 if wanted, and the filter of system calls. */
export const planProgram = (context: PlanContext, init: boolean): void => {
  const { stage, spec } = context
  stage.mechanism('process')
  if (spec.process.outlivesStarter !== true) dieWithParent(context)
  if (spec.process.args.length === 0) {
    planPause(context)
    return
  }
  if (init) planInit(context)
  unblockSignals(stage)
  if (spec.process.console === undefined) planSession(context)
  else planGroup(context)
  if (spec.process.newKeyring) planKeyring(context)
  if (spec.process.terminal && spec.process.console === undefined)
    stage.call({ what: 'take the terminal', why: 'as the controlling terminal of the session' }, 'ioctl', [
      0,
      TIOCSCTTY,
      0,
    ])
  stage.call({ what: `set the umask to 0${spec.process.umask.toString(8)}` }, 'umask', [spec.process.umask])
  stage.call({ what: 'let no descriptor through but 0, 1 and 2' }, 'close_range', [CONTROL, ALL, CLOSE_RANGE_CLOEXEC])
  // Without that promise a filter takes CAP_SYS_ADMIN, which is gone by now: then it was set before.
  if (spec.process.noNewPrivileges) planSeccomp(context)
}
