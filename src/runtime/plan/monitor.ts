import { ERRNO } from '../../linux/errno.ts'
import { AT_EMPTY_PATH } from '../../linux/fcntl.ts'
import { TIOCGPTPEER } from '../../linux/pty.ts'
import { StepBuilder } from '../../plan/builder.ts'
import { DataBuilder } from '../../plan/data.ts'
import type { Data, Named, Register, Step, Words } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { REPORT_MONITOR, REPORT_PID, REPORT_READY } from '../control.ts'
import type { Unshare } from '../stage.ts'
import { CONTROL, CWD, FIRST_FREE_FD, STATUS_FD } from './context.ts'
import { PR_SET_PDEATHSIG } from './prctl.ts'
import { planExecution, unblockSignals } from './program.ts'
import { receiveOne } from './receive.ts'

/** Descriptors of the monitor. The first two outlive it: the command that follows it has them under these numbers. */
export const MONITOR_STATUS_FD: number = STATUS_FD
export const MONITOR_LOCK_FD = 6
const LISTENER = named(7, 'listener')
const LOG = named(8, 'log')
const NOTIFY_FD = 9
/** The container's own: its control socket, its plan, the pipe for its end, then what its plan inherits. */
const CONTAINER_FD = 10
const INHERITED_FD = CONTAINER_FD + 3

const FORK = named(17, 'SIGCHLD')
const CLONE_PIDFD = 0x1000
const SIGCHLD = 17
const SIGKILL = named(9, 'SIGKILL')
const O_PATH_CLOEXEC = named(0o12000000, 'O_PATH|O_CLOEXEC')
const O_RDWR_NOCTTY_CLOEXEC = named(0o2000402, 'O_RDWR|O_NOCTTY|O_CLOEXEC')
const F_SETFL = named(4, 'F_SETFL')
const O_RDWR_NONBLOCK = named(0o4002, 'O_RDWR|O_NONBLOCK')
const CLOSE_RANGE_CLOEXEC = named(4, 'CLOSE_RANGE_CLOEXEC')
const PR_SET_NAME = named(15, 'PR_SET_NAME')
const P_PIDFD = named(3, 'P_PIDFD')
const WEXITED_WALL = named(0x40000004, 'WEXITED|__WALL')
const ALL = 0xffffffff
const { EPIPE = 32 } = ERRNO

/** A command, found by its path. */
export interface ExitCommand {
  /** Its words; the first is an absolute path. */
  readonly args: readonly string[]
  readonly env: readonly string[]
}

export interface MonitorSpec {
  /** CLONE_ flags of the container's own clone. */
  readonly cloneFlags: number
  /** Whether its process waits for its id maps, and is root of its user namespace then. */
  readonly held: boolean
  readonly unshare: Unshare
  /** How many descriptors the container's plan inherits. */
  readonly inherited: number
  /** Whether there is a socket on which its init says how far it is. */
  readonly notify: boolean
  /** Bytes that the log keeps. */
  readonly capacity: number
  /** What the monitor becomes when the container has ended. */
  readonly exit: ExitCommand
}

export interface MonitorPlan {
  readonly stage: readonly Step[]
  readonly data: DataBuilder
}

/** Says a process id to Tare, over the monitor's control socket. */
const sayPid = (stage: StepBuilder, kind: number, pid: Register, whose: string): void => {
  const message = stage.data.space(16, `{${whose}}`)
  stage.data.setWord(message.offset, kind)
  stage.store({ what: `note ${whose}` }, message.offset + 4, pid, 4)
  stage.call({ what: `say what ${whose} is` }, 'write', [CONTROL, message, 16])
}

/** Waits for a byte from Tare on the container's control socket; fails if Tare has ended. */
const awaitTare = (stage: StepBuilder, byte: Data, words: Words): void => {
  const got = stage.callFor('a byte', words, 'recvfrom', [named(CONTAINER_FD, 'container control'), byte, 1, 0, 0, 0])
  stage.check(words, got, 1, EPIPE)
  stage.release(got)
}

/** Until its own plan says so too. A change of ids takes it back (PR_SET_PDEATHSIG, prctl(2)). */
const endWithMonitor = (stage: StepBuilder): void =>
  stage.call({ what: 'end with the monitor' }, 'prctl', [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0])

/** The container's process, up to where it is the stage with a plan of its own. */
const planContainerProcess = (stage: StepBuilder, spec: MonitorSpec, exe: Register): void => {
  const { data } = stage
  const byte = data.space(8, 'a byte')
  endWithMonitor(stage)
  if (spec.held) {
    awaitTare(stage, byte, { what: 'wait for the id maps', why: 'which Tare writes' })
    stage.call(
      { what: 'be root of the user namespace', why: 'else the exec would take all capabilities' },
      'setresgid',
      [0, 0, 0],
    )
    stage.call({ what: 'be root of the user namespace' }, 'setresuid', [0, 0, 0])
    endWithMonitor(stage)
  }
  const { what, why, hints } = spec.unshare.step
  stage.call({ what, why, ...(hints === undefined ? {} : { hints }) }, 'unshare', spec.unshare.step.args)
  awaitTare(stage, byte, { what: 'wait for the plan', why: 'which Tare has written meanwhile' })
  // From the lowest: each comes from above where it goes, and from behind all that went before.
  for (let index = 0; index < 3 + spec.inherited; index++)
    stage.call({ what: `make a descriptor the stage's ${3 + index}` }, 'dup3', [CONTAINER_FD + index, 3 + index, 0])
  stage.call({ what: 'leave the monitor its descriptors' }, 'close_range', [
    FIRST_FREE_FD + spec.inherited,
    ALL,
    CLOSE_RANGE_CLOEXEC,
  ])
  stage.call({ what: 'become the stage' }, 'execveat', [
    exe,
    data.string(''),
    data.strings(['tare']),
    data.strings([]),
    named(AT_EMPTY_PATH, 'AT_EMPTY_PATH'),
  ])
}

