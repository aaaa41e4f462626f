import { parseCgroupPaths } from '../linux/cgroup/layout.ts'
import { ERRNO } from '../linux/errno.ts'
import { InputError, TareError } from '../linux/error.ts'
import type { NamespaceId } from '../linux/namespace.ts'
import { NAMESPACE_KINDS } from '../linux/namespace.ts'
import { ProcDirectory } from '../linux/proc-directory.ts'
import { parseCommandLine } from '../linux/process-command-line.ts'
import { parseProcessStat } from '../linux/process-stat.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { ContainedProcess } from './contained-process.ts'
import { ContainedProcessReader, mainCgroup } from './contained-process.ts'
import type { ProcessGroup } from './container-groups.ts'
import { groupProcesses, hostNamespaces } from './container-groups.ts'
import type { ContainerOrigin, MakerProcess } from './container-maker.ts'
import { CgroupOrigins, originOfProcesses } from './container-maker.ts'
import type { NamespaceInodes } from './processes.ts'
import { COMMAND_LINE_LIMIT } from './processes.ts'

/**
 * `container`: has namespaces of its own. `service`: a service of the system in some (PrivateTmp= and the like of
 * systemd.exec(5)), but in the host's pid namespace. `kernel`: a thread of the kernel in some. `host`: all the others.
 */
export type ContainedKind = 'container' | 'service' | 'kernel' | 'host'

/** Processes that are in namespaces together, and not in the host's. */
export interface FoundContainer extends ContainerOrigin {
  readonly kind: ContainedKind
  /**
   * The namespace by which they belong together: of pid, mnt, user, net, ipc, uts, cgroup and time the first that
   * isn't the host's. Undefined for the host, and where this user may not know it.
   */
  readonly namespace: NamespaceId | undefined
  /** Which namespaces of its first process aren't the host's. */
  readonly namespaces: readonly NamespaceId[]
  /** The pid of its first process: its PID 1, else the oldest whose parent isn't one of them. */
  readonly leader: number
  /** The pid of the process that started it, unless that has ended. */
  readonly maker: number | undefined
  /** The first process of the container that it was started in. */
  readonly parent: number | undefined
  /** The control group of its first process: as `ContainedProcess.cgroup`. */
  readonly cgroup: string
  /** By ascending pid. */
  readonly processes: readonly ContainedProcess[]
}

export interface FindContainersOptions {
  /** Services of the system in namespaces of their own too, and threads of the kernel. By default not. */
  readonly services?: boolean | undefined
  /** The host's own processes too, at the end, as one of kind `host`; includes `services`. By default not. */
  readonly host?: boolean | undefined
  /** Only those that these processes are in. */
  readonly pids?: readonly number[] | undefined
  /** Whether to read the control group of every process, and not only of the first ones. By default so. */
  readonly cgroups?: boolean | undefined
}

/** What is asked about a container's first process besides what is asked about all. */
interface LeaderFacts {
  readonly leader: ContainedProcess
  readonly namespaces: readonly NamespaceId[]
  readonly cgroups: readonly string[]
  readonly cgroup: string
  /** What it executes; undefined where that may not be known. */
  readonly program: string | undefined
}

/**
 * What every container's PID 1 executes that Tare starts, its stage; and what the kernel calls that: 15 bytes of it, or
 * before Linux 6.14 the number of a descriptor.
 */
const STAGE = '/memfd:tare-stage (deleted)'
const STAGE_NAME = /^(?:memfd:tare-stag|\d+)$/

interface LedGroup {
  readonly group: ProcessGroup
  readonly facts: LeaderFacts
}

const byAge = (a: ContainedProcess, b: ContainedProcess): number =>
  a.startTime.getTime() - b.startTime.getTime() || a.pid - b.pid

const leaderOf = ({ namespace, processes }: ProcessGroup): ContainedProcess | undefined => {
  const init = processes.find(({ pids }) => pids.length > 1 && pids.at(-1) === 1)
  if (init !== undefined && (namespace === undefined || namespace.kind === 'pid')) return init
  const pids = new Set(processes.map(({ pid }) => pid))
  const started = processes.filter(({ ppid }) => !pids.has(ppid))
  return (started.length > 0 ? started : processes).toSorted(byAge)[0]
}

const readFacts = (proc: ProcDirectory, host: NamespaceInodes, leader: ContainedProcess): LeaderFacts => {
  const held = proc.open(leader.pid)
  if (held === undefined) return { leader, namespaces: [], cgroups: [], cgroup: '/', program: undefined }
  try {
    const inodes = held.namespaces(NAMESPACE_KINDS)
    const namespaces = NAMESPACE_KINDS.flatMap((kind, index): readonly NamespaceId[] => {
      const inode = inodes[index]
      return inode === undefined || inode === host[kind] ? [] : [{ kind, inode }]
    })
    const paths = parseCgroupPaths(held.read('cgroup') ?? '')
    // Asked only of what bears the name that the kernel gave the stage: no other process can take it from a PID 1.
    const program = STAGE_NAME.test(leader.name) ? held.link('exe') : undefined
    return { leader, namespaces, cgroups: [...paths.values()], cgroup: mainCgroup(paths), program }
  } finally {
    held.close()
  }
}

