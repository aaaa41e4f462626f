import { basename } from 'node:path'
import { InputError } from '../../linux/error.ts'
import type { ElfFile } from '../../linux/elf/elf.ts'
import { loaderConfDirectories } from './loader-conf.ts'
import type { Loader } from './loader.ts'
import { loaderOf } from './loader.ts'
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
  readonly missing: readonly InputError[]
}

/** Names that musl answers itself, whatever comes after. */
const MUSL_OWN = /^lib(c|pthread|rt|m|dl|util|xnet)\./

interface Need {
  readonly name: string
  readonly needer: Loaded
  /** DT_AUXILIARY: without it the loader goes on. */
  readonly optional: boolean
}

const needsOf = (needer: Loaded): readonly Need[] => {
  const { needed, filters, auxiliaries, audits } = needer.candidate.elf
  const required = [...audits.flatMap((list) => list.split(':')), ...filters, ...needed]
  return [
    ...required.filter((name) => name !== '').map((name) => ({ name, needer, optional: false })),
    ...auxiliaries.map((name) => ({ name, needer, optional: true })),
  ]
}

const notFound = (files: ElfFiles, { name, needer }: Need, { places, foreign }: Search): InputError => {
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
  const loader = loaderOf(files.tree, elf)
  const search = new LibrarySearch(files, loader, elf)
  const program: Loaded = {
    candidate: { name: found.path, found, elf, variant: undefined, byCache: false },
    by: undefined,
  }
  const libraries: Library[] = []
  const missing: InputError[] = []
  const known = new Set<string>(
    loader.file === undefined ? [] : [basename(loader.file.path), ...sonameOf(files, loader.file)],
  )
  const queue: Need[] = [...needsOf(program)]
  for (let at = 0; at < queue.length; at++) {
    const need = queue[at]
    if (need === undefined || known.has(need.name)) continue
    known.add(need.name)
    if (loader.kind === 'musl' && MUSL_OWN.test(need.name)) continue
    const result = search.find(need.name, need.needer)
    if (result.candidates.length === 0 && !need.optional) {
      const error = notFound(files, need, result)
      if (options.lenient !== true) throw error
      missing.push(error)
    }
    for (const candidate of result.candidates) {
      if (candidate.elf.soname !== undefined) known.add(candidate.elf.soname)
      libraries.push({ candidate, needer: need.needer.candidate.found.path, name: need.name })
      queue.push(...needsOf({ candidate, by: need.needer }))
    }
  }
  return { loader, interpreted: elf.interpreter !== undefined, libraries, missing }
}

/** The name by which libraries need the loader itself. */
const sonameOf = (files: ElfFiles, loader: Found): readonly string[] => {
  const { soname } = files.read(loader)
  return soname === undefined ? [] : [soname]
}
