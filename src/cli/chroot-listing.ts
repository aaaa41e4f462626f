import { basename } from 'node:path'
import type { BuiltRoot, Closure, ClosureEntry, Reason } from '../index.ts'
import { formatBytes } from '../index.ts'
import type { Cell, Column } from './table.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'

const COLUMNS: readonly Column[] = [{ title: 'SIZE', align: 'right' }, { title: 'PATH' }, { title: 'WHY' }]

const WORDS: Readonly<Record<Reason['kind'], (reason: Reason) => string>> = {
  program: () => 'asked for',
  included: () => 'included',
  interpreter: ({ by = '' }) => `starts ${by}`,
  library: ({ by = '', detail = '' }) => `${detail} of ${by}`,
  variant: ({ by = '', detail = '' }) => `${detail}, of ${by}`,
  'loader configuration': ({ by = '' }) => `leads the loader to ${by}`,
  link: ({ by = '' }) => `leads to ${by}`,
  executed: ({ by = '' }) => `executed by ${basename(by)}`,
  opened: ({ by = '' }) => `opened by ${basename(by)}`,
  'looked at': ({ by = '' }) => `looked at by ${basename(by)}`,
  'written to': ({ by = '' }) => `written to by ${basename(by)}`,
  made: () => 'made for this root',
  'mount point': () => 'to mount on',
}

/** Why an entry is there, in words: the first reason, and how many more there are. */
const whyText = (reasons: readonly Reason[]): string => {
  const [first] = reasons
  if (first === undefined) return ''
  const more = reasons.length === 1 ? '' : `, and ${reasons.length - 1} more`
  return WORDS[first.kind](first) + more
}

const sizeText = (entry: ClosureEntry): string => ('size' in entry ? formatBytes(entry.size) : '')

const pathText = (entry: ClosureEntry): string => {
  if (entry.kind === 'link') return `${entry.path} -> ${entry.target}`
  return entry.kind === 'directory' && entry.path !== '/' ? `${entry.path}/` : entry.path
}

const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? '' : what === 'directory' ? '' : 's'}`

/** `41 files and 22 links, 34.5MiB`. */
export const totals = ({ entries, size }: Closure): string => {
  const of = (...kinds: readonly ClosureEntry['kind'][]): number =>
    entries.filter(({ kind }) => kinds.includes(kind)).length
  return `${counted(of('file', 'made'), 'file')} and ${counted(of('link'), 'link')}, ${formatBytes(size)}`
}

/** What came of building: `built /srv/jail: 41 files and 22 links, 34.5MiB, copied`. */
export const builtText = (closure: Closure, { path, copied, cloned, linked, again }: BuiltRoot): string => {
  const ways = [
    [copied, 'copied'],
    [cloned, 'sharing blocks'],
    [linked, "linked to the host's own"],
    [again, 'under a second name'],
  ] as const
  const how = ways.flatMap(([count, way]) => (count === 0 ? [] : [`${count} ${way}`]))
  return `built ${path}: ${totals(closure)}${how.length === 0 ? '' : ` (${how.join(', ')})`}`
}

/** The table of all entries. */
export const listing = ({ entries }: Closure, { style, lineWidth }: Terminal): string =>
  formatTable(
    entries.map((entry): readonly Cell[] => [
      sizeText(entry),
      pathText(entry),
      { text: whyText(entry.reasons), style: style.dim },
    ]),
    COLUMNS,
    lineWidth,
  )
