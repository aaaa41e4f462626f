import type { Style } from './terminal.ts'
import { cutTo, displayWidth, padTo } from './text.ts'

/** A stretch of time in which something held. */
export interface PlotPhase {
  readonly name: string
  /** At even distances, none negative. */
  readonly values: readonly number[]
  /** What the values should not exceed, to be marked. */
  readonly limit?: number | undefined
}

export interface PlotOptions {
  /** Cells that a line may take. */
  readonly columns: number
  /** Lines for the bars. */
  readonly rows: number
  /** What the values are, for the axis: `100%`. */
  readonly format: (value: number) => string
  /** Whether to draw with block characters; else with ASCII alone. */
  readonly blocks: boolean
  readonly style: Style
}

interface Pen {
  /** How full a cell is, from empty to full. */
  readonly levels: readonly string[]
  readonly limit: string
  readonly axis: string
  readonly corner: string
  readonly floor: string
  readonly border: string
  readonly foot: string
}

const BLOCKS: Pen = {
  levels: Array.from(' ▁▂▃▄▅▆▇█'),
  limit: '┄',
  axis: '┤',
  corner: '└',
  floor: '─',
  border: '│',
  foot: '┴',
}
const ASCII: Pen = {
  levels: Array.from(' .:#'),
  limit: '-',
  axis: '|',
  corner: '+',
  floor: '-',
  border: '|',
  foot: '+',
}

/** Whether a terminal or a file shows block characters: by the locale, as locale(7) says, and TERM. */
export const hasBlocks = (env: Readonly<Record<string, string | undefined>>): boolean => {
  const locale =
    [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((value) => value !== undefined && value !== '') ?? ''
  return /utf-?8/i.test(locale) && env['TERM'] !== 'dumb' && env['TERM'] !== 'vt100'
}

/** As many values as there are columns: each the mean of those that fall into it, or the nearest one. */
const resample = (values: readonly number[], columns: number): readonly number[] =>
  Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * values.length) / columns)
    const part = values.slice(from, Math.max(from + 1, Math.floor(((column + 1) * values.length) / columns)))
    return part.length === 0 ? 0 : part.reduce((sum, value) => sum + value, 0) / part.length
  })

/** Columns for each phase, by how long it was; every name gets what it needs as far as there is room. */
const share = (phases: readonly PlotPhase[], columns: number): readonly number[] => {
  const free = columns - (phases.length - 1)
  const total = phases.reduce((sum, { values }) => sum + Math.max(1, values.length), 0)
  const least = Math.max(1, Math.min(18, Math.floor(free / phases.length)))
  const rest = Math.max(0, free - least * phases.length)
  return phases.map(({ values }) => least + Math.floor((rest * Math.max(1, values.length)) / total))
}

/** How a column's cell in a row looks; row 0 is the lowest. */
const cell = (value: number, limit: number | undefined, row: number, scale: number, pen: Pen): string => {
  const steps = pen.levels.length - 1
  const filled = Math.round(value * scale * steps) - row * steps
  // What is not nothing is seen.
  const level = row === 0 && value > 0 ? Math.max(1, filled) : filled
  if (level > 0) return pen.levels[Math.min(level, steps)] ?? ''
  const limitRow = limit === undefined ? undefined : Math.floor(limit * scale)
  return limitRow === row ? pen.limit : ' '
}

/** Phase after phase as bars over time, with an axis and the phases' names below. Lines without newlines. */
export const plot = (phases: readonly PlotPhase[], options: PlotOptions): readonly string[] => {
  const { rows, format, style } = options
  const pen = options.blocks ? BLOCKS : ASCII
  const most = Math.max(...phases.flatMap(({ values, limit }) => [...values, limit ?? 0]), Number.MIN_VALUE)
  const top = format(most)
  const margin = Math.max(displayWidth(top), displayWidth(format(0)))
  const widths = share(phases, Math.max(phases.length * 2, options.columns - margin - 2))
  const scale = rows / most
  const columns = phases.map(({ values }, index) => resample(values, widths[index] ?? 1))
  const lines = Array.from({ length: rows }, (_, index) => {
    const row = rows - 1 - index
    const label = padTo(index === 0 ? top : '', margin, 'right')
    const parts = phases.map(({ limit }, phase) =>
      (columns[phase] ?? []).map((value) => cell(value, limit, row, scale, pen)).join(''),
    )
    return `${style.dim(`${label} ${index === 0 ? pen.axis : pen.border}`)}${parts.join(style.dim(pen.border))}`
  })
  const floor = widths.map((width) => pen.floor.repeat(width)).join(pen.foot)
  const names = phases.map(({ name }, index) => padTo(cutTo(name, widths[index] ?? 1), widths[index] ?? 1)).join(' ')
  return [
    ...lines,
    style.dim(`${padTo(format(0), margin, 'right')} ${pen.corner}${floor}`),
    `${' '.repeat(margin + 2)}${names}`.trimEnd(),
  ]
}
