import type { HostNamespace } from '../index.ts'
import { heldBy, pidText, userText } from './ns-text.ts'
import type { Cell, Column } from './table.ts'
import { formatTable } from './table.ts'

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

/** A line for each namespace. Columns that have nothing to say are left out. */
export const namespaceTable = (namespaces: readonly HostNamespace[], lineWidth?: number): string => {
  const cells = COLUMNS.map((column) => ({ column, texts: namespaces.map(column.cell) }))
  const shown = cells.filter(({ texts }) => texts.some((text) => text !== ''))
  const rows: readonly (readonly Cell[])[] = namespaces.map((_, index) => shown.map(({ texts }) => texts[index] ?? ''))
  return formatTable(
    rows,
    shown.map(({ column }) => column),
    lineWidth,
  )
}
