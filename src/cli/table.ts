import { displayWidth, padTo, printable } from './text.ts'

/** A cell: a text, or a text and what colours it. Control characters in the text are made visible. */
export type Cell = string | { readonly text: string; readonly style: (text: string) => string }

export interface Column {
  readonly title: string
  /** Numbers go to the right; by default a column goes to the left. */
  readonly align?: 'left' | 'right'
}

const GAP = '   '

const contentOf = (cell: Cell): string => printable(typeof cell === 'string' ? cell : cell.text)

/**
 * Rows below each other, as wide as their widest cell, three spaces apart; no spaces at the ends of lines. Ends with
 * a newline, unless there is nothing to print. Without `columns` there is no line of titles.
 */
export const formatTable = (rows: readonly (readonly Cell[])[], columns: readonly Column[] = []): string => {
  const titles = columns.map((column) => column.title)
  const all: readonly (readonly Cell[])[] = titles.length === 0 ? rows : [titles, ...rows]
  const count = Math.max(0, ...all.map((row) => row.length))
  const widths = Array.from({ length: count }, (_, index) =>
    Math.max(...all.map((row) => displayWidth(contentOf(row[index] ?? '')))),
  )
  const line = (row: readonly Cell[]): string => {
    const cells = row.map((cell, index) => {
      const text = contentOf(cell)
      const padded = padTo(text, widths[index] ?? 0, columns[index]?.align)
      return typeof cell === 'string' ? padded : padded.replace(text, () => cell.style(text))
    })
    return `${cells.join(GAP).trimEnd()}\n`
  }
  return all.map(line).join('')
}
