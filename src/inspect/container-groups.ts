import type { NamespaceId, NamespaceKind } from '../linux/namespace.ts'
import { NAMESPACE_KINDS } from '../linux/namespace.ts'
import type { ProcDirectory, ProcProcess } from '../linux/proc-directory.ts'
import { PROC_BATCH } from '../linux/proc-directory.ts'
import { statusPids } from '../linux/process-status.ts'
import type { ContainedProcess, ContainedProcessReader, PlacedProcess } from './contained-process.ts'

/** What every process is asked for. */
const FIRST_KINDS = ['pid', 'user'] as const

/** What those are asked for that are in the host's pid namespace. */
const OTHER_KINDS = ['mnt', 'net', 'ipc', 'uts', 'cgroup', 'time'] as const

/** Processes that belong together. */
export interface ProcessGroup {
  /** The namespace that they share, and by which they are told from the host's; undefined: it can't be known. */
  readonly namespace: NamespaceId | undefined
  readonly processes: ContainedProcess[]
}

/** All processes: those of the host, and the others in groups. */
export interface GroupedProcesses {
  readonly groups: readonly ProcessGroup[]
  /** None unless they were asked for. */
  readonly host: readonly ContainedProcess[]
}

type HostNamespaces = Readonly<Partial<Record<NamespaceKind, number>>>

/** The namespaces of the host: those of its PID 1; where they may not be known, our own. */
export const hostNamespaces = (proc: ProcDirectory): HostNamespaces => {
  const found: Partial<Record<NamespaceKind, number>> = {}
  for (const pid of [process.pid, 1]) {
    const held = proc.open(pid)
    if (held === undefined) continue
    for (const kind of NAMESPACE_KINDS) {
      const inode = held.namespace(kind)
      if (inode !== undefined) found[kind] = inode
    }
    held.close()
  }
  return found
}

/** Whether a process whose namespaces may not be known has another number in a pid namespace below the reader's. */
const isNested = (held: ProcProcess): boolean => {
  const status = held.read('status')
  return status !== undefined && statusPids(status).length > 1
}

/**
 * Where a process belongs, and which pid and user namespaces it is in, as far as they may be known. `nested`: in a pid
 * namespace below the host's, which may not be known.
 */
interface Place {
  readonly at: NamespaceId | 'host' | 'nested'
  readonly pid: number | undefined
  readonly user: number | undefined
}

/** The first namespace that isn't the host's: of pid, mnt, user and then the others. */
const placeOf = (held: ProcProcess, host: HostNamespaces): Place => {
  const [pid, user] = held.namespaces(FIRST_KINDS)
  const place = (at: Place['at']): Place => ({ at, pid, user })
  if (pid === undefined) return place(isNested(held) ? 'nested' : 'host')
  if (pid !== host.pid) return place({ kind: 'pid', inode: pid })
  const others = held.namespaces(OTHER_KINDS)
  // A zombie has left all but its pid and user namespaces.
  const differs = (kind: NamespaceKind, inode: number | undefined): inode is number =>
    inode !== undefined && inode !== host[kind]
  if (differs('mnt', others[0])) return place({ kind: 'mnt', inode: others[0] })
  if (differs('user', user)) return place({ kind: 'user', inode: user })
  for (const [index, kind] of OTHER_KINDS.entries()) {
    const inode = others[index]
    if (differs(kind, inode)) return place({ kind, inode })
  }
  return place('host')
}

/** The groups while they are being filled. */
class Groups {
  readonly #byKind: Map<NamespaceKind, Map<number, ProcessGroup>> = new Map()
  readonly #byInit: Map<number, ProcessGroup> = new Map()

  add(namespace: NamespaceId, process: ContainedProcess): void {
    const { kind, inode } = namespace
    let byInode = this.#byKind.get(kind)
    if (byInode === undefined) this.#byKind.set(kind, (byInode = new Map()))
    const group = byInode.get(inode)
    if (group === undefined) byInode.set(inode, { namespace, processes: [process] })
    else group.processes.push(process)
  }

  /** Puts processes whose namespaces may not be known with the PID 1 that they descend from. */
  addUnknown(unknown: readonly ContainedProcess[]): void {
    const known = new Map<number, ProcessGroup>()
    const processes = new Map<number, ContainedProcess>()
    for (const group of this.all())
      for (const process of group.processes) {
        known.set(process.pid, group)
        processes.set(process.pid, process)
      }
    for (const process of unknown) processes.set(process.pid, process)
    for (const process of unknown) {
      const init = initOf(process, processes)?.pid ?? process.pid
      const group = known.get(init) ?? this.#byInit.get(init) ?? { namespace: undefined, processes: [] }
      if (group.namespace === undefined) this.#byInit.set(init, group)
      group.processes.push(process)
    }
  }

  all(): readonly ProcessGroup[] {
    return [...[...this.#byKind.values()].flatMap((byInode) => [...byInode.values()]), ...this.#byInit.values()]
  }
}

/** The PID 1 of a process's pid namespace, if it or a parent of its parent is that. */
const initOf = (
  process: ContainedProcess,
  processes: ReadonlyMap<number, ContainedProcess>,
): ContainedProcess | undefined => {
  const depth = process.pids.length
  const seen = new Set<number>()
  let each: ContainedProcess | undefined = process
  // Numbers that are used anew while we look could make a circle.
  while (each !== undefined && !seen.has(each.pid)) {
    if (each.pids.length === depth && each.pids.at(-1) === 1) return each
    seen.add(each.pid)
    each = processes.get(each.ppid)
  }
  return undefined
}

/** Reads all processes, each once, and groups them. Of the host's own nothing is read unless they are wanted. */
export const groupProcesses = (
  proc: ProcDirectory,
  reader: ContainedProcessReader,
  host: HostNamespaces,
  withHost: boolean,
): GroupedProcesses => {
  const groups = new Groups()
  const ofHost: ContainedProcess[] = []
  const unknown: ContainedProcess[] = []
  const take = (process: ContainedProcess, { at }: Place): void => {
    if (typeof at === 'object') groups.add(at, process)
    else if (at === 'nested') unknown.push(process)
    else ofHost.push(process)
  }
  const readAll = (opened: readonly ProcProcess[]): void => {
    const placed: (PlacedProcess & { readonly namespaces: Place })[] = []
    for (const process of opened) {
      const namespaces = placeOf(process, host)
      if (namespaces.at !== 'host' || withHost) placed.push({ process, namespaces })
    }
    const found = reader.readAll(placed)
    for (const [index, { process, namespaces }] of placed.entries()) {
      const contained = found[index]
      if (contained !== undefined && !process.ended) take(contained, namespaces)
    }
  }
  const pids = proc.pids()
  for (let at = 0; at < pids.length; at += PROC_BATCH) {
    const opened = proc.openAll(pids.slice(at, at + PROC_BATCH), FIRST_KINDS)
    try {
      readAll(opened)
    } finally {
      for (const process of opened) process.close()
    }
  }
  if (unknown.length > 0) groups.addUnknown(unknown)
  return { groups: groups.all(), host: ofHost }
}
