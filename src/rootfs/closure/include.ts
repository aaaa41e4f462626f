import { resolve } from 'node:path'
import { InputError } from '../../linux/error.ts'
import type { EntrySet, Reason } from './entry.ts'
import { contentOf } from './entry.ts'
import { isGlob, matchesPath, matchGlob } from './glob.ts'
import type { ProgramAdder } from './programs.ts'
import { readNames } from './read.ts'
import type { Found, Tree } from './tree.ts'
import { parentOf, whyAbsent } from './tree.ts'

/** Data that goes along. */
export interface Include {
  /** A file, a directory with all below it, or a pattern of such (glob(7)). */
  readonly source: string
  /** Absolute path in the root; by default the same as on the host. What a pattern matches goes below it. */
  readonly target?: string | undefined
}

/** Directories without files of their own, on the host. */
const KERNEL: readonly string[] = ['/dev', '/proc', '/sys']

const INCLUDED: Reason = { kind: 'included' }

/** Reads `PATH` or `PATH:DEST`; a colon is the one before DEST only if DEST is absolute. */
export const parseInclude = (text: string): Include => {
  const [, source = text, target] = /^(.+):(\/[^:]*)$/.exec(text) ?? []
  if (source === '')
    throw new InputError({ operation: 'include', target: JSON.stringify(text), reason: 'that is no path' })
  return target === undefined ? { source } : { source, target }
}

/**
 * Where a path of the root really is: as far as it exists in the tree, links in it are followed (and come along), so that
 * /lib/x is /usr/lib/x where /lib leads there.
 */
export const placeOf = (set: EntrySet, path: string): string => {
  const clean = resolve('/', path)
  if (clean === '/') return clean
  const parent = directoryPlace(set, parentOf(clean))
  return `${parent === '/' ? '' : parent}${clean.slice(clean.lastIndexOf('/'))}`
}

const directoryPlace = (set: EntrySet, path: string): string => {
  const found = set.tree.find(path)
  if (found === undefined) return placeOf(set, path)
  for (const { path: at, target } of found.links)
    set.add({ kind: 'link', path: at, target }, { kind: 'link', by: found.path })
  return found.path
}

/** Adds data to a root. */
export class Includer {
  readonly #set: EntrySet
  readonly #adder: ProgramAdder
  readonly #excludes: readonly string[]
  readonly warnings: string[] = []

  constructor(set: EntrySet, adder: ProgramAdder, excludes: readonly string[]) {
    this.#set = set
    this.#adder = adder
    this.#excludes = excludes
  }

  isExcluded(path: string): boolean {
    return this.#excludes.some((pattern) => matchesPath(pattern, path))
  }

  /** Throws {@link InputError} where there is nothing. */
  include({ source, target }: Include): void {
    const { tree } = this.#set
    const path = resolve(tree.root === '' ? process.cwd() : '/', source)
    if (!isGlob(source) || tree.find(path, { follow: false }) !== undefined) {
      this.#includePath(path, target)
      return
    }
    const matches = matchGlob(tree, path)
    if (matches.length === 0)
      throw new InputError({
        operation: 'include',
        target: source,
        reason: 'it matches nothing',
        hint: 'Quote a pattern that this shell is not to expand.',
      })
    for (const match of matches)
      this.#includePath(
        match,
        target === undefined ? undefined : `${target.replace(/\/+$/, '')}${match.slice(match.lastIndexOf('/'))}`,
      )
  }

  #includePath(path: string, target: string | undefined): void {
    const { tree } = this.#set
    const found = tree.find(path)
    if (found === undefined) throw whyAbsent('include', tree.source(path))
    if (target === undefined) {
      for (const link of found.links)
        this.#set.add(
          { kind: 'link', path: link.path, target: link.target },
          link.path === resolve(path) ? INCLUDED : { kind: 'link', by: found.path },
        )
      this.#addTree(found, found.path)
    } else {
      this.#addTree(found, placeOf(this.#set, target))
    }
  }

  #addTree(found: Found, at: string): void {
    if (this.isExcluded(at) || this.isExcluded(found.path)) return
    const content = contentOf(at, found.source, found.stats)
    if (content === undefined) {
      this.warnings.push(`left out ${found.source}: it is neither a file nor a directory nor a link`)
      return
    }
    if (found.path === at) this.#set.add(content, INCLUDED)
    else this.#set.replace(content, INCLUDED)
    if (!found.stats.isDirectory()) return this.#adder.follow(found)
    if (KERNEL.includes(found.source)) {
      this.warnings.push(`left out what is in ${found.source}: it is the kernel's`)
      return
    }
    for (const name of readNames(found.source))
      this.#addBelow(`${found.path === '/' ? '' : found.path}/${name}`, `${at === '/' ? '' : at}/${name}`)
  }

  #addBelow(path: string, at: string): void {
    const { tree } = this.#set
    const found = tree.find(path, { follow: false })
    if (found === undefined)
      return void this.warnings.push(`left out ${tree.source(path)}: this user may not look at it`)
    if (!found.stats.isSymbolicLink()) return this.#addTree(found, at)
    if (this.isExcluded(at) || this.isExcluded(path)) return
    this.#addLink(tree, path, at)
  }

  /** A link, and the file that it leads to. */
  #addLink(tree: Tree, path: string, at: string): void {
    const target = tree.find(path)
    const written = tree.readLink(path)
    if (written === undefined) return
    this.#set.add({ kind: 'link', path: at, target: written }, INCLUDED)
    if (target === undefined || at !== path) return
    for (const link of target.links.slice(1))
      this.#set.add({ kind: 'link', path: link.path, target: link.target }, { kind: 'link', by: target.path })
    if (target.stats.isFile() && !this.isExcluded(target.path)) {
      this.#set.addFound({ ...target, links: [] }, INCLUDED)
      this.#adder.follow(target)
    }
  }
}
