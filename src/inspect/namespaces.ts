import { closeSync, fstatSync, openSync } from 'node:fs'

import { eachNamespace } from '../linux/listns.ts'
import { eachMountNamespace } from '../linux/mount-namespace.ts'
import type { NamespaceId, NamespaceKind } from '../linux/namespace.ts'
import { NAMESPACE_KINDS, namespaceKind } from '../linux/namespace.ts'
import { ProcDirectory } from '../linux/proc-directory.ts'
import { ProcEntries } from '../linux/proc-entries.ts'
import { surveyDescriptors, surveySockets } from './namespace-descriptors.ts'
import { surveyMounts } from './namespace-mounts.ts'
import type { NamespaceProcess } from './namespace-process.ts'
import { ProcessReader } from './namespace-process.ts'
import { ProcessScan } from './namespace-processes.ts'
import { Relations } from './namespace-relations.ts'
import type { NamespaceHolder, Sighting } from './namespace-survey.ts'
import { Survey } from './namespace-survey.ts'
import { surveyThreads } from './namespace-threads.ts'

/** A namespace of this host. */
export interface HostNamespace extends NamespaceId {
  /** The user namespace that owns it, by inode: who is root there has power over it. Undefined: none, or out of sight. */
  readonly owner: number | undefined
  /** For `user` and `pid` the namespace that it was made in, by inode. Undefined: none, or out of sight. */
  readonly parent: number | undefined
  /** For `user` and `pid` the namespaces that were made in it, by inode. */
  readonly children: readonly number[]
  /** For `user` the user id of who made it, as the reader's user namespace sees it. */
  readonly creator: number | undefined
  /** How many processes are in it. */
  readonly processes: number
  /** Of those the one with the lowest id. */
  readonly first: NamespaceProcess | undefined
  /** What else keeps it. None, and no process either: a descriptor that is out of sight. */
  readonly holders: readonly NamespaceHolder[]
}

/** Processes that share all their namespaces. */
export interface NamespaceSet {
  /** By kind, the inode; a kind is missing where this kernel hasn't it or the processes have ended (zombies). */
  readonly namespaces: Readonly<Partial<Record<NamespaceKind, number>>>
  /** Ascending. */
  readonly pids: readonly number[]
  /** The one with the lowest id. */
  readonly first: NamespaceProcess | undefined
}

/** All namespaces of this host that could be found. */
export interface HostNamespaces {
  /** By kind and inode. */
  readonly namespaces: readonly HostNamespace[]
  /** By their lowest process id. */
  readonly sets: readonly NamespaceSet[]
  /** How many processes there are whose namespaces this user may not know (ptrace(2), PTRACE_MODE_READ_FSCREDS). */
  readonly unreadable: number
}

const holdersOf = (sighting: Sighting, processes: ProcessReader): readonly NamespaceHolder[] => {
  const command = (pid: number): string => processes.name(pid)
  return [
    ...[...sighting.mounts].map(([path, mountNamespaces]) => ({ by: 'mount', path, mountNamespaces }) as const),
    ...[...sighting.descriptors].map(
      ([pid, fds]) => ({ by: 'descriptor', pid, fds: fds.toSorted((a, b) => a - b), command: command(pid) }) as const,
    ),
    ...[...sighting.sockets].map(([pid, fds]) => ({ by: 'socket', pid, fds, command: command(pid) }) as const),
    ...sighting.threads.map(({ pid, tid }) => ({ by: 'thread', pid, tid, command: command(pid) }) as const),
    ...[...sighting.children].map((pid) => ({ by: 'children', pid, command: command(pid) }) as const),
  ]
}

/** With their children; and those that are alive only by others, with those others: their children and what they own. */
const withRelated = (namespaces: readonly Omit<HostNamespace, 'children'>[]): readonly HostNamespace[] => {
  const children = new Map<number, number[]>()
  const idle = new Map<number, NamespaceHolder[]>()
  for (const { inode, processes, holders } of namespaces) {
    children.set(inode, [])
    if (processes === 0 && holders.length === 0) idle.set(inode, [])
  }
  for (const { kind, inode, owner, parent } of namespaces) {
    if (parent !== undefined) {
      children.get(parent)?.push(inode)
      idle.get(parent)?.push({ by: 'child', kind, inode })
    }
    if (owner !== undefined && owner !== parent) idle.get(owner)?.push({ by: 'owned', kind, inode })
  }
  return namespaces.map((each) => ({
    ...each,
    children: children.get(each.inode) ?? [],
    holders: idle.get(each.inode) ?? each.holders,
  }))
}

const byKindAndInode = (a: NamespaceId, b: NamespaceId): number =>
  NAMESPACE_KINDS.indexOf(a.kind) - NAMESPACE_KINDS.indexOf(b.kind) || a.inode - b.inode

/** Where to look besides. */
export interface NamespaceSearch {
  /** At every socket, for network namespaces that only sockets keep. Takes as long as there are sockets. */
  readonly sockets?: boolean | undefined
}

/**
 * Every namespace of this host that this process can find: those of all processes and threads, those that the children
 * of a process will be born into, those whose files are mounted in any mount namespace or are open in any process, what
 * the kernel lists (since Linux 6.19 all, since 6.11 mount namespaces), and whatever is a parent or an owner of these.
 * Not to be found are namespaces that only a socket keeps, unless asked for, and before Linux 6.19 those that only a
 * descriptor keeps which is in no process (underway in a message). What happens meanwhile may be missed.
 *
 * namespaces(7), ioctl_ns(2), listns(2)
 *
 * @throws TareError where /proc is not mounted.
 */
export const hostNamespaces = ({ sockets = false }: NamespaceSearch = {}): HostNamespaces => {
  const proc = new ProcDirectory()
  const own = openSync('/proc/self/ns/mnt', 'r')
  const directory = openSync('/proc', 'r')
  try {
    const survey = new Survey()
    const entries = new ProcEntries(directory)
    const scan = new ProcessScan(survey, directory, proc.pids())
    const companions = [...scan.companions.values()]
    surveyThreads(survey, directory, entries, companions)
    const holders = surveyDescriptors(survey, entries, companions)
    surveyMounts(survey, companions)
    const relations = new Relations(survey, directory, fstatSync(own).dev)
    relations.complete()
    if (sockets) surveySockets(survey, relations, holders)
    const isListed = eachNamespace((fd) => relations.add(namespaceKind(fd), fd))
    if (!isListed) eachMountNamespace(own, (fd) => relations.add('mnt', fd))
    return describe(survey, scan, new ProcessReader(proc))
  } finally {
    closeSync(directory)
    closeSync(own)
    proc.close()
  }
}

const describe = (survey: Survey, scan: ProcessScan, processes: ProcessReader): HostNamespaces => {
  const found = [...survey.sightings.values()].map((sighting) => {
    const { kind, inode, owner, parent, creator, first } = sighting
    return {
      kind,
      inode,
      owner,
      parent,
      creator,
      processes: sighting.processes,
      first: first === undefined ? undefined : processes.read(first),
      holders: holdersOf(sighting, processes),
    }
  })
  const sets = [...scan.companions.values()].map(({ inodes, pids }): NamespaceSet => {
    const namespaces: Partial<Record<NamespaceKind, number>> = {}
    for (const [index, kind] of NAMESPACE_KINDS.entries()) {
      const inode = inodes[index] ?? 0
      if (inode > 0) namespaces[kind] = inode
    }
    return { namespaces, pids, first: processes.read(pids[0] ?? 0) }
  })
  return { namespaces: withRelated(found.toSorted(byKindAndInode)), sets, unreadable: scan.unreadable }
}
