import { ERRNO } from '../linux/errno.ts'
import { NamespaceLinks } from '../linux/namespace-links.ts'
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

const NET = NAMESPACE_KINDS.indexOf('net')

/** Links that tell where children of a process will be born, which may be elsewhere. */
const FOR_CHILDREN = [
  { link: 'pid_for_children', kind: 'pid', own: NAMESPACE_KINDS.indexOf('pid') },
  { link: 'time_for_children', kind: 'time', own: NAMESPACE_KINDS.indexOf('time') },
] as const

const LINKS = [...NAMESPACE_KINDS, ...FOR_CHILDREN.map(({ link }) => link)]

/** Adds the namespaces of processes, and those that their children will be born into. */
export class ProcessScan {
  /** By the inodes, joined. */
  readonly companions: Map<string, Companions> = new Map()
  /** How many processes there are whose namespaces may not be read. */
  unreadable = 0

  readonly #survey: Survey

  constructor(survey: Survey, proc: number, pids: readonly number[]) {
    this.#survey = survey
    const links = new NamespaceLinks(proc, LINKS)
    for (const pid of pids) this.#process(pid, links.read(`${pid}/ns`))
  }

  #process(pid: number, read: Float64Array): void {
    const inodes = read.subarray(0, NAMESPACE_KINDS.length)
    if (inodes.some((inode) => inode > 0)) this.#found(pid, inodes, read.subarray(NAMESPACE_KINDS.length))
    else if (inodes.some((inode) => DENIED.includes(inode))) this.unreadable++
  }

  #found(pid: number, inodes: Float64Array, forChildren: Float64Array): void {
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
      this.companions.set(key, { inodes: Array.from(inodes, (inode) => Math.max(0, inode)), pids: [pid] })
    else known.pids.push(pid)
    // A process that has ended and waits to be waited for is in its user and pid namespace only, and has no children.
    if ((inodes[NET] ?? 0) > 0) this.#children(pid, inodes, forChildren)
  }

  #children(pid: number, inodes: Float64Array, forChildren: Float64Array): void {
    for (const [index, { link, kind, own }] of FOR_CHILDREN.entries()) {
      const inode = forChildren[index] ?? 0
      if (inode === inodes[own]) continue
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
