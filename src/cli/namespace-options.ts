import type { NamespaceKind } from '../linux/index.ts'
import type { OptionalSpec } from './options.ts'
import { UsageError } from './usage-error.ts'

/** The options that stand for kinds of namespaces, under the names that unshare(1) and nsenter(1) have for them. */
type KindOption = Exclude<NamespaceKind, 'mnt'> | 'mount'

const KINDS: Readonly<Record<KindOption, NamespaceKind>> = {
  cgroup: 'cgroup',
  ipc: 'ipc',
  mount: 'mnt',
  net: 'net',
  pid: 'pid',
  time: 'time',
  user: 'user',
  uts: 'uts',
}

/** An option that stands for a kind, or with a value for a file. */
export const kindOption = <Long extends KindOption, Short extends string>(
  long: Long,
  short: Short,
  description: string,
): OptionalSpec & { readonly long: Long; readonly short: Short } => ({
  long,
  short,
  argument: 'FILE',
  optional: true,
  description,
  group: 'Namespaces',
})

export interface Kinds {
  /** Those that were given, with a file or without. */
  readonly kinds: ReadonlySet<NamespaceKind>
  readonly files: Readonly<Partial<Record<NamespaceKind, string>>>
}

const isKindOption = (name: string): name is KindOption => Object.hasOwn(KINDS, name)

/** What the options say of namespaces. */
export const kindsOf = (values: Readonly<Partial<Record<KindOption, string | true | undefined>>>): Kinds => {
  const kinds = new Set<NamespaceKind>()
  const files: Partial<Record<NamespaceKind, string>> = {}
  for (const [name, value] of Object.entries(values)) {
    if (!isKindOption(name) || value === undefined) continue
    if (value === '')
      throw new UsageError(`cannot use --${name}=: the file is missing`, `Write --${name}=FILE, or --${name}.`)
    kinds.add(KINDS[name])
    if (value !== true) files[KINDS[name]] = value
  }
  return { kinds, files }
}

/** The program that the operands name, or a shell, begun as one that somebody has logged in to. */
export const programOf = (
  operands: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { readonly command: readonly string[]; readonly argv0?: string } => {
  if (operands.length > 0) return { command: operands }
  const shell = env['SHELL'] || '/bin/sh'
  return { command: [shell], argv0: `-${shell.replace(/.*\//, '')}` }
}

/** A whole number within bounds; throws {@link UsageError} for anything else. */
export const parseWhole = (option: string, word: string, least = 0, most = 0xfffffffe): number => {
  const value = /^-?[0-9]{1,15}$/.test(word) ? Number(word) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(
    `cannot use --${option}=${word}: it is no whole number${least === 0 ? ` from 0 to ${most}` : ''}`,
    '"tare unshare --help" and "tare enter --help" say what it takes.',
  )
}
