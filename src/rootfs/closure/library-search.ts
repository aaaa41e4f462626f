import { dirname } from 'node:path'
import type { ElfFile } from '../../linux/elf/elf.ts'
import { parseElf } from '../../linux/elf/elf.ts'
import type { CacheEntry } from './loader-cache.ts'
import { parseLoaderCache } from './loader-cache.ts'
import type { Loader } from './loader.ts'
import { loaderOf } from './loader.ts'
import { readNames, readTreeFile, withBytes } from './read.ts'
import type { Found, Tree } from './tree.ts'

export const LOADER_CACHE = '/etc/ld.so.cache'
const VARIANTS = 'glibc-hwcaps'

/** A file that the loader would map, under the path by which it finds it. */
export interface Candidate {
  /** The path by which it was found, in which links may be. */
  readonly name: string
  readonly found: Found
  readonly elf: ElfFile
  /** The kind of processor that it is for; undefined for the one that does for all. */
  readonly variant: string | undefined
  /** Whether the loader finds it by its cache alone. */
  readonly byCache: boolean
}

/** What the search for one library came to. */
export interface Search {
  /** One that does for all processors, and those that are for some. The loader takes one of them. */
  readonly candidates: readonly Candidate[]
  /** Where it was looked for, in words. */
  readonly places: readonly string[]
  /** Files of that name that are for another architecture. */
  readonly foreign: readonly string[]
}

/** What is loaded into one process, and by what; the program itself was loaded by nothing. */
export interface Loaded {
  readonly candidate: Candidate
  readonly by: Loaded | undefined
}

interface Place {
  readonly words: string
  readonly directories: readonly string[]
}

/** Reads the ELF files of a tree, and how they are loaded, each once. */
export class ElfFiles {
  readonly tree: Tree
  readonly #files = new Map<string, ElfFile>()
  readonly #loaders = new Map<string, Loader>()
  #cache: ReadonlyMap<string, readonly CacheEntry[]> | undefined

  constructor(tree: Tree) {
    this.tree = tree
  }

  read(found: Found): ElfFile {
    const known = this.#files.get(found.path)
    if (known !== undefined) return known
    const elf = withBytes(found.source, (bytes) => parseElf(bytes, found.source))
    this.#files.set(found.path, elf)
    return elf
  }

  /** How the libraries of a program are found. */
  loader(elf: ElfFile): Loader {
    const key = `${elf.bits} ${elf.machine} ${elf.interpreter ?? ''}`
    const known = this.#loaders.get(key) ?? loaderOf(this.tree, elf)
    this.#loaders.set(key, known)
    return known
  }

  /** What /etc/ld.so.cache says of a name. */
  cached(soname: string): readonly CacheEntry[] {
    if (this.#cache === undefined) {
      const cache = new Map<string, CacheEntry[]>()
      for (const entry of parseLoaderCache(readTreeFile(this.tree, LOADER_CACHE) ?? NO_CACHE)) {
        const known = cache.get(entry.soname)
        if (known === undefined) cache.set(entry.soname, [entry])
        else known.push(entry)
      }
      this.#cache = cache
    }
    return this.#cache.get(soname) ?? []
  }
}

/** An empty one in the older format, which says nothing. */
const NO_CACHE: Uint8Array = new TextEncoder().encode('ld.so-1.7.0\0\0\0\0\0')

const isAlike = (a: ElfFile, b: ElfFile): boolean =>
  a.bits === b.bits && a.bigEndian === b.bigEndian && a.machine === b.machine

/**
 * Replaces `$ORIGIN`, `$LIB` and `$PLATFORM` (ld.so(8), "Dynamic string tokens"); musl knows the first alone. Undefined
 * where a path is left that isn't absolute: where it leads depends on where the program is started.
 */
const expand = (text: string, origin: string, { kind, lib, platform }: Loader): string | undefined => {
  const values: Readonly<Record<string, string>> =
    kind === 'musl' ? { ORIGIN: origin } : { ORIGIN: origin, LIB: lib, PLATFORM: platform }
  const expanded = text.replace(
    /\$(?:\{(\w+)\}|(ORIGIN|LIB|PLATFORM))/g,
    (whole, braced: string, bare: string) => values[braced ?? bare] ?? whole,
  )
  return expanded.startsWith('/') && !(kind === 'musl' && expanded.includes('$')) ? expanded : undefined
}

const splitPath = (text: string): readonly string[] => text.split(/[:;]/).filter((part) => part !== '')

/** Where $ORIGIN is: of a program the directory that it really lies in, of a library that by which it was found. */
const originOf = ({ candidate, by }: Loaded): string =>
  dirname(by === undefined ? candidate.found.path : candidate.name)

const expandAll = (list: string, loaded: Loaded, loader: Loader): readonly string[] =>
  splitPath(list).flatMap((part) => expand(part, originOf(loaded), loader) ?? [])

const chainOf = (loaded: Loaded): readonly Loaded[] =>
  loaded.by === undefined ? [loaded] : [loaded, ...chainOf(loaded.by)]

const nameOf = ({ candidate }: Loaded): string => candidate.found.path

const rpathPlace = (loaded: Loaded, loader: Loader): readonly Place[] => {
  const { rpath, runpath } = loaded.candidate.elf
  // An object that has DT_RUNPATH has no DT_RPATH, as far as glibc cares.
  if (rpath === undefined || runpath !== undefined) return []
  return [{ words: `RPATH of ${nameOf(loaded)}`, directories: expandAll(rpath, loaded, loader) }]
}

