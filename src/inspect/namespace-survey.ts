import type { NamespaceId, NamespaceKind, NamespaceLink } from '../linux/namespace.ts'

/** What keeps a namespace alive, besides processes that are in it. */
export type NamespaceHolder =
  /** A process whose children will be born into it: it is not in it itself (unshare(2), `pid` and `time`). */
  | { readonly by: 'children'; readonly pid: number; readonly command: string }
  /** A thread that has moved into it, away from the rest of its process. */
  | { readonly by: 'thread'; readonly pid: number; readonly tid: number; readonly command: string }
  /** Open descriptors of a process. */
  | { readonly by: 'descriptor'; readonly pid: number; readonly fds: readonly number[]; readonly command: string }
  /** Sockets, or descriptors of tun and tap devices, of a process that is in another network namespace. */
  | { readonly by: 'socket'; readonly pid: number; readonly fds: readonly number[]; readonly command: string }
  /** A mount of its file. The path is as seen in the first of these mount namespaces, which are given by inode. */
  | { readonly by: 'mount'; readonly path: string; readonly mountNamespaces: readonly number[] }
  /** A namespace that is its child, or that it owns: given only where nothing else holds it. */
  | { readonly by: 'child' | 'owned'; readonly kind: NamespaceKind; readonly inode: number }

/** Where a namespace was seen, so that it can be opened there. Paths are relative to /proc. */
export type Place =
  | { readonly at: 'link'; readonly path: string }
  /** A descriptor may be another one meanwhile, a path in somebody's mounts may lead elsewhere: look before it is opened. */
  | { readonly at: 'descriptor'; readonly path: string }
  | { readonly at: 'mount'; readonly root: string; readonly path: string }
  | { readonly at: 'pidfd'; readonly pid: number; readonly link: NamespaceLink }

/** A namespace, while the host is looked over. */
export interface Sighting extends NamespaceId {
  /** Where it was seen first; undefined where only the kernel told of it. */
  readonly place: Place | undefined
  /** How many processes are in it, and the one with the lowest id. */
  processes: number
  first: number | undefined
  owner: number | undefined
  parent: number | undefined
  creator: number | undefined
  readonly children: Set<number>
  readonly threads: { readonly pid: number; readonly tid: number }[]
  /** Descriptors by process. */
  readonly descriptors: Map<number, number[]>
  readonly sockets: Map<number, number[]>
  /** Mount namespaces by path. */
  readonly mounts: Map<string, number[]>
}

/** All namespaces seen so far, by inode. */
export class Survey {
  readonly sightings: Map<number, Sighting> = new Map()

  /** The namespace, which counts as seen from now on. */
  see(kind: NamespaceKind, inode: number, place: () => Place | undefined): Sighting {
    const known = this.sightings.get(inode)
    // A number is given again only when nothing is left of the one that had it.
    if (known?.kind === kind) return known
    const sighting: Sighting = {
      kind,
      inode,
      place: place(),
      processes: 0,
      first: undefined,
      owner: undefined,
      parent: undefined,
      creator: undefined,
      children: new Set(),
      threads: [],
      descriptors: new Map(),
      sockets: new Map(),
      mounts: new Map(),
    }
    this.sightings.set(inode, sighting)
    return sighting
  }
}
