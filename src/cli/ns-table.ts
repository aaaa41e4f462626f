import type { HostNamespace, HostNamespaces } from '../index.ts'
import { heldBy, pidText, userText } from './ns-text.ts'
import type { Cell, Column } from './table.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'

type NamespaceColumn = Column & { readonly cell: (namespace: HostNamespace) => string }

const numberText = (value: number | undefined): string => (value === undefined ? '' : `${value}`)

const COLUMNS: readonly NamespaceColumn[] = [
  { title: 'NS', cell: ({ inode }) => `${inode}` },
  { title: 'TYPE', cell: ({ kind }) => kind },
  { title: 'NPROCS', align: 'right', cell: ({ processes }) => `${processes}` },
  { title: 'PID', cell: ({ first }) => pidText(first) },
  { title: 'USER', cell: ({ first }) => userText(first) },
  { title: 'OWNER', cell: ({ owner }) => numberText(owner) },
  { title: 'PARENT', cell: ({ parent }) => numberText(parent) },
  { title: 'HELD BY', cell: heldBy },
  { title: 'COMMAND', cell: ({ first }) => first?.command ?? '' },
]

/** The namespaces of the host: those that PID 1 is in, or, as far as can be known, most processes. */
const hostInodes = ({ sets }: Pick<HostNamespaces, 'sets'>): ReadonlySet<number> => {
  const [first, ...others] = sets
  const host = others.reduce((most, set) => (set.pids.length > (most?.pids.length ?? 0) ? set : most), first)
  const own = sets.find(({ pids }) => pids[0] === 1) ?? host
  return new Set(Object.values(own?.namespaces ?? {}))
}

/** A line for each namespace, those of the host dimmed. Columns that have nothing to say are left out. */
export const namespaceTable = (
  all: Pick<HostNamespaces, 'namespaces' | 'sets'>,
  { style, lineWidth }: Pick<Terminal, 'style' | 'lineWidth'>,
): string => {
  const { namespaces } = all
  const host = hostInodes(all)
  const cells = COLUMNS.map((column) => ({ column, texts: namespaces.map(column.cell) }))
  const shown = cells.filter(({ texts }) => texts.some((text) => text !== ''))
  const rows = namespaces.map(({ inode }, index): readonly Cell[] =>
    shown.map(({ texts }) => {
      const text = texts[index] ?? ''
      return host.has(inode) ? { text, style: style.dim } : text
    }),
  )
  const columns = shown.map(({ column }) => column)
  return formatTable(rows, columns, lineWidth).replace(/^.*/, (titles) => style.bold(titles))
}
