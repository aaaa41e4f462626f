import { basename } from 'node:path'
import { InputError } from '../../linux/error.ts'
import type { ElfFile } from '../../linux/elf/elf.ts'
import { loaderConfDirectories } from './loader-conf.ts'
import type { Loader } from './loader.ts'
import type { Candidate, ElfFiles, Loaded, Search } from './library-search.ts'
import { LibrarySearch } from './library-search.ts'
import type { Found } from './tree.ts'

/** A library that a program is started with. */
export interface Library {
  readonly candidate: Candidate
  /** What needs it, as the tree has it. */
  readonly needer: string
  /** The name by which it is needed. */
  readonly name: string
}

/** All that the kernel and the loader map to start a program. */
export interface Linked {
  readonly loader: Loader
  /** Whether the program names a loader. */
  readonly interpreted: boolean
  readonly libraries: readonly Library[]
  /** Libraries that weren't found, where that isn't an error. */
  readonly missing: readonly MissingLibrary[]
}

export interface MissingLibrary {
  /** The name by which it is needed. */
  readonly name: string
  /** In words: what needs it, and where it was looked for. */
  readonly message: string
}

/** Names that musl answers itself, whatever comes after. */
const MUSL_OWN = /^lib(c|pthread|rt|m|dl|util|xnet)\./

interface Need {
  /** The first of these that is found. */
  readonly names: readonly string[]
  readonly needer: Loaded
  /** DT_AUXILIARY, and what is opened later: without it the loader goes on. */
  readonly optional: boolean
}

/** `optional`: whether the needer itself is. */
const needsOf = (needer: Loaded, optional: boolean): readonly Need[] => {
  const { needed, filters, auxiliaries, audits } = needer.candidate.elf
  const required = [...audits.flatMap((list) => list.split(':')), ...filters, ...needed]
  return [
    ...required.filter((name) => name !== '').map((name) => ({ names: [name], needer, optional })),
    ...auxiliaries.map((name) => ({ names: [name], needer, optional: true })),
  ]
}

/** What it opens by itself, later. */
const laterOf = (needer: Loaded): readonly Need[] =>
  needer.candidate.elf.opens.map((names) => ({ names, needer, optional: true }))

const notFound = (files: ElfFiles, name: string, needer: Loaded, { places, foreign }: Search): InputError => {
  const listed = name.includes('/')
    ? undefined
    : loaderConfDirectories(files.tree).find((directory) => files.tree.findFile(`${directory}/${name}`) !== undefined)
  const remedy =
    listed === undefined
      ? 'Install it'
      : `It is in ${listed}, which /etc/ld.so.conf names and /etc/ld.so.cache doesn't know: run ldconfig`
  const others = foreign.length === 0 ? '' : ` Of another architecture: ${foreign.join(', ')}.`
  return new InputError({
    operation: 'find',
    target: `${name}, which ${needer.candidate.found.path} needs`,
    reason: 'it is nowhere where the loader looks',
    hint: `${remedy}. Looked in ${places.join(', ')}.${others}`,
  })
}

export interface LinkOptions {
  /** Whether a library that isn't found is noted instead of thrown. */
  readonly lenient?: boolean
}

/**
 * Finds what a program is started with, as its loader would: breadth first, each name once. Of a library that is there
 * for several kinds of processors all are taken, as another machine may choose another.
 */
export const linkProgram = (files: ElfFiles, found: Found, elf: ElfFile, options: LinkOptions = {}): Linked => {
  const loader = files.loader(elf)
  const search = new LibrarySearch(files, loader, elf)
  const program: Loaded = {
    candidate: { name: found.path, found, elf, variant: undefined, byCache: false },
    by: undefined,
  }
  const libraries: Library[] = []
  const missing: MissingLibrary[] = []
  const known = new Set<string>(
    loader.file === undefined ? [] : [basename(loader.file.path), ...sonameOf(files, loader.file)],
  )
  /** Whether one of the names is there, or was before. */
  const load = (name: string, { needer, optional }: Need): boolean => {
    if (known.has(name)) return true
    known.add(name)
    if (loader.kind === 'musl' && MUSL_OWN.test(name)) return true
    const result = search.find(name, needer)
    if (result.candidates.length === 0 && !optional) {
      const error = notFound(files, name, needer, result)
      if (options.lenient !== true) throw error
      missing.push({ name, message: error.message })
    }
    for (const candidate of result.candidates) {
      const loaded: Loaded = { candidate, by: needer }
      if (candidate.elf.soname !== undefined) known.add(candidate.elf.soname)
      libraries.push({ candidate, needer: needer.candidate.found.path, name })
      queue.push(...needsOf(loaded, optional))
      later.push(...laterOf(loaded))
    }
    return result.candidates.length > 0
  }
  const queue: Need[] = [...needsOf(program, false)]
  const later: Need[] = [...laterOf(program)]
  for (let need = queue.shift() ?? later.shift(); need !== undefined; need = queue.shift() ?? later.shift()) {
    const wanted = need
    wanted.names.some((name) => load(name, wanted))
  }
  return { loader, interpreted: elf.interpreter !== undefined, libraries, missing }
}

/** The name by which libraries need the loader itself. */
const sonameOf = (files: ElfFiles, loader: Found): readonly string[] => {
  const { soname } = files.read(loader)
  return soname === undefined ? [] : [soname]
}
