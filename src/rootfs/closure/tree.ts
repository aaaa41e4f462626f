import type { Stats } from 'node:fs'
import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import type { TareError } from '../../linux/error.ts'
import { InputError } from '../../linux/error.ts'
import { fromNodeError } from '../../linux/proc.ts'

/** A symbolic link on the way to a file: its own path, without links in it, and what is written in it. */
export interface TreeLink {
  readonly path: string
  readonly target: string
}

/** What is at a path of a tree. */
export interface Found {
  /** Its path in the tree, without any link in it. */
  readonly path: string
  /** The same on the host. */
  readonly source: string
  /** The links that were followed, in order. */
  readonly links: readonly TreeLink[]
  /** Directories that were left again by "..": they have to be there, too. */
  readonly left: readonly { readonly path: string; readonly source: string; readonly stats: Stats }[]
  readonly stats: Stats
}

/** The kernel's limit for one path (path_resolution(7)). */
const MOST_LINKS = 40

const ABSENT: readonly (string | undefined)[] = ['ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG', 'ELOOP']

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined

export interface FindOptions {
  /** Whether a link at the very end is followed (true unless said otherwise). */
  readonly follow?: boolean
}

/**
 * A tree of files of the host, "/" or a directory that is somebody's root. Links are followed as a process would whose
 * root it is: none leads out of it. What was looked at is kept, so a tree is for one piece of work.
 */
export class Tree {
  /** Where it is on the host; empty for the host's own root. */
  readonly root: string
  readonly #stats = new Map<string, Stats | undefined>()

  /** Throws {@link TareError} where there is no such directory. */
  constructor(root = '/') {
    try {
      this.root = realpathSync(root).replace(/\/$/, '')
    } catch (error) {
      throw fromNodeError(error, 'use the root', root)
    }
  }

  /** The host's path for a path of the tree in which links don't matter. */
  source(path: string): string {
    return path === '/' ? `${this.root}/` : `${this.root}${path}`
  }

  /** What is at an absolute path; undefined for nothing, or nothing that this user may get at. */
  find(path: string, { follow = true }: FindOptions = {}): Found | undefined {
    const links: TreeLink[] = []
    const left: Found['left'][number][] = []
    const rest = path.split('/').toReversed()
    let at = '/'
    let stats = this.#look('/')
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === '' || name === '.') continue
      if (stats?.isDirectory() !== true) return undefined
      if (name === '..') {
        if (at !== '/') left.push({ path: at, source: this.source(at), stats })
        at = parentOf(at)
        stats = this.#look(at)
        continue
      }
      const next = at === '/' ? `/${name}` : `${at}/${name}`
      stats = this.#look(next)
      if (stats === undefined) return undefined
      const last = rest.every((each) => each === '' || each === '.')
      if (!stats.isSymbolicLink() || (last && !follow)) {
        at = next
        continue
      }
      if (links.length === MOST_LINKS) return undefined
      const target = this.readLink(next)
      if (target === undefined) return undefined
      links.push({ path: next, target })
      rest.push(...target.split('/').toReversed())
      if (target.startsWith('/')) at = '/'
      stats = this.#look(at)
    }
    return stats === undefined ? undefined : { path: at, source: this.source(at), links, left, stats }
  }

  /** As {@link find}, where it is a file. */
  findFile(path: string): Found | undefined {
    const found = this.find(path)
    return found?.stats.isFile() === true ? found : undefined
  }

  #look(path: string): Stats | undefined {
    if (this.#stats.has(path)) return this.#stats.get(path)
    const stats = this.#attempt(path, () => lstatSync(this.source(path)))
    this.#stats.set(path, stats)
    return stats
  }

  /** What is written in a link; undefined where it is gone. */
  readLink(path: string): string | undefined {
    return this.#attempt(path, () => readlinkSync(this.source(path)))
  }

  #attempt<T>(path: string, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (ABSENT.includes(codeOf(error))) return undefined
      throw fromNodeError(error, 'look at', this.source(path))
    }
  }
}

/** The directory that a path without links lies in. */
export const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')))

/** Why a file can't be had that must be: the error that the kernel gives for it. `operation` was to be done with it. */
export const whyAbsent = (operation: string, source: string): TareError => {
  try {
    const reason = statSync(source).isDirectory() ? 'it is a directory' : 'it is neither a file nor a link to one'
    return new InputError({ operation, target: source, reason })
  } catch (error) {
    return fromNodeError(error, operation, source, {
      EACCES: 'This user may not enter a directory on the way: run as one who may.',
    })
  }
}
