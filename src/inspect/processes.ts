import type { CgroupPaths } from '../linux/cgroup/layout.ts'
import { parseCgroupPaths } from '../linux/cgroup/layout.ts'
import type { NamespaceLink } from '../linux/namespace.ts'
import { NAMESPACE_KINDS } from '../linux/namespace.ts'
import type { ProcProcess } from '../linux/proc-directory.ts'
import { ProcDirectory } from '../linux/proc-directory.ts'
import { parseCommandLine } from '../linux/process-command-line.ts'
import type { ProcessStat } from '../linux/process-stat.ts'
import { parseProcessStat } from '../linux/process-stat.ts'
import type { ProcessStatus } from '../linux/process-status.ts'
import { parseProcessStatus } from '../linux/process-status.ts'

/** The inodes of the namespaces that a process is in, by the name of the link; without those that can't be known. */
export type NamespaceInodes = Readonly<Partial<Record<NamespaceLink, number>>>

/** What a snapshot can hold of each process. */
export interface ProcessParts {
  readonly stat: ProcessStat
  readonly status: ProcessStatus
  /** Its arguments: the first {@link COMMAND_LINE_LIMIT} bytes of them. */
  readonly commandLine: readonly string[]
  readonly cgroups: CgroupPaths
  readonly namespaces: NamespaceInodes
}

export type ProcessPart = keyof ProcessParts

/** One process of a snapshot. A part is undefined where this user may not know it (hidepid of proc(5)). */
export type ReadProcess<P extends ProcessPart = ProcessPart> = { readonly pid: number } & {
  readonly [Part in P]: ProcessParts[Part] | undefined
}

/** A process can have megabytes of arguments: of each no more than so many bytes are read. */
export const COMMAND_LINE_LIMIT = 4096

/** What a text says; undefined for none. */
export const parsed = <T>(text: string | undefined, parse: (text: string) => T): T | undefined =>
  text === undefined ? undefined : parse(text)

/** The namespaces of a process that are asked for; undefined where none of them may be known. */
const namespacesOf = (
  process: ProcProcess,
  links: readonly NamespaceLink[] = NAMESPACE_KINDS,
): NamespaceInodes | undefined => {
  const found: Partial<Record<NamespaceLink, number>> = {}
  let some = false
  for (const [index, inode] of process.namespaces(links).entries()) {
    const link = links[index]
    if (inode === undefined || link === undefined) continue
    found[link] = inode
    some = true
  }
  return some ? found : undefined
}

const READERS: { readonly [Part in ProcessPart]: (process: ProcProcess) => ProcessParts[Part] | undefined } = {
  stat: (process) => parsed(process.read('stat'), parseProcessStat),
  status: (process) => parsed(process.read('status'), parseProcessStatus),
  commandLine: (process) => parsed(process.read('cmdline', COMMAND_LINE_LIMIT), parseCommandLine),
  cgroups: (process) => parsed(process.read('cgroup'), parseCgroupPaths),
  namespaces: (process) => namespacesOf(process),
}

/**
 * All processes that are to be seen, by ascending id, each with the parts that are asked for; each is read when its
 * turn comes, so that a caller who keeps little of each needs little memory. All parts of one are of the same process.
 * Those that end meanwhile are left out.
 *
 * @throws TareError where /proc is not mounted.
 */
export function readProcesses<const P extends ProcessPart>(parts: readonly P[]): Generator<ReadProcess<P>>
// The parts are collected by name; the overload above states which there are.
export function* readProcesses(parts: readonly ProcessPart[]): Generator<{ readonly pid: number }> {
  const proc = new ProcDirectory()
  try {
    for (const pid of proc.pids()) {
      const process = proc.open(pid)
      if (process === undefined) continue
      try {
        const seen = parts.map((part) => [part, READERS[part](process)] as const)
        if (!process.ended) yield { pid, ...Object.fromEntries(seen) }
      } finally {
        process.close()
      }
    }
  } finally {
    proc.close()
  }
}
