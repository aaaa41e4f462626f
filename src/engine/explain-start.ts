import type { IdMapping } from '../linux/idmap.ts'
import { hierarchyOf } from '../linux/cgroup/layout.ts'
import type { CgroupWrite } from '../linux/cgroup/write.ts'
import { NAMESPACES } from '../linux/namespace.ts'
import type { ExplainedStep } from '../plan/explain.ts'
import type { ContainerPlan } from '../runtime/plan/container-plan.ts'
import type { PlanHost } from '../runtime/plan/context.ts'

/** A step that Tare takes itself, outside any list of steps. */
export type OwnStep = Pick<ExplainedStep, 'mechanism' | 'call' | 'what' | 'why'>

/** The directory of the group in the hierarchy that has a controller. */
const groupOf = (plan: ContainerPlan, { cgroups }: PlanHost, controller: string): string => {
  const hierarchy = cgroups === undefined ? undefined : hierarchyOf(cgroups, controller)
  return `${hierarchy?.mountPoint ?? ''}/${plan.cgroup?.name ?? ''}`
}

const writeCall = (directory: string, write: CgroupWrite): string =>
  write.kind === 'file'
    ? `write(${JSON.stringify(`${directory}/${write.file}`)}, ${JSON.stringify(write.value)})`
    : `bpf(BPF_PROG_ATTACH, {${JSON.stringify(directory)}, BPF_CGROUP_DEVICE, ${write.program.length / 8} instructions})`

/** The control groups of a container: made, limited and opened before there is a process to be in them. */
export const cgroupSteps = (plan: ContainerPlan, host: PlanHost): readonly OwnStep[] => {
  const { cgroup } = plan
  if (cgroup === undefined) return []
  const step = (call: string, what: string, why: string): OwnStep => ({ mechanism: 'cgroups', call, what, why })
  const made = cgroup.memberships.map(({ hierarchy }) =>
    step(
      `mkdirat(AT_FDCWD, ${JSON.stringify(`${hierarchy.mountPoint}/${cgroup.name}`)}, 0755)`,
      `make a group in the hierarchy ${hierarchy.name}`,
      'for this container alone; it is removed with it',
    ),
  )
  const limited = cgroup.writes.map((write) =>
    step(
      writeCall(groupOf(plan, host, write.controller), write),
      write.what,
      write.kind === 'device-program' ? 'a program that the kernel asks about each device that is opened' : '',
    ),
  )
  const opened = cgroup.memberships.map(({ hierarchy, join }) => {
    const directory = `${hierarchy.mountPoint}/${cgroup.name}`
    const result = `$cgroup_${hierarchy.name}`
    if (join === undefined)
      return step(
        `openat(AT_FDCWD, ${JSON.stringify(directory)}, O_PATH|O_DIRECTORY|O_CLOEXEC) = ${result}`,
        'open the group',
        'the process is born in it',
      )
    const file = hierarchy.version === 1 ? 'tasks' : 'cgroup.procs'
    return step(
      `openat(AT_FDCWD, ${JSON.stringify(`${directory}/${file}`)}, O_WRONLY|O_CLOEXEC) = ${result}`,
      `open the members of the group in ${hierarchy.name}`,
      'by that descriptor the process joins it',
    )
  })
  return [...made, ...limited, ...opened]
}

/** Flags of the clone besides the namespaces, as native/binding.c gives them. */
const flagNames = ({ cloneFlags, cgroup }: ContainerPlan): string => {
  const made = Object.entries(NAMESPACES).filter(([, { flag }]) => cloneFlags & flag)
  const names = [
    ...made.map(([kind]) => `CLONE_NEW${kind === 'mnt' ? 'NS' : kind.toUpperCase()}`),
    'CLONE_VM',
    'CLONE_PIDFD',
    'CLONE_CLEAR_SIGHAND',
    ...(cgroup?.memberships.some(({ join }) => join === undefined) === true ? ['CLONE_INTO_CGROUP'] : []),
  ]
  return names.join('|')
}

const start = (call: string, what: string, why: string): OwnStep => ({ mechanism: 'start', call, what, why })

const isMapped = ({ spec }: ContainerPlan): boolean => spec.userNamespace.kind === 'mapped'

const ranges = (mappings: readonly IdMapping[]): string =>
  mappings.map(({ inside, outside, size }) => `${inside} ${outside} ${size}`).join(' ')

/** The clone, what is made ready for it, and the id maps that programs of the host have to write. */
export const cloneSteps = (plan: ContainerPlan): readonly OwnStep[] => {
  const { spec } = plan
  const steps = [
    start(
      'socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0) = $control',
      'make a pair of sockets',
      'by which the stage says which step has failed, and with which errno',
    ),
    start('pipe2(O_CLOEXEC) = $status', 'make a pipe', 'by which PID 1 says how the program has ended'),
    start(
      'memfd_create("tare-plan", MFD_CLOEXEC) = $plan',
      'make memory for the plan',
      'which the process inherits, and in which it notes how far it is',
    ),
    start(
      `clone3({flags=${flagNames(plan)}, exit_signal=SIGCHLD}) = $pid`,
      'clone the process that becomes the container',
      `${isMapped(plan) ? 'in a new pid namespace, and in a new user namespace that is to own all others' : 'in a new pid namespace'}; none of our memory is copied`,
    ),
  ]
  const { userNamespace } = spec
  if (!plan.mappingHelpers || userNamespace.kind !== 'mapped') return steps
  const why = 'the set-user-id program that may, as /etc/subuid and /etc/subgid allow'
  return [
    ...steps,
    {
      mechanism: 'namespaces',
      call: `execve("newuidmap", "$pid ${ranges(userNamespace.uids)}")`,
      what: 'have newuidmap(1) write uid_map',
      why,
    },
    {
      mechanism: 'namespaces',
      call: `execve("newgidmap", "$pid ${ranges(userNamespace.gids)}")`,
      what: 'have newgidmap(1) write gid_map',
      why,
    },
  ]
}

const EXEC_STAGE: OwnStep = start(
  'execveat($stage, "", ["tare"], [], AT_EMPTY_PATH)',
  'exec the stage',
  'a program of a few kilobytes in a sealed memfd: no file of the host is reached through /proc/self/exe',
)

/** What the process does once its id maps are there. */
export const idSteps = (plan: ContainerPlan): readonly OwnStep[] =>
  isMapped(plan)
    ? [
        start(
          'futex($go, FUTEX_WAIT, 0)',
          'wait until the id maps are written',
          'only then an id of the new user namespace can be taken',
        ),
        start(
          'setresgid(0, 0, 0), setresuid(0, 0, 0)',
          'become root of the new user namespace',
          'else its capabilities were lost with the exec',
        ),
      ]
    : []

/** How the process becomes the stage. `link`: what is done meanwhile for its link to the host. */
export const stageSteps = ({ stage, handed }: ContainerPlan, link: readonly OwnStep[]): readonly OwnStep[] => {
  const steps = [
    start(
      `write($plan, ${stage.length} steps)`,
      'write the plan',
      'meanwhile the process makes its namespaces, and waits for it',
    ),
    EXEC_STAGE,
    ...link,
  ]
  if (handed.length === 0 && link.length > 0)
    return [...steps, start('sendmsg($control, a message, MSG_NOSIGNAL)', 'tell the stage that the link is there', '')]
  if (handed.length === 0) return steps
  return [
    ...steps,
    start(
      `sendmsg($control, a message with ${handed.length} descriptors, MSG_NOSIGNAL)`,
      `hand ${handed.length} trees to the stage`,
      'which only the host can open with their owners mapped',
    ),
  ]
}
