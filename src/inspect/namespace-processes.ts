import { ERRNO } from '../linux/errno.ts'
import type { NamespaceLinks } from '../linux/namespace-links.ts'
import { NAMESPACE_KINDS } from '../linux/namespace.ts'
import { inodeOf, openNamespaceAt, withDescriptor } from './namespace-open.ts'
import type { Place, Survey } from './namespace-survey.ts'

/** Processes that are in the same namespaces, every one of them. */
export interface Companions {
  /** By kind, in the order of `NAMESPACE_KINDS`; 0 where there is none: this kernel has no such kind, or they have ended. */
  readonly inodes: readonly number[]
  readonly pids: number[]
}

const negated = (name: string): number => -(ERRNO[name] ?? 0)
const DENIED = [negated('EACCES'), negated('EPERM')]
const ENOENT = negated('ENOENT')

const [NET, PID, TIME] = [
  NAMESPACE_KINDS.indexOf('net'),
  NAMESPACE_KINDS.indexOf('pid'),
  NAMESPACE_KINDS.indexOf('time'),
]

/** Links that tell where children of a process will be born, which may be elsewhere. */
const FOR_CHILDREN = [
  { link: 'pid_for_children', kind: 'pid', own: PID },
  { link: 'time_for_children', kind: 'time', own: TIME },
] as const

/** Adds the namespaces of processes, and those that their children will be born into. */
export class ProcessScan {
  /** By the inodes, joined. */
  readonly companions: Map<string, Companions> = new Map()
  /** How many processes there are whose namespaces may not be read. */
  unreadable = 0

  readonly #survey: Survey
  readonly #links: NamespaceLinks

  constructor(survey: Survey, links: NamespaceLinks, pids: readonly number[]) {
    this.#survey = survey
    this.#links = links
    for (const pid of pids) this.#process(pid)
  }

  #process(pid: number): void {
    const links = this.#links
    const directory = links.open(`${pid}/ns`)
    if (directory < 0) return
    const inodes = NAMESPACE_KINDS.map((kind) => links.inode(directory, kind))
    if (inodes.some((inode) => inode > 0)) this.#found(pid, directory, inodes)
    else if (inodes.some((inode) => DENIED.includes(inode))) this.unreadable++
    links.close(directory)
  }

  #found(pid: number, directory: number, inodes: readonly number[]): void {
    for (const [index, kind] of NAMESPACE_KINDS.entries()) {
      const inode = inodes[index] ?? 0
      if (inode <= 0) continue
      const sighting = this.#survey.see(kind, inode, () => ({ at: 'link', path: `${pid}/ns/${kind}` }))
      sighting.processes++
      sighting.first ??= pid
    }
    const key = inodes.join()
    const known = this.companions.get(key)
    if (known === undefined)
      this.companions.set(key, { inodes: inodes.map((inode) => Math.max(0, inode)), pids: [pid] })
    else known.pids.push(pid)
    // A process that has ended and waits to be waited for is in its user and pid namespace only, and has no children.
    if ((inodes[NET] ?? 0) > 0) this.#children(pid, directory, inodes)
  }

  #children(pid: number, directory: number, inodes: readonly number[]): void {
    for (const { link, kind, own } of FOR_CHILDREN) {
      const inode = this.#links.inode(directory, link)
      const place: Place = inode === ENOENT ? { at: 'pidfd', pid, link } : { at: 'link', path: `${pid}/ns/${link}` }
      const theirs = inode === ENOENT && (inodes[own] ?? 0) > 0 ? this.#unborn(place) : inode
      if (theirs > 0 && theirs !== inodes[own]) this.#survey.see(kind, theirs, () => place).children.add(pid)
    }
  }

  /**
   * The namespace that children will be born into, where none has been: the link leads nowhere then (6.18 is such a
   * kernel), but a pidfd does (since Linux 6.11).
   */
  #unborn(place: Place): number {
    return withDescriptor(openNamespaceAt(place, 0, -1, -1), inodeOf) ?? 0
  }
}
