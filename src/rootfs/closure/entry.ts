import type { Stats } from 'node:fs'
import type { Found, Tree } from './tree.ts'

/**
 * Why a file is there.
 * - `program`: it was asked for. `included`: so was it, as data.
 * - `interpreter`: the kernel starts `by` with it: the loader of a program, or what a script's first line names.
 * - `library`: `by` needs it, by the name of `detail`. `variant`: the same, for the kind of processor of `detail`.
 * - `loader configuration`: the loader finds `by` through it.
 * - `link`: on the way to `by`.
 * - `opened`, `executed`, `looked at`, `written to`: `by` did so while it was traced; where a file was written to, this is
 *   the directory that it lies in.
 * - `made`: written for this root, and not the host's.
 * - `mount point`: something is to be mounted there.
 */
export type ReasonKind =
  | 'program'
  | 'included'
  | 'interpreter'
  | 'library'
  | 'variant'
  | 'loader configuration'
  | 'link'
  | 'executed'
  | 'opened'
  | 'looked at'
  | 'written to'
  | 'made'
  | 'mount point'

export interface Reason {
  readonly kind: ReasonKind
  /** A path in the root: whose need it is. */
  readonly by?: string | undefined
  readonly detail?: string | undefined
}

interface AnyEntry {
  /** Absolute path in the root, without links in it. */
  readonly path: string
  /** The first is what brought it in. */
  readonly reasons: readonly Reason[]
}

/** A file whose content and attributes are those of a file of the host. Sizes in bytes. */
export interface FileEntry extends AnyEntry {
  readonly kind: 'file'
  readonly source: string
  readonly size: number
  /** Permissions, set-user-id and the like included. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** A directory, with the attributes of one of the host where there is one. */
export interface DirectoryEntry extends AnyEntry {
  readonly kind: 'directory'
  readonly source: string | undefined
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export interface LinkEntry extends AnyEntry {
  readonly kind: 'link'
  readonly target: string
}

/** A file that is written for this root. */
export interface MadeEntry extends AnyEntry {
  readonly kind: 'made'
  readonly content: string
  readonly size: number
  readonly mode: number
}

/** One thing that a root consists of, and why. */
export type ClosureEntry = FileEntry | DirectoryEntry | LinkEntry | MadeEntry

/** An entry without its reasons. */
export type EntryContent =
  | Omit<FileEntry, 'reasons'>
  | Omit<DirectoryEntry, 'reasons'>
  | Omit<LinkEntry, 'reasons'>
  | Omit<MadeEntry, 'reasons'>

const PERMISSIONS = 0o7777

/** More reasons than that are nobody's reading, and in a large closure a burden. */
const MOST_REASONS = 1000

export const contentOf = (path: string, source: string, stats: Stats): EntryContent | undefined => {
  const { uid, gid, size } = stats
  const mode = stats.mode & PERMISSIONS
  if (stats.isFile()) return { kind: 'file', path, source, size, mode, uid, gid }
  return stats.isDirectory() ? { kind: 'directory', path, source, mode, uid, gid } : undefined
}

/** The entries of a root in the making, by their paths. */
export class EntrySet {
  readonly tree: Tree
  readonly #contents = new Map<string, EntryContent>()
  readonly #reasons = new Map<string, Reason[]>()

  constructor(tree: Tree) {
    this.tree = tree
  }

  has(path: string): boolean {
    return this.#contents.has(path)
  }

  /** Adds an entry, or one more reason for one that is there. True if it is new. */
  add(content: EntryContent, reason: Reason): boolean {
    const known = this.#reasons.get(content.path)
    if (known === undefined) {
      this.#contents.set(content.path, content)
      this.#reasons.set(content.path, [reason])
      return true
    }
    const isKnown = ({ kind, by, detail }: Reason): boolean =>
      kind === reason.kind && by === reason.by && detail === reason.detail
    if (known.length < MOST_REASONS && !known.some(isKnown)) known.push(reason)
    return false
  }

  /** Puts something else where an entry is, or a new one. */
  replace(content: EntryContent, reason: Reason): void {
    this.#contents.set(content.path, content)
    this.#reasons.set(content.path, [reason])
  }

  /** Adds what was found, and the links that lead to it. False if it is neither file nor directory. */
  addFound({ path, source, links, left, stats }: Found, reason: Reason): boolean {
    for (const link of links)
      this.add({ kind: 'link', path: link.path, target: link.target }, { kind: 'link', by: path })
    const content = contentOf(path, source, stats)
    if (content !== undefined) this.add(content, reason)
    for (const each of left) {
      const directory = contentOf(each.path, each.source, each.stats)
      if (directory !== undefined) this.add(directory, { kind: 'link', by: path })
    }
    return content !== undefined
  }

  /** All, sorted by path. */
  entries(): readonly ClosureEntry[] {
    return [...this.#contents.values()]
      .toSorted((a, b) => (a.path < b.path ? -1 : 1))
      .map((content) => ({ ...content, reasons: this.#reasons.get(content.path) ?? [] }))
  }
}