/**
 * The small parent that stays with a container in the background. It is cloned twice, so that it is nobody's child;
 * makes the container's process, which so ends with it; and waits to be handed the console. If Tare ends before that,
 * it ends too. Then it keeps the console until the container has ended, and becomes the command that cleans up.
 */
export const planMonitor = (spec: MonitorSpec): MonitorPlan => {
  const data = new DataBuilder()
  const stage = new StepBuilder(data)
  const launcher = stage.label()
  const monitor = stage.register('monitor')
  stage.clone(
    { what: 'clone the monitor', why: 'it is to be no child of Tare' },
    'clone',
    [FORK, 0, 0, 0, 0],
    monitor,
    launcher,
  )
  stage.call({ what: 'begin a session', why: "the caller's terminal is not the machine's" }, 'setsid', [])
  stage.call({ what: 'take a name that people know' }, 'prctl', [PR_SET_NAME, data.string('tare-monitor'), 0, 0, 0])
  const exe = stage.callFor('the stage fd', { what: 'open the stage itself' }, 'openat', [
    CWD,
    data.string('/proc/self/exe'),
    O_PATH_CLOEXEC,
    0,
  ])
  const pidfdAt = data.space(8, '{its pidfd}')
  const parent = stage.label()
  const container = stage.register('container')
  const flags = spec.cloneFlags | CLONE_PIDFD | SIGCHLD
  stage.clone(
    { what: 'clone the container', why: 'as a child of the monitor, with which it ends' },
    'clone',
    [flags, 0, pidfdAt, 0, 0],
    container,
    parent,
  )
  planContainerProcess(stage, spec, exe)
  stage.place(parent)
  planStay(stage, spec, { exe, container, pidfdAt })
  stage.place(launcher)
  sayPid(stage, REPORT_MONITOR, monitor, "the monitor's id")
  stage.call({ what: 'end' }, 'exit_group', [0])
  return { stage: stage.steps, data }
}

interface Cloned {
  readonly exe: Register
  readonly container: Register
  /** Where the kernel has put its pidfd. */
  readonly pidfdAt: Data
}

const planStay = (stage: StepBuilder, spec: MonitorSpec, { exe, container, pidfdAt }: Cloned): void => {
  const { data } = stage
  const pidfd = stage.register('container fd')
  stage.loadInto(pidfd, { what: "take the container's pidfd" }, pidfdAt.offset, 4)
  // All but its plan, by which others can tell what it was promised. Else nobody would hear that it has let go of them.
  const close = { what: "close what is the container's" }
  stage.call(close, 'close_range', [CONTAINER_FD, CONTAINER_FD, 0])
  stage.call(close, 'close_range', [CONTAINER_FD + 2, INHERITED_FD + spec.inherited - 1, 0])
  stage.call(close, 'close', [exe])
  sayPid(stage, REPORT_PID, container, "the container's id")
  stage.call({ what: 'go to /', why: 'no directory is kept busy' }, 'chdir', [data.string('/')])
  const wait = { what: 'wait for the console', why: 'if Tare ends before, so does all' }
  const console = receiveOne(stage, wait, 'console fd')
  const peer = { what: 'hold its other side open', why: 'a terminal that nobody has open cannot be read' }
  stage.call(peer, 'ioctl', [console, named(TIOCGPTPEER, 'TIOCGPTPEER'), O_RDWR_NOCTTY_CLOEXEC])
  stage.call({ what: 'never wait for the console' }, 'fcntl', [console, F_SETFL, O_RDWR_NONBLOCK])
  const message = data.space(16, '{all is there}')
  data.setWord(message.offset, REPORT_READY)
  stage.call({ what: 'say that the container is in good hands' }, 'write', [CONTROL, message, 16])
  stage.call({ what: 'let go of Tare' }, 'close', [CONTROL])
  const notify: Named | number = spec.notify ? named(NOTIFY_FD, 'notify') : -1
  stage.monitor(
    { what: 'keep its console', why: 'until it has ended' },
    { ended: pidfd, console, listener: LISTENER, log: LOG, notify, capacity: spec.capacity },
  )
  const reap = { what: 'wait for the container' }
  stage.call(reap, 'waitid', [P_PIDFD, pidfd, 0, WEXITED_WALL, 0])
  // How the container ended, and the lock, are for the command.
  stage.call({ what: 'close all but how it ended, and what holds the system' }, 'close_range', [
    MONITOR_LOCK_FD + 1,
    ALL,
    0,
  ])
  stage.call({ what: 'let go of the plan' }, 'close', [4])
  unblockSignals(stage)
  planExecution(stage, { ...spec.exit, argv0: undefined })
}
