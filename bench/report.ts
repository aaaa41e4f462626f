import { median, quantile } from './statistics.ts'

/** What a ratio or a count is to be: at most, or at least. */
export type Target = { readonly most: number } | { readonly least: number }

/** One line of the table. */
export interface Row {
  readonly measure: string
  /** With its unit. */
  readonly median?: string
  readonly ratio?: number
  readonly target?: Target
  /** What is held against the target where it isn't the ratio. */
  readonly value?: number
}

/** What a part of the benchmark found. */
export interface PartReport {
  readonly rows: readonly Row[]
  /** What couldn't be measured and why, and what else has to be known. */
  readonly remarks: readonly string[]
}

const met = ({ ratio, value = ratio, target }: Row): boolean | undefined => {
  if (target === undefined || value === undefined) return undefined
  return 'most' in target ? value <= target.most : value >= target.least
}

const targetText = (target: Target | undefined): string => {
  if (target === undefined) return ''
  return 'most' in target ? `<= ${target.most}` : `>= ${target.least}`
}

const okText = (row: Row): string => {
  const is = met(row)
  if (is === undefined) return ''
  return is ? 'yes' : 'NO'
}

const HEAD = ['measure', 'median', 'ratio', 'target', 'ok?'] as const

const cells = (row: Row): readonly string[] => [
  row.measure,
  row.median ?? '',
  row.ratio === undefined ? '' : row.ratio.toFixed(2),
  targetText(row.target),
  okText(row),
]

/** The rows as an aligned table: numbers to the right. */
export const plainTable = (rows: readonly Row[]): string => {
  const lines = [HEAD, ...rows.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const pad = (text: string, column: number): string =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n')
}

export const markdownTable = (rows: readonly Row[]): string => {
  const line = (parts: readonly string[]): string => `| ${parts.join(' | ')} |`
  return [line(HEAD), line(['---', '---:', '---:', '---:', '---']), ...rows.map((row) => line(cells(row)))].join('\n')
}

/** How many targets were missed. */
export const missed = (rows: readonly Row[]): number => rows.filter((row) => met(row) === false).length

/** `5.12 ms (4.80 to 6.01)`: the median, and between which values the middle half lies. */
export const milliseconds = (nanoseconds: readonly number[]): string => {
  const [middle, low, high] = [0.5, 0.25, 0.75].map((share) => (quantile(nanoseconds, share) / 1e6).toFixed(2))
  return `${middle} ms (${low} to ${high})`
}

export const ratioOf = (samples: readonly number[], to: readonly number[]): number => median(samples) / median(to)
