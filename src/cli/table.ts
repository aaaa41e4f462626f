import { cutTo, displayWidth, padTo, printable } from './text.ts'

/** A cell: a text, or a text and what colours it. Control characters in the text are made visible. */
export type Cell = string | { readonly text: string; readonly style: (text: string) => string }

export interface Column {
  readonly title: string
  /** Numbers go to the right; by default a column goes to the left. */
  readonly align?: 'left' | 'right'
}

const GAP = '   '

const contentOf = (cell: Cell): string => printable(typeof cell === 'string' ? cell : cell.text)

/** What is left of the last column, however narrow the terminal. */
const NARROWEST = 12

/**
 * Rows below each other, as wide as their widest cell, three spaces apart; no spaces at the ends of lines. Ends with
 * a newline, unless there is nothing to print. Without `columns` there is no line of titles. With `lineWidth` (see
 * `Terminal`) the last column is cut so that no line gets wider.
 */
export const formatTable = (
  rows: readonly (readonly Cell[])[],
  columns: readonly Column[] = [],
  lineWidth?: number,
): string => {
  const titles = columns.map((column) => column.title)
  const all: readonly (readonly Cell[])[] = titles.length === 0 ? rows : [titles, ...rows]
  const count = Math.max(0, ...all.map((row) => row.length))
  const widths = Array.from({ length: count }, (_, index) =>
    Math.max(...all.map((row) => displayWidth(contentOf(row[index] ?? '')))),
  )
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0)
  const room = lineWidth === undefined ? Number.POSITIVE_INFINITY : Math.max(NARROWEST, lineWidth - before)
  const line = (row: readonly Cell[]): string => {
    const cells = row.map((cell, index) => {
      const isLast = index === count - 1
      const text = isLast ? cutTo(contentOf(cell), room) : contentOf(cell)
      const width = widths[index] ?? 0
      const padded = padTo(text, isLast ? Math.min(room, width) : width, columns[index]?.align)
      return typeof cell === 'string' ? padded : padded.replace(text, () => cell.style(text))
    })
    return `${cells.join(GAP).trimEnd()}\n`
  }
  return all.map(line).join('')
}
