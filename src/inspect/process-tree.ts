import { ProcDirectory } from '../linux/proc-directory.ts'
import type { ContainedProcess } from './contained-process.ts'
import { ContainedProcessReader } from './contained-process.ts'
import type { FoundContainer } from './containers.ts'

/** A process with those that it started. */
export interface ProcessNode {
  readonly process: ContainedProcess
  /** The container that it is in; undefined for the host's own. */
  readonly container: FoundContainer | undefined
  /** By ascending pid. */
  readonly children: readonly ProcessNode[]
}

interface Entry {
  readonly process: ContainedProcess
  readonly container: FoundContainer | undefined
}

/** Adds the processes of the host that lead to those of the containers. */
const addAncestors = (entries: Map<number, Entry>): void => {
  const proc = new ProcDirectory()
  try {
    const reader = new ContainedProcessReader(proc, undefined, true)
    const wanted = [...entries.values()].map(({ process }) => process.ppid)
    for (let pid = wanted.pop(); pid !== undefined; pid = wanted.pop()) {
      const held = pid === 0 || entries.has(pid) ? undefined : proc.open(pid)
      if (held === undefined) continue
      try {
        const [process] = reader.readAll([{ process: held, namespaces: { pid: undefined, user: undefined } }])
        if (process === undefined) continue
        entries.set(pid, { process, container: undefined })
        wanted.push(process.ppid)
      } finally {
        held.close()
      }
    }
  } finally {
    proc.close()
  }
}

/**
 * The processes of containers, as {@link findContainers} finds them, by who started whom: from the host's PID 1 down,
 * with the processes of the host on the way. Reads those from /proc; one that has ended is missing, and what it
 * started then stands at the top.
 */
export const processTree = (containers: readonly FoundContainer[]): readonly ProcessNode[] => {
  const entries = new Map<number, Entry>()
  for (const container of containers)
    for (const process of container.processes)
      entries.set(process.pid, { process, container: container.kind === 'host' ? undefined : container })
  addAncestors(entries)
  const nodes = new Map<number, ProcessNode & { readonly children: ProcessNode[] }>()
  for (const [pid, entry] of entries) nodes.set(pid, { ...entry, children: [] })
  const roots: ProcessNode[] = []
  for (const node of [...nodes.values()].toSorted((a, b) => a.process.pid - b.process.pid)) {
    const { pid, ppid } = node.process
    // Numbers that were used anew while we looked could make a circle.
    const siblings = ppid < pid || leadsUp(entries, ppid, pid) ? nodes.get(ppid)?.children : undefined
    if (siblings === undefined) roots.push(node)
    else siblings.push(node)
  }
  return roots
}

/** Whether the way up from a process ends without meeting another one. */
const leadsUp = (entries: ReadonlyMap<number, Entry>, from: number, avoid: number): boolean => {
  const seen = new Set<number>()
  for (let pid = from; entries.has(pid); pid = entries.get(pid)?.process.ppid ?? 0) {
    if (pid === avoid || seen.has(pid)) return false
    seen.add(pid)
  }
  return true
}
