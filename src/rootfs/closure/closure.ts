import { Buffer } from 'node:buffer'
import { basename, resolve } from 'node:path'
import { InputError } from '../../linux/error.ts'
import { makeEtc } from './accounts.ts'
import type { ClosureEntry, ReasonKind } from './entry.ts'
import { EntrySet } from './entry.ts'
import type { Include } from './include.ts'
import { Includer, parseInclude, placeOf } from './include.ts'
import { ElfFiles } from './library-search.ts'
import { ProgramAdder, searchPath } from './programs.ts'
import { Tree } from './tree.ts'

/** What a traced program did with a file. */
export interface TracedFile {
  /** Absolute path, as the program named it. */
  readonly path: string
  readonly kind: Extract<ReasonKind, 'executed' | 'opened' | 'looked at' | 'written to'>
  /** The path of the program. */
  readonly by: string
}

export interface ClosureOptions {
  /** The directory that is taken for the host's root, links and all (default `/`). */
  readonly root?: string | undefined
  /** Where programs are looked for that are given by name: as the variable PATH, which is the default. */
  readonly path?: string | undefined
  /** Data that goes along: `PATH`, `PATH:DEST` or an {@link Include}. */
  readonly include?: readonly (string | Include)[] | undefined
  /** Paths and patterns of what is left out of that which is included or traced. */
  readonly exclude?: readonly string[] | undefined
  /** What programs were seen to use: see `traceFiles`. */
  readonly traced?: readonly TracedFile[] | undefined
  /** Whether a minimal /etc is made: passwd, group, nsswitch.conf, hosts. */
  readonly etc?: boolean | undefined
  /** Accounts of the host that it has besides root, nobody and the owners of files; they imply it. */
  readonly accounts?: readonly string[] | undefined
}

/** What programs need to be started from a root of their own. */
export interface Closure {
  /** Sorted by path; directories only where one is asked for by itself. */
  readonly entries: readonly ClosureEntry[]
  /** The paths, in the root, of the programs that were asked for, in their order. */
  readonly programs: readonly string[]
  /** What was left out that somebody may miss: sentences. */
  readonly warnings: readonly string[]
  /** The tree that they are from: a prefix for its paths, empty for the host's root. */
  readonly root: string
  /** Bytes of all files. */
  readonly size: number
}

/** Where file systems are to be mounted when programs run in the root. */
const MOUNT_POINTS = [
  ['/dev', 0o755],
  ['/proc', 0o555],
  ['/sys', 0o555],
  ['/tmp', 0o1777],
] as const

/** Every root has them, empty. */
const EMPTY: readonly string[] = ['/dev', '/proc', '/sys', '/tmp']
/** What these hold belongs to a running system, and not to a program. */
const PASSING: readonly string[] = [...EMPTY, '/run', '/var/run', '/var/tmp']

/** Whether something is not taken from a trace. A directory that is written to has to be there, whatever it held. */
export const isNotTraced = (path: string, kind: TracedFile['kind']): boolean =>
  (kind === 'written to' ? EMPTY : PASSING).some((place) => path === place || path.startsWith(`${place}/`))

const addTraced = (set: EntrySet, adder: ProgramAdder, includer: Includer, { path, kind, by }: TracedFile): void => {
  const { tree } = set
  const found = tree.find(path)
  if (found === undefined) return
  const isLeftOut = (each: string): boolean => includer.isExcluded(each) || isNotTraced(each, kind)
  if ([path, found.path, ...found.links.map((link) => link.path)].some(isLeftOut)) return
  if (!set.addFound(found, { kind, by })) return
  if (kind === 'executed' || kind === 'opened') adder.follow(found)
}

/**
 * Works out what programs need to be started from a root of their own: their loaders, libraries and interpreters, and what
 * is said to go along. It reads ELF files, first lines and the loader's cache, and executes nothing, so programs that
 * nobody trusts may be looked at. What they open by themselves once they run isn't written in them: trace them, or include it.
 *
 * Programs are given by name or path. Throws {@link InputError} for one that isn't there or can't be executed, for a
 * library that isn't found (with what needs it, and where it was looked for), and for an include that isn't there.
 * Example: `closure(['bash', 'nginx'], { include: ['/srv/www:/var/www'] })`. ld.so(8), elf(5), execve(2)
 */
export const closure = (programs: readonly string[], options: ClosureOptions = {}): Closure => {
  if (programs.length === 0 && (options.include ?? []).length === 0)
    throw new InputError({ operation: 'find what is needed', reason: 'no program is given', hint: 'Name one.' })
  const tree = new Tree(options.root)
  const set = new EntrySet(tree)
  const directories = searchPath(options.path ?? process.env['PATH'])
  const adder = new ProgramAdder(new ElfFiles(tree), set, directories)
  const start = tree.root === '' ? process.cwd() : '/'
  const excludes = (options.exclude ?? []).map((pattern) => resolve(start, pattern))
  const includer = new Includer(set, adder, excludes)
  const found = programs.map((program) => adder.program(program, { kind: 'program' }))
  for (const each of options.traced ?? []) addTraced(set, adder, includer, each)
  for (const each of options.include ?? []) includer.include(typeof each === 'string' ? parseInclude(each) : each)
  if (options.etc === true || (options.accounts ?? []).length > 0)
    for (const { path, content } of makeEtc(tree, options.accounts ?? [], set.entries())) {
      const made = {
        kind: 'made',
        path: placeOf(set, path),
        content,
        size: Buffer.byteLength(content),
        mode: 0o644,
      } as const
      set.replace(made, { kind: 'made' })
    }
  for (const [path, mode] of MOUNT_POINTS)
    if (!set.has(path))
      set.add({ kind: 'directory', path, source: undefined, mode, uid: 0, gid: 0 }, { kind: 'mount point' })
  const entries = set.entries()
  const size = entries.reduce((sum, entry) => sum + ('size' in entry ? entry.size : 0), 0)
  // A library that is loaded by a program which tells the loader more than the library does may be there all the same.
  const names = new Set(entries.map(({ path }) => basename(path)))
  const missing = adder.missing.filter(({ name }) => !names.has(basename(name))).map(({ message }) => message)
  const warnings = [...missing, ...adder.warnings, ...includer.warnings]
  return { entries, programs: found, root: tree.root, warnings, size }
}
