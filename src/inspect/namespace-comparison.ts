import type { IdMapping } from '../linux/idmap.ts'
import { readIdMap } from '../linux/idmap.ts'
import { ERRNO } from '../linux/errno.ts'
import { TareError } from '../linux/error.ts'
import type { NamespaceKind } from '../linux/namespace.ts'
import { NAMESPACE_KINDS, NAMESPACES, readNamespace } from '../linux/namespace.ts'
import type { ProcId } from '../linux/proc.ts'
import { ProcDirectory } from '../linux/proc-directory.ts'
import type { NamespaceProcess } from './namespace-process.ts'
import { ProcessReader } from './namespace-process.ts'

/** One of the two processes that are compared. */
export interface ComparedProcess extends NamespaceProcess {
  /** The ids of its user namespace, and what they are to the reader; undefined where they are in the same one. */
  readonly uidMap: readonly IdMapping[] | undefined
  readonly gidMap: readonly IdMapping[] | undefined
}

/** Two processes' namespaces of one kind. */
export interface ComparedKind {
  readonly kind: NamespaceKind
  /** Whether it is one and the same. */
  readonly same: boolean
  /** The inodes of the two. */
  readonly process: number
  readonly other: number
  /** What this kind of namespace gives its processes of their own: a sentence. */
  readonly isolates: string
}

/** A process beside another one, or the host. */
export interface NamespaceComparison {
  readonly process: ComparedProcess
  readonly other: ComparedProcess
  /**
   * What the other one stands for: `host`, PID 1; `reader`, this process, where PID 1 may not be looked at; or only
   * itself.
   */
  readonly otherIs: 'host' | 'reader' | 'process'
  /** The kinds that this kernel has. */
  readonly kinds: readonly ComparedKind[]
}

type Inodes = ReadonlyMap<NamespaceKind, number>

const inodesOf = (pid: ProcId): Inodes =>
  new Map(
    NAMESPACE_KINDS.flatMap((kind) => {
      const id = readNamespace(pid, kind)
      return id === undefined ? [] : [[kind, id.inode]]
    }),
  )

/** Of a process that lives: one that waits for its parent to ask how it ended has left most of its namespaces. */
const inodesOfLiving = (pid: number): Inodes => {
  const inodes = inodesOf(pid)
  if (inodes.size >= inodesOf('self').size) return inodes
  const hint = 'Its parent has not asked yet how it ended; what is left are its user and its pid namespace.'
  throw new TareError({
    operation: 'look at the namespaces of',
    target: `process ${pid}`,
    reason: 'it has ended',
    hint,
  })
}

/** The host: PID 1, as far as it may be looked at. */
const readHost = (): { readonly pid: number; readonly is: 'host' | 'reader' } => {
  try {
    readNamespace(1, 'mnt')
    return { pid: 1, is: 'host' }
  } catch (error) {
    if (error instanceof TareError && error.code === 'EACCES') return { pid: process.pid, is: 'reader' }
    throw error
  }
}

const inspect = (pid: number, reader: ProcessReader): ComparedProcess => {
  const found = reader.read(pid)
  if (found === undefined) {
    const hint = 'It has ended, or is not visible from this pid namespace.'
    throw new TareError({
      operation: 'look at the namespaces of',
      target: `process ${pid}`,
      errno: ERRNO['ESRCH'],
      hint,
    })
  }
  // The map of the reader's own namespace tells what its ids are outside of that.
  const isOwn = readNamespace(pid, 'user')?.inode === readNamespace('self', 'user')?.inode
  const map = (which: 'uid' | 'gid'): readonly IdMapping[] | undefined => (isOwn ? undefined : readIdMap(pid, which))
  return { ...found, uidMap: map('uid'), gidMap: map('gid') }
}

/**
 * Compares the namespaces of a process with those of another one, or of the host.
 *
 * @throws TareError where one of them has ended, or may not be looked at (ptrace(2), PTRACE_MODE_READ_FSCREDS).
 */
export const compareNamespaces = (pid: number, other?: number): NamespaceComparison => {
  const proc = new ProcDirectory()
  try {
    const reader = new ProcessReader(proc)
    const second = other === undefined ? readHost() : ({ pid: other, is: 'process' } as const)
    return {
      process: inspect(pid, reader),
      other: inspect(second.pid, reader),
      otherIs: second.is,
      kinds: compareKinds(inodesOfLiving(pid), inodesOfLiving(second.pid)),
    }
  } finally {
    proc.close()
  }
}

const compareKinds = (process: Inodes, other: Inodes): readonly ComparedKind[] =>
  NAMESPACE_KINDS.flatMap((kind) => {
    const [a, b] = [process.get(kind), other.get(kind)]
    if (a === undefined || b === undefined) return []
    return [{ kind, same: a === b, process: a, other: b, isolates: NAMESPACES[kind].isolates }]
  })
