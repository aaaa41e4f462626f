import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from '../../linux/namespace.ts'
import type { DataBuilder } from '../../plan/data.ts'
import type { Named, Step } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { REPORT_PID } from '../control.ts'
import type { ContainerSpec } from '../spec.ts'
import type { PlanHost } from './context.ts'
import { CONTROL, CWD, FIRST_FREE_FD, PlanContext, STATUS_FD } from './context.ts'
import { planCredentials, planRlimits } from './credentials.ts'
import { planDirectory, planExecution, planProgram, planSeccomp } from './program.ts'
import { planTerminal } from './terminal.ts'
import { PR_SET_DUMPABLE } from './prctl.ts'

/** CLONE_PARENT, CLONE_VM, CLONE_VFORK, SIGCHLD (clone(2)). */
const FLAGS = 0x8000 | 0x100 | 0x4000 | 17

/** Descriptors of the stage that joins a container: its PID 1's pidfd, its clocks, then the files of its cgroups. */
const PIDFD: Named = named(STATUS_FD, "PID 1's pidfd")
const CLOCKS: Named = named(FIRST_FREE_FD, "PID 1's time namespace for children")

export interface ExecPlan {
  readonly stage: readonly Step[]
  readonly data: DataBuilder
}

/** How many cgroup files, each for one hierarchy of version 1, the stage writes itself to. */
export interface ExecTarget {
  readonly joins: readonly string[]
}

const KINDS = [
  [CLONE_NEWNS, 'CLONE_NEWNS'],
  [CLONE_NEWIPC, 'CLONE_NEWIPC'],
  [CLONE_NEWUTS, 'CLONE_NEWUTS'],
  [CLONE_NEWPID, 'CLONE_NEWPID'],
  [CLONE_NEWCGROUP, 'CLONE_NEWCGROUP'],
] as const

const planJoin = (context: PlanContext, target: ExecTarget): void => {
  const { stage, spec } = context
  stage
    .mechanism('start')
    .call(
      { what: 'be opaque', why: 'no process of the container may look into this one before it is theirs' },
      'prctl',
      [PR_SET_DUMPABLE, 0, 0, 0, 0],
    )
  stage.mechanism('cgroups')
  target.joins.forEach((name, index) => {
    const file = named(FIRST_FREE_FD + 1 + index, `cgroup ${name}`)
    stage.call({ what: `join the cgroup in the hierarchy ${name}` }, 'write', [file, context.string('0'), 1])
  })
  const kinds: (readonly [number, string])[] = [...KINDS]
  if (spec.network !== 'host') kinds.push([CLONE_NEWNET, 'CLONE_NEWNET'])
  if (context.mapped) kinds.push([CLONE_NEWUSER, 'CLONE_NEWUSER'])
  const flags = kinds.reduce((all, [flag]) => all | flag, 0)
  stage.mechanism('namespaces')
  stage.call({ what: "join the container's namespaces", why: 'all at once, by the pidfd of its PID 1' }, 'setns', [
    PIDFD,
    named(flags, kinds.map(([, name]) => name).join('|')),
  ])
  stage.call(
    { what: 'join its time namespace', why: 'the one that its programs are in, which PID 1 is not' },
    'setns',
    [CLOCKS, named(CLONE_NEWTIME, 'CLONE_NEWTIME')],
  )
}

/**
 * Runs one more program in a running container. A process can't change its own pid namespace, only that of its
 * children: so the stage clones once more, says what the child's id on the host is, and ends. The child is Tare's own
 * (CLONE_PARENT, clone(2)), which waits for it as for any other.
 */
export const planExec = (spec: ContainerSpec, host: PlanHost, target: ExecTarget): ExecPlan => {
  const context = new PlanContext(spec, host)
  const { stage, data } = context
  planJoin(context, target)
  const parent = stage.label()
  const child = stage.register('program')
  stage.mechanism('process')
  stage.clone(
    { what: 'clone the program', why: "into the container's pid namespace, as a child of Tare" },
    'clone',
    [named(FLAGS, 'CLONE_PARENT|CLONE_VM|CLONE_VFORK|SIGCHLD'), 0, 0, 0, 0],
    child,
    parent,
  )
  if (spec.process.terminal) planTerminal(context, CWD, '/dev/pts/ptmx')
  planRlimits(context)
  if (!spec.process.noNewPrivileges) planSeccomp(context)
  planCredentials(context, { joined: true })
  planDirectory(context)
  planProgram(context, false)
  planExecution(stage, spec.process)
  stage.place(parent)
  const message = data.space(16, "{the program's id}")
  data.setWord(message.offset, REPORT_PID)
  stage.store({ what: "note the program's id" }, message.offset + 4, child, 4)
  stage.call({ what: "say what the program's id is" }, 'write', [CONTROL, message, 16])
  stage.call({ what: 'end' }, 'exit_group', [0])
  return { stage: stage.steps, data }
}