const keyOf = ({ kind, inode }: NamespaceId): string => `${kind}:${inode}`

/**
 * Processes that have some namespaces of a container but not its pid namespace are its own too: they entered it, or
 * started it, as unshare(1) does. Where more than one container has the namespace (those of a pod share theirs) and
 * they started none or several of them, they stay by themselves.
 */
const joinVisitors = (led: readonly LedGroup[]): readonly LedGroup[] => {
  const holders = new Map<string, LedGroup[]>()
  for (const each of led)
    for (const namespace of each.facts.namespaces) {
      const known = holders.get(keyOf(namespace))
      if (known === undefined) holders.set(keyOf(namespace), [each])
      else known.push(each)
    }
  const hostOf = ({ group: { namespace, processes } }: LedGroup): LedGroup | undefined => {
    if (namespace === undefined || namespace.kind === 'pid') return undefined
    // Whoever else has it differs from the host in a kind that comes before, so this leads in no circle.
    const others = (holders.get(keyOf(namespace)) ?? []).filter(({ group }) => group.namespace !== namespace)
    const [started, ...moreStarted] = others.filter(({ facts }) =>
      processes.some(({ pid }) => pid === facts.leader.ppid),
    )
    if (started !== undefined && moreStarted.length === 0) return started
    return others.length === 1 ? others[0] : undefined
  }
  const stay: LedGroup[] = []
  for (const each of led) {
    let host = hostOf(each)
    for (let next = host; next !== undefined; next = hostOf(next)) host = next
    if (host === undefined) stay.push(each)
    else for (const process of each.group.processes) host.group.processes.push(process)
  }
  return stay
}

const UNIT = /\.(service|scope|slice)$/

/** The service that a control group is of, by systemd's names for groups (systemd.unit(5)); undefined for others. */
const serviceOf = (cgroup: string): string | undefined => {
  const unit = cgroup.split('/').findLast((part) => UNIT.test(part))
  return unit?.endsWith('.service') === true ? unit : undefined
}

const originOf = (
  { leader, program }: LeaderFacts,
  grouped: ContainerOrigin | undefined,
  maker: MakerProcess | undefined,
): ContainerOrigin => {
  const started = originOfProcesses(maker, leader)
  const madeBy = program === STAGE ? 'tare' : (grouped?.madeBy ?? started?.madeBy)
  // Only what is of the same engine belongs together: a docker container may start bwrap.
  const [first, second] = [grouped, started].filter((each) => each?.madeBy === madeBy)
  return { madeBy, name: first?.name ?? second?.name, id: first?.id ?? second?.id }
}

const kindOf = (
  { leader, cgroup }: LeaderFacts,
  grouped: ContainerOrigin | undefined,
  { namespace }: ProcessGroup,
): ContainedKind => {
  if (leader.isKernelThread) return 'kernel'
  const isOwn = namespace?.kind === 'pid' || namespace === undefined || grouped !== undefined
  return !isOwn && serviceOf(cgroup) !== undefined ? 'service' : 'container'
}

/** Reads a process that started others. PID 1 takes over orphans: it says nothing about who made them. */
const readMaker = (proc: ProcDirectory, pid: number): MakerProcess | undefined => {
  const held = pid > 1 ? proc.open(pid) : undefined
  if (held === undefined) return undefined
  try {
    const stat = held.read('stat')
    const commandLine = parseCommandLine(held.read('cmdline', COMMAND_LINE_LIMIT) ?? '')
    return stat === undefined ? undefined : { name: parseProcessStat(stat).comm, commandLine }
  } finally {
    held.close()
  }
}

const describe = (proc: ProcDirectory, led: readonly LedGroup[]): readonly FoundContainer[] => {
  const makers = new Map<number, MakerProcess | undefined>()
  const origins = new CgroupOrigins()
  const leaders = new Map<number, number>()
  for (const { group, facts } of led) for (const { pid } of group.processes) leaders.set(pid, facts.leader.pid)
  return led.map(({ group, facts }): FoundContainer => {
    const { leader, namespaces, cgroup } = facts
    if (!makers.has(leader.ppid)) makers.set(leader.ppid, readMaker(proc, leader.ppid))
    const maker = makers.get(leader.ppid)
    const grouped = origins.of(facts.cgroups)
    const kind = kindOf(facts, grouped, group)
    return {
      kind,
      ...(kind === 'service'
        ? { madeBy: 'systemd', name: serviceOf(cgroup), id: undefined }
        : originOf(facts, grouped, maker)),
      namespace: group.namespace,
      namespaces,
      leader: leader.pid,
      maker: maker === undefined ? undefined : leader.ppid,
      parent: leaders.get(leader.ppid) === leader.pid ? undefined : leaders.get(leader.ppid),
      cgroup,
      processes: group.processes.toSorted((a, b) => a.pid - b.pid),
    }
  })
}

