import { cutTo, displayWidth, isPlain, printable } from './text.ts'

/** A cell: a text, or a text and what colours it. Control characters in the text are made visible. */
export type Cell = string | { readonly text: string; readonly style: (text: string) => string }

export interface Column {
  readonly title: string
  /** Numbers go to the right; by default a column goes to the left. */
  readonly align?: 'left' | 'right'
}

const GAP = '   '

/** A cell as it is shown: its text, how wide that is, and what colours it. */
interface Content {
  readonly text: string
  readonly width: number
  readonly style: ((text: string) => string) | undefined
}

const contentOf = (cell: Cell): Content => {
  const given = typeof cell === 'string' ? cell : cell.text
  const style = typeof cell === 'string' ? undefined : cell.style
  if (isPlain(given)) return { text: given, width: given.length, style }
  const text = printable(given)
  return { text, width: displayWidth(text), style }
}

const widthsOf = (rows: readonly (readonly Content[])[]): readonly number[] => {
  const widths: number[] = []
  for (const row of rows) {
    let index = 0
    for (const { width } of row) {
      if (width > (widths[index] ?? -1)) widths[index] = width
      index++
    }
  }
  return widths
}

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
  const titles: readonly Cell[] = columns.map((column) => column.title)
  const all = (titles.length === 0 ? rows : [titles, ...rows]).map((row) => row.map(contentOf))
  const widths = widthsOf(all)
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0)
  const room = lineWidth === undefined ? Number.POSITIVE_INFINITY : Math.max(NARROWEST, lineWidth - before)
  const line = (row: readonly Content[]): string => {
    const cells = row.map(({ text: whole, width: own, style }, index) => {
      const isLast = index === widths.length - 1
      const isCut = isLast && own > room
      const text = isCut ? cutTo(whole, room) : whole
      const width = isLast ? Math.min(room, widths[index] ?? 0) : (widths[index] ?? 0)
      const spaces = ' '.repeat(Math.max(0, width - (isCut ? displayWidth(text) : own)))
      const coloured = style === undefined || text === '' ? text : style(text)
      return columns[index]?.align === 'right' ? spaces + coloured : coloured + spaces
    })
    return `${cells.join(GAP).trimEnd()}\n`
  }
  return all.map(line).join('')
}