const runpathPlace = (loaded: Loaded, loader: Loader): readonly Place[] => {
  const { runpath } = loaded.candidate.elf
  return runpath === undefined
    ? []
    : [{ words: `RUNPATH of ${nameOf(loaded)}`, directories: expandAll(runpath, loaded, loader) }]
}

/** DT_RPATH is inherited from what loaded the object, and counts for none that has DT_RUNPATH, which is not inherited. */
const glibcPlaces = (needer: Loaded, loader: Loader): readonly Place[] =>
  needer.candidate.elf.runpath === undefined
    ? chainOf(needer).flatMap((each) => rpathPlace(each, loader))
    : runpathPlace(needer, loader)

/** musl makes no difference between the two: both are inherited. */
const muslPlaces = (needer: Loaded, loader: Loader): readonly Place[] =>
  chainOf(needer).flatMap((each) => {
    const { rpath, runpath } = each.candidate.elf
    const list = runpath ?? rpath
    return list === undefined ? [] : [{ words: `RPATH of ${nameOf(each)}`, directories: expandAll(list, each, loader) }]
  })

/** The rules by which one loader finds libraries, in one tree. */
export class LibrarySearch {
  readonly #files: ElfFiles
  readonly #loader: Loader
  /** The architecture of the program. */
  readonly #like: ElfFile

  constructor(files: ElfFiles, loader: Loader, like: ElfFile) {
    this.#files = files
    this.#loader = loader
    this.#like = like
  }

  /** Looks for what `needer` needs as `name`. Throws for a file that would make the loader give up: one that is no ELF file. */
  find(name: string, needer: Loaded): Search {
    const foreign: string[] = []
    const take = (path: string, variant?: string, byCache = false): readonly Candidate[] => {
      const candidate = this.#take(path, variant, byCache)
      if (candidate === 'foreign') foreign.push(path)
      return candidate === undefined || candidate === 'foreign' ? [] : [candidate]
    }
    if (name.includes('/')) {
      const path = expand(name, originOf(needer), this.#loader)
      return {
        candidates: path === undefined ? [] : take(path),
        places: [path ?? 'the directory it is started in'],
        foreign,
      }
    }
    const musl = this.#loader.kind === 'musl'
    const places: string[] = []
    const look = ({ words, directories }: Place): readonly Candidate[] => {
      for (const directory of directories) {
        places.push(words === '' ? directory : `${directory} (${words})`)
        const candidates = this.#lookIn(directory.replace(/\/+$/, ''), name, take)
        if (candidates.length > 0) return candidates
      }
      return []
    }
    const { noDefaultLibraries } = needer.candidate.elf
    const ways: readonly (() => readonly Candidate[])[] = [
      ...(musl ? muslPlaces(needer, this.#loader) : glibcPlaces(needer, this.#loader)).map(
        (place) => () => look(place),
      ),
      ...(musl ? [] : [() => this.#lookInCache(name, noDefaultLibraries, take, places)]),
      ...(noDefaultLibraries && !musl ? [] : [() => look({ words: '', directories: this.#loader.directories })]),
    ]
    for (const way of ways) {
      const candidates = way()
      if (candidates.length > 0) return { candidates, places, foreign }
    }
    return { candidates: [], places, foreign }
  }

  #lookIn(
    directory: string,
    name: string,
    take: (path: string, variant?: string) => readonly Candidate[],
  ): readonly Candidate[] {
    const variants = this.#loader.kind === 'musl' ? undefined : this.#files.tree.find(`${directory}/${VARIANTS}`)
    const names = variants?.stats.isDirectory() === true ? readNames(variants.source) : []
    return [
      ...take(`${directory}/${name}`),
      ...names.flatMap((variant) => take(`${directory}/${VARIANTS}/${variant}/${name}`, variant)),
    ]
  }

  /** The first entry of an architecture that does for all processors, and all that are for some. */
  #lookInCache(
    name: string,
    noDefaultLibraries: boolean,
    take: (path: string, variant?: string, byCache?: boolean) => readonly Candidate[],
    places: string[],
  ): readonly Candidate[] {
    places.push(LOADER_CACHE)
    const candidates: Candidate[] = []
    for (const { path, variant } of this.#files.cached(name)) {
      const directory = `${dirname(path)}/`
      const standard = this.#loader.directories.some((each) => directory.startsWith(each))
      if (standard && noDefaultLibraries) continue
      if (variant === undefined && candidates.some((each) => each.variant === undefined)) continue
      candidates.push(...take(path, variant, !this.#isDefault(directory)))
    }
    return candidates
  }

  /** Whether the loader would look there without its cache, too. */
  #isDefault(directory: string): boolean {
    const plain = directory.replace(/glibc-hwcaps\/[^/]+\/$/, '')
    return this.#loader.directories.includes(plain)
  }

  #take(path: string, variant: string | undefined, byCache: boolean): Candidate | 'foreign' | undefined {
    const found = this.#files.tree.findFile(path)
    if (found === undefined) return undefined
    const elf = this.#files.read(found)
    return isAlike(elf, this.#like) ? { name: path, found, elf, variant, byCache } : 'foreign'
  }
}