/** Each directly before those that were started in it; by ascending pid else. */
const nested = (containers: readonly FoundContainer[]): readonly FoundContainer[] => {
  const sorted = containers.toSorted((a, b) => a.leader - b.leader)
  const below = new Map<number | undefined, FoundContainer[]>(sorted.map(({ leader }) => [leader, []]))
  const outermost = sorted.filter((each) => {
    const siblings = each.parent === undefined ? undefined : below.get(each.parent)
    siblings?.push(each)
    return siblings === undefined
  })
  const done = new Set<FoundContainer>()
  const visit = (each: FoundContainer): void => {
    done.add(each)
    for (const inner of below.get(each.leader) ?? []) visit(inner)
  }
  for (const each of outermost) visit(each)
  // Numbers that were used anew while we looked could make a circle, which nothing outermost leads into.
  return [...done, ...sorted.filter((each) => !done.has(each))]
}

const hostContainer = (processes: readonly ContainedProcess[]): readonly FoundContainer[] => {
  const [first] = processes
  if (first === undefined) return []
  const origin = { madeBy: undefined, name: undefined, id: undefined, maker: undefined, parent: undefined }
  return [{ kind: 'host', ...origin, namespace: undefined, namespaces: [], leader: first.pid, cgroup: '/', processes }]
}

const operation = 'find the container of'

const onlyThose = (containers: readonly FoundContainer[], pids: readonly number[]): readonly FoundContainer[] => {
  const found = pids.map((pid) => {
    const container = containers.find(({ processes }) => processes.some((each) => each.pid === pid))
    if (container !== undefined) return container
    const target = `process ${pid}`
    if (trySyscall('kill', pid, 0) === -(ERRNO['ESRCH'] ?? 0)) {
      const hint = 'It has ended, or lives in another pid namespace.'
      throw new TareError({ operation, target, errno: ERRNO['ESRCH'], hint })
    }
    throw new TareError({
      operation,
      target,
      reason: 'it is in none',
      code: 'ERR_TARE_NOT_CONTAINED',
      hint: 'It is in the namespaces of the host.',
    })
  })
  return [...new Set(found)]
}

const checkPids = (pids: readonly number[]): void => {
  for (const pid of pids) {
    if (Number.isInteger(pid) && pid > 0 && pid <= 0x7fffffff) continue
    throw new InputError({
      operation,
      target: `process ${pid}`,
      reason: 'it is no process id',
      hint: 'Process ids are whole numbers from 1 on.',
    })
  }
}

/**
 * Finds what is contained on this host, whoever contains it: all processes that are not in the host's namespaces (those
 * of PID 1), together with the ones that share the most telling of their namespaces with them. Containers started in a
 * container follow it. Who made them is a guess, from the names of their control groups and from the process that
 * started them; nothing that a container can write itself is trusted for more than showing it.
 *
 * An ordinary user may know the namespaces of its own processes only. Of the others those are found that are in a pid
 * namespace of their own, which everyone may know.
 *
 * @throws InputError for what is no process id.
 * @throws TareError with `code` ESRCH for a process that is not there, ERR_TARE_NOT_CONTAINED for one that is in no
 * container; or where /proc is not mounted.
 */
export const findContainers = (options: FindContainersOptions = {}): readonly FoundContainer[] => {
  const { services = false, host = false, pids, cgroups = true } = options
  checkPids(pids ?? [])
  const proc = new ProcDirectory()
  try {
    const namespaces = hostNamespaces(proc)
    const reader = new ContainedProcessReader(proc, namespaces.pid, cgroups)
    const grouped = groupProcesses(proc, reader, namespaces, host)
    reader.close()
    const led = grouped.groups.flatMap((group): readonly LedGroup[] => {
      const leader = leaderOf(group)
      return leader === undefined ? [] : [{ group, facts: readFacts(proc, namespaces, leader) }]
    })
    const all = [...nested(describe(proc, joinVisitors(led))), ...hostContainer(grouped.host)]
    if (pids !== undefined) return onlyThose(all, pids)
    return services || host ? all : all.filter(({ kind }) => kind === 'container')
  } finally {
    proc.close()
  }
}
