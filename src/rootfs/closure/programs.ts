import { resolve } from 'node:path'
import { InputError } from '../../linux/error.ts'
import type { EntrySet, Reason } from './entry.ts'
import type { ElfFiles } from './library-search.ts'
import { LOADER_CACHE } from './library-search.ts'
import type { Linked, MissingLibrary } from './libraries.ts'
import { linkProgram } from './libraries.ts'
import { formOf, HEAD, withBytes } from './read.ts'
import { envProgram, MOST_INTERPRETERS, parseShebang } from './script.ts'
import type { Found, Tree } from './tree.ts'
import { whyAbsent } from './tree.ts'

/** Where programs are on most systems that an ordinary user's PATH leaves out. */
const FOR_ROOT = ['/usr/local/sbin', '/usr/sbin', '/sbin']
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin'
const EXECUTABLE = 0o111
const ORIGIN = /\$(ORIGIN\b|\{ORIGIN\})/

/** The directories of a search path, and those that are for root. */
export const searchPath = (path: string | undefined): readonly string[] => {
  const own = (path ?? DEFAULT_PATH).split(':').filter((directory) => directory.startsWith('/'))
  return [...new Set([...own, ...FOR_ROOT])]
}

/**
 * Finds a program by its path, or by its name where a shell would, and where root's shell would. Throws
 * {@link InputError} if there is none.
 */
const findProgram = (
  tree: Tree,
  program: string,
  directories: readonly string[],
): { readonly path: string; readonly found: Found } => {
  if (program === '' || program.includes('\0'))
    throw new InputError({ operation: 'find the program', target: JSON.stringify(program), reason: 'that is no name' })
  if (program.includes('/')) {
    const path = resolve(tree.root === '' ? process.cwd() : '/', program)
    const found = tree.findFile(path)
    if (found === undefined) throw whyAbsent('use the program', tree.source(path))
    return { path, found }
  }
  for (const directory of directories) {
    const path = `${directory.replace(/\/+$/, '')}/${program}`
    const found = tree.findFile(path)
    if (found !== undefined && (found.stats.mode & EXECUTABLE) !== 0) return { path, found }
  }
  throw new InputError({
    operation: 'find the program',
    target: program,
    reason: 'there is none of that name',
    hint: `Give its path, or a PATH that has it. Looked in ${directories.join(', ')}.`,
  })
}

/** Adds programs with all that they can't start without. */
export class ProgramAdder {
  readonly #files: ElfFiles
  readonly #set: EntrySet
  readonly #directories: readonly string[]
  readonly #done = new Set<string>()
  readonly warnings: string[] = []
  readonly missing: MissingLibrary[] = []

  constructor(files: ElfFiles, set: EntrySet, directories: readonly string[]) {
    this.#files = files
    this.#set = set
    this.#directories = directories
  }

  /** A program by name or path, and its path; throws for what can't be executed, or lacks something. */
  program(name: string, reason: Reason): string {
    const { path, found } = findProgram(this.#files.tree, name, this.#directories)
    this.#set.addFound(found, reason)
    this.#follow(found, [], false, path)
    return path
  }

  /** What a file needs that came in otherwise, and may be no program at all; what isn't found is a warning. */
  follow(found: Found): void {
    if (found.stats.isFile()) this.#follow(found, [], true)
  }

  #follow(found: Found, chain: readonly string[], lenient: boolean, name: string = found.path): void {
    if (this.#done.has(found.path) && !chain.includes(found.path)) return
    const { head, form } = withBytes(found.source, (bytes) => {
      const first = bytes.read(0, HEAD)
      return { head: first, form: formOf(first) }
    })
    this.#done.add(found.path)
    if (form === 'elf') return this.#binary(found, lenient)
    // Modules and the like begin as scripts do, and aren't executed.
    if (form === 'script' && lenient && (found.stats.mode & EXECUTABLE) === 0) return
    if (form === 'script') return this.#script(found, head, chain, lenient)
    if (lenient) return
    this.#done.delete(found.path)
    throw new InputError({
      operation: 'use the program',
      target: name,
      reason: 'it is neither an ELF file nor a script that begins with "#!"',
      hint: 'Data goes in by include.',
    })
  }

  #attempt(lenient: boolean, what: () => void): void {
    try {
      what()
    } catch (error) {
      if (!lenient || !(error instanceof InputError)) throw error
      this.warnings.push(error.message)
    }
  }

