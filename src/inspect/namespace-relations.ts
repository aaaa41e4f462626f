import type { NamespaceKind } from '../linux/namespace.ts'
import { namespaceKind, namespaceOwnerUid, openOwnerNamespace, openParentNamespace } from '../linux/namespace.ts'
import { surveyIdleMounts } from './namespace-mounts.ts'
import { inodeOf, openNamespaceAt, withDescriptor } from './namespace-open.ts'
import type { Sighting, Survey } from './namespace-survey.ts'

/** Asks the kernel who owns each namespace and what its parent is; adds those that nothing but a namespace leads to. */
export class Relations {
  readonly #survey: Survey
  readonly #proc: number
  readonly #nsfs: number
  /** By inode, those that the kernel has been asked about. */
  readonly #related: Set<number> = new Set()

  constructor(survey: Survey, proc: number, nsfs: number) {
    this.#survey = survey
    this.#proc = proc
    this.#nsfs = nsfs
  }

  /** All that have been seen so far. */
  complete(): void {
    for (const sighting of this.#survey.sightings.values()) {
      const { place, inode } = sighting
      if (place === undefined) continue
      withDescriptor(openNamespaceAt(place, inode, this.#proc, this.#nsfs), (fd) => {
        if (inodeOf(fd) === inode && !this.#related.has(inode)) this.#relate(sighting, fd)
      })
    }
  }

  /** The namespace of a descriptor, and those above it. */
  add(kind: NamespaceKind, fd: number): number {
    const inode = inodeOf(fd)
    const sighting = this.#survey.see(kind, inode, () => undefined)
    if (!this.#related.has(inode)) this.#relate(sighting, fd)
    return inode
  }

  #relate(sighting: Sighting, fd: number): void {
    const { kind, inode, processes, threads } = sighting
    // What was seen may be gone meanwhile, and its number given to another one.
    if (namespaceKind(fd) !== kind) return
    this.#related.add(inode)
    if (kind === 'user' || kind === 'pid') sighting.parent = this.#follow(kind, openParentNamespace(fd))
    // The owner of a user namespace is its parent.
    sighting.owner = kind === 'user' ? sighting.parent : this.#follow('user', openOwnerNamespace(fd))
    if (kind === 'mnt' && processes + threads.length === 0) surveyIdleMounts(this.#survey, inode, fd)
    if (kind === 'user') sighting.creator = namespaceOwnerUid(fd)
  }

  #follow(kind: NamespaceKind, fd: number | undefined): number | undefined {
    return fd === undefined ? undefined : withDescriptor(fd, (related) => this.add(kind, related))
  }
}
