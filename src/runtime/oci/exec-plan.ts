import type { Process } from '../../oci/process.ts'
import type { DataBuilder } from '../../plan/data.ts'
import type { Named, Step } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { REPORT_PID } from '../control.ts'
import type { PlanHost } from '../plan/context.ts'
import { CONTROL, CWD, PlanContext, STATUS_FD } from '../plan/context.ts'
import { planCredentials, planRlimits } from '../plan/credentials.ts'
import { PR_SET_DUMPABLE } from '../plan/prctl.ts'
import { planKeyring, planSeccomp, unblockSignals } from '../plan/program.ts'
import { planTerminal } from '../plan/terminal.ts'
import type { ProcessSpec } from '../spec.ts'
import { planEnter, planExecute, planFind } from './program.ts'
import { planScheduling } from './scheduling.ts'

/** CLONE_PARENT, CLONE_VM, CLONE_VFORK, SIGCHLD (clone(2)). */
const FLAGS = named(0x8000 | 0x100 | 0x4000 | 17, 'CLONE_PARENT|CLONE_VM|CLONE_VFORK|SIGCHLD')
const TIOCSCTTY = named(0x540e, 'TIOCSCTTY')
const PIDFD = named(STATUS_FD, "the first process's pidfd")

/** One more program for a container. */
export interface ExecRequest {
  readonly process: ProcessSpec
  /** The kinds of namespaces that the container has of its own, as CLONE_ flags. */
  readonly namespaces: number
  /** The hierarchies of version 1 whose files the stage writes to, in the order in which it has them. */
  readonly joins: readonly string[]
  readonly preserveFds: number
  readonly oomScoreAdj: number | undefined
  readonly scheduling: Pick<Process, 'scheduler' | 'ioPriority'>
}

export interface OciExecPlan {
  readonly stage: readonly Step[]
  readonly data: DataBuilder
}

class ExecContext extends PlanContext {
  /** Behind the pidfd and the files of the groups; the console's connection is the last. */
  readonly preserved: readonly Named[]
  readonly files: readonly Named[]
  readonly console: Named
  readonly request: ExecRequest

  constructor(request: ExecRequest, host: PlanHost) {
    super(
      {
        root: { kind: 'directory', path: '/' },
        readOnlyRoot: false,
        mounts: [],
        devices: [],
        process: request.process,
        hostname: '',
        userNamespace: { kind: 'host' },
        network: 'host',
        sysctls: [],
        maskedPaths: [],
        readonlyPaths: [],
      },
      host,
    )
    const { joins, preserveFds } = request
    this.request = request
    const preserved = Array.from({ length: preserveFds }, (_, index) => `descriptor ${index + 3}`)
    const number = (name: string, index: number): Named => named(STATUS_FD + 1 + index, name)
    this.preserved = preserved.map(number)
    this.files = joins.map((name, index) => number(`cgroup ${name}`, preserveFds + index))
    this.console = number('console', preserveFds + joins.length)
  }
}

const planOomScore = ({ stage, data, request: { oomScoreAdj } }: ExecContext): void => {
  if (oomScoreAdj === undefined) return
  const words = {
    what: `set the oom score adjustment to ${oomScoreAdj}`,
    hints: { EACCES: 'To lower it takes CAP_SYS_RESOURCE.' },
  }
  const file = stage.callFor('file', words, 'openat', [
    CWD,
    data.string('/proc/self/oom_score_adj'),
    named(0o2000001, 'O_WRONLY|O_CLOEXEC'),
    0,
  ])
  const text = String(oomScoreAdj)
  stage.call(words, 'write', [file, data.string(text), text.length])
  stage.call({ what: 'close it' }, 'close', [file])
  stage.release(file)
}

/** Who may look into it sees a process of the container's only when it is one. */
const planJoin = (context: ExecContext): void => {
  const { stage, request, files } = context
  stage.mechanism('process')
  planOomScore(context)
  stage.call(
    {
      what: 'be opaque',
      why: 'no process of the container may look into this one before it is theirs (CVE-2016-9962)',
    },
    'prctl',
    [PR_SET_DUMPABLE, 0, 0, 0, 0],
  )
  stage.mechanism('cgroups')
  for (const file of files) stage.call({ what: `join the ${file.text}` }, 'write', [file, context.string('0'), 1])
  stage.mechanism('namespaces')
  stage.call(
    { what: "join the container's namespaces", why: 'all at once, by the pidfd of its first process' },
    'setns',
    [PIDFD, request.namespaces],
  )
}

/**
 * Runs one more program in a container that runs. Only children get into another pid namespace: the stage clones once
 * more, says what the child's id on the host is, and ends; the child is Tare's own (CLONE_PARENT, clone(2)).
 */
export const planOciExec = (request: ExecRequest, host: PlanHost): OciExecPlan => {
  const context = new ExecContext(request, host)
  const { stage, data, spec } = context
  const { process } = spec
  planJoin(context)
  const parent = stage.label()
  const child = stage.register('program')
  stage.mechanism('process')
  stage.clone(
    { what: 'clone the program', why: "into the container's pid namespace, as a child of Tare" },
    'clone',
    [FLAGS, 0, 0, 0, 0],
    child,
    parent,
  )
  stage.call({ what: 'begin a session', why: "the caller's terminal is not the container's" }, 'setsid', [])
  if (process.terminal) {
    planTerminal(context, CWD, '/dev/pts/ptmx', context.console)
    const words = { what: 'take the terminal', why: 'as the controlling terminal of the session' }
    stage.call(words, 'ioctl', [0, TIOCSCTTY, 0])
  }
  planScheduling(context, request.scheduling)
  planRlimits(context)
  const enter = planEnter(context)
  if (!process.noNewPrivileges) planSeccomp(context)
  planCredentials(context, { joined: true })
  if (process.newKeyring) planKeyring(context)
  enter()
  stage.call({ what: `set the umask to 0${process.umask.toString(8)}` }, 'umask', [process.umask])
  const program = planFind(context)
  unblockSignals(stage)
  planExecute(context, program)
  stage.place(parent)
  const message = data.space(16, "{the program's id}")
  data.setWord(message.offset, REPORT_PID)
  stage.store({ what: "note the program's id" }, message.offset + 4, child, 4)
  stage.call({ what: "say what the program's id is" }, 'write', [CONTROL, message, 16])
  stage.call({ what: 'end' }, 'exit_group', [0])
  return { stage: stage.steps, data }
}