  #binary(found: Found, lenient: boolean): void {
    this.#attempt(lenient, () => {
      const linked = linkProgram(this.#files, found, this.#files.read(found), { lenient })
      this.missing.push(...linked.missing)
      this.#addLinked(found, linked)
    })
  }

  #addLinked(program: Found, { loader, interpreted, libraries }: Linked): void {
    const { tree } = this.#files
    const { interpreter, rpath, runpath, needed } = this.#files.read(program)
    if (interpreted && loader.file === undefined && interpreter !== undefined)
      throw new InputError({
        operation: 'find',
        target: `${interpreter}, the loader of ${program.path}`,
        reason: 'it is not there',
        hint: 'Install the C library that the program was built for.',
      })
    if (interpreter !== undefined && loader.file !== undefined) {
      this.#set.addFound(loader.file, { kind: 'interpreter', by: program.path })
    }
    // Of a library the loader knows the path; of the program itself only the kernel does.
    if (interpreted && [rpath, runpath, ...needed].some((text) => text !== undefined && ORIGIN.test(text)))
      this.warnings.push(
        `${program.path} finds libraries by $ORIGIN, which its loader learns from /proc: it must be mounted`,
      )
    if (loader.configuration !== undefined && libraries.length > 0)
      this.#set.addFound(loader.configuration, { kind: 'loader configuration', by: program.path })
    for (const { candidate, needer, name } of libraries) {
      const { found, variant, byCache } = candidate
      this.#set.addFound(
        found,
        variant === undefined
          ? { kind: 'library', by: needer, detail: name }
          : { kind: 'variant', by: needer, detail: `${name} for ${variant}` },
      )
      this.#done.add(found.path)
      const cache = byCache ? tree.findFile(LOADER_CACHE) : undefined
      if (cache !== undefined) this.#set.addFound(cache, { kind: 'loader configuration', by: found.path })
    }
  }

  #script(found: Found, head: Uint8Array, chain: readonly string[], lenient: boolean): void {
    this.#attempt(lenient, () => {
      const shebang = parseShebang(head)
      if (shebang === undefined)
        throw new InputError({ operation: 'use the script', target: found.source, reason: 'its "#!" names no program' })
      if (chain.length === MOST_INTERPRETERS || chain.includes(found.path))
        throw new InputError({
          operation: 'use the script',
          target: found.source,
          reason: `the kernel follows no more than ${MOST_INTERPRETERS} scripts, each the interpreter of the other`,
        })
      const by = found.path
      const { tree } = this.#files
      const interpreter = shebang.interpreter.startsWith('/') ? tree.findFile(shebang.interpreter) : undefined
      if (interpreter === undefined)
        throw new InputError({
          operation: 'find',
          target: `${shebang.interpreter}, which the first line of ${found.path} names`,
          reason: shebang.interpreter.startsWith('/')
            ? 'it is not there'
            : 'where that is depends on where it is started',
          hint: `${shebang.interpreter}${shebang.argument ?? ''}`.endsWith('\r')
            ? 'The line ends in a carriage return, as lines do on Windows: take it away.'
            : undefined,
        })
      this.#set.addFound(interpreter, { kind: 'interpreter', by })
      this.#follow(interpreter, [...chain, found.path], lenient)
      const program = envProgram(shebang)
      if (program !== undefined) {
        const next = findProgram(tree, program, this.#directories)
        this.#set.addFound(next.found, { kind: 'interpreter', by })
        this.#follow(next.found, [], lenient, next.path)
      }
    })
  }
}
