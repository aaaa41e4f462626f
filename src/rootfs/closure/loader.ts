import { Buffer } from 'node:buffer'
import { basename } from 'node:path'
import type { ElfFile } from '../../linux/elf/elf.ts'
import { readTreeFile, readTreeText } from './read.ts'
import type { Found, Tree } from './tree.ts'

/** How the loader of a program finds libraries; the rules of glibc and of musl differ. */
export interface Loader {
  readonly kind: 'glibc' | 'musl'
  /** The loader itself, where the tree has it. */
  readonly file: Found | undefined
  /** Where it looks in the end. */
  readonly directories: readonly string[]
  /** What tells it so, where a file does. */
  readonly configuration: Found | undefined
  /** What `$LIB` and `$PLATFORM` stand for. */
  readonly lib: string
  readonly platform: string
}

/** Where the loader is that programs of a machine name, for a library by itself: [bits, e_machine]. */
const CUSTOMARY: readonly (readonly [bits: number, machine: number, path: string, platform: string])[] = [
  [64, 62, '/lib64/ld-linux-x86-64.so.2', 'x86_64'],
  [32, 62, '/libx32/ld-linux-x32.so.2', 'x86_64'],
  [32, 3, '/lib/ld-linux.so.2', 'i686'],
  [64, 183, '/lib/ld-linux-aarch64.so.1', 'aarch64'],
  [32, 40, '/lib/ld-linux-armhf.so.3', 'v7l'],
  [64, 243, '/lib/ld-linux-riscv64-lp64d.so.1', ''],
  [64, 21, '/lib64/ld64.so.2', 'power9'],
  [64, 22, '/lib/ld64.so.1', 'z16'],
  [64, 258, '/lib64/ld-linux-loongarch-lp64d.so.1', 'loongarch64'],
]

/** What a glibc has that was configured with a prefix of /usr and nothing else. */
const USUAL: Readonly<Record<32 | 64, readonly string[]>> = {
  64: ['/lib64/', '/usr/lib64/', '/lib/', '/usr/lib/'],
  32: ['/lib/', '/usr/lib/'],
}

const LARGEST_LOADER = 16 << 20

const isLibraryDirectory = (text: string): boolean =>
  text.length < 256 && /^\/[\w.+/-]*\/$/.test(text) && /\/lib[\w.+-]*\//.test(text)

/**
 * The directories that a glibc has been built to look in. They aren't written anywhere but in the loader: one string
 * behind the other, each with a slash at its end.
 */
export const builtInDirectories = (loader: Uint8Array): readonly string[] => {
  const texts = Buffer.from(loader.buffer, loader.byteOffset, loader.length).toString('latin1').split('\0')
  const first = texts.findIndex(isLibraryDirectory)
  if (first < 0) return []
  const end = texts.findIndex((text, index) => index > first && !isLibraryDirectory(text))
  return texts.slice(first, end < 0 ? undefined : end)
}

/** `lib/x86_64-linux-gnu` for `/usr/lib/x86_64-linux-gnu/`: what glibc calls $LIB is its first directory by another name. */
const libOf = (directories: readonly string[]): string =>
  directories[0]?.replace(/^\/(usr\/)?/, '').replace(/\/$/, '') ?? 'lib'

const muslLoader = (tree: Tree, interpreter: string): Loader => {
  const file = tree.findFile(interpreter)
  const architecture = basename(interpreter)
    .replace(/^ld-musl-/, '')
    .replace(/\.so.*$/, '')
  const path = `/etc/ld-musl-${architecture}.path`
  const text = readTreeText(tree, path)
  const directories = text?.split(/[\n:]/).filter((directory) => directory !== '') ?? [
    '/lib',
    '/usr/local/lib',
    '/usr/lib',
  ]
  const configuration = text === undefined ? undefined : tree.findFile(path)
  return { kind: 'musl', file, directories, configuration, lib: 'lib', platform: architecture }
}

const glibcLoader = (tree: Tree, { bits, machine }: ElfFile, interpreter: string | undefined): Loader => {
  const [, , customary, platform = ''] = CUSTOMARY.find((each) => each[0] === bits && each[1] === machine) ?? []
  const path = interpreter ?? customary
  const file = path === undefined ? undefined : tree.findFile(path)
  const bytes = file === undefined || file.stats.size > LARGEST_LOADER ? undefined : readTreeFile(tree, file.path)
  const found = bytes === undefined ? [] : builtInDirectories(bytes)
  const directories = found.length === 0 ? USUAL[bits] : found
  return { kind: 'glibc', file, directories, configuration: undefined, lib: libOf(directories), platform }
}

/** How the libraries of a program are found; for a library by itself, as a program of its kind would find them. */
export const loaderOf = (tree: Tree, elf: ElfFile): Loader => {
  const { interpreter } = elf
  return interpreter !== undefined && basename(interpreter).startsWith('ld-musl-')
    ? muslLoader(tree, interpreter)
    : glibcLoader(tree, elf, interpreter)
}
