import type { CgroupSample, CgroupUsage } from '../linux/index.ts'
import { formatBytes } from '../index.ts'
import type { Style } from './terminal.ts'
import { cutTo, displayWidth, padTo, printable } from './text.ts'

/** By what the groups below the same one are put in order. */
export const SORT_KEYS = ['cpu', 'memory', 'io', 'pids', 'pressure', 'name'] as const
export type SortKey = (typeof SORT_KEYS)[number]

interface Shown {
  readonly text: string
  /** Worth a look: near a limit, held back, waiting. */
  readonly hot?: boolean
}

interface TopColumn {
  readonly title: string
  readonly part: SortKey
  readonly width: number
  /** Those with the highest are left out first where the screen is narrow. */
  readonly dispensable: number
  readonly show: (usage: CgroupUsage) => Shown
}

const NOTHING: Shown = { text: '-' }

const percent = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(1))

/** Binary units, to a few digits: `12.5MiB`. */
const bytes = (value: number | undefined): string => (value === undefined ? '-' : formatBytes(Math.round(value)))

const count = (value: number | undefined): string => (value === undefined ? '-' : String(Math.round(value)))

const NEARLY_FULL = 0.9
const MUCH_WAITING = 10

const pressureColumn = (resource: 'cpu' | 'memory' | 'io', title: string): TopColumn => ({
  title,
  part: 'pressure',
  width: 7,
  dispensable: 1,
  show: ({ pressure }) => {
    const { some, full } = pressure?.[resource] ?? {}
    if (some === undefined) return NOTHING
    return { text: `${count(some)}/${count(full)}`, hot: some >= MUCH_WAITING }
  },
})

const COLUMNS: readonly TopColumn[] = [
  { title: 'CPU%', part: 'cpu', width: 6, dispensable: 0, show: ({ cpu }) => ({ text: percent(cpu?.percent) }) },
  {
    title: 'HELD%',
    part: 'cpu',
    width: 5,
    dispensable: 3,
    show: ({ cpu }) => ({ text: count(cpu?.throttledPercent), hot: (cpu?.throttledPercent ?? 0) > 0 }),
  },
  {
    title: 'MEMORY',
    part: 'memory',
    width: 8,
    dispensable: 0,
    show: ({ memory }) => ({ text: bytes(memory?.current) }),
  },
  {
    title: 'LIMIT',
    part: 'memory',
    width: 8,
    dispensable: 2,
    show: ({ memory }) => ({
      text: bytes(memory?.max),
      hot: memory?.max !== undefined && memory.current >= NEARLY_FULL * memory.max,
    }),
  },
  { title: 'READ/S', part: 'io', width: 8, dispensable: 1, show: ({ io }) => ({ text: bytes(io?.readBytes) }) },
  { title: 'WRITE/S', part: 'io', width: 8, dispensable: 1, show: ({ io }) => ({ text: bytes(io?.writeBytes) }) },
  {
    title: 'OPS/S',
    part: 'io',
    width: 6,
    dispensable: 4,
    show: ({ io }) => ({
      text: io?.readOps === undefined || io.writeOps === undefined ? '-' : count(io.readOps + io.writeOps),
    }),
  },
  {
    title: 'PIDS',
    part: 'pids',
    width: 9,
    dispensable: 0,
    show: ({ pids }) => {
      if (pids === undefined) return NOTHING
      const text = pids.max === undefined ? String(pids.current) : `${pids.current}/${pids.max}`
      return { text, hot: pids.max !== undefined && pids.current >= NEARLY_FULL * pids.max }
    },
  },
  pressureColumn('cpu', 'PSI-CPU'),
  pressureColumn('memory', 'PSI-MEM'),
  pressureColumn('io', 'PSI-IO'),
]

const GAP = '  '
const NAME_TITLE = 'GROUP'
/** Names get at least this many cells before columns are left out. */
const NAME_WIDTH = 24

const value = (usage: CgroupUsage, key: SortKey): number => {
  const { cpu, memory, io, pids, pressure } = usage
  switch (key) {
    case 'cpu':
      return cpu?.percent ?? -1
    case 'memory':
      return memory?.current ?? -1
    case 'io':
      return (io?.readBytes ?? -1) + (io?.writeBytes ?? 0)
    case 'pids':
      return pids?.current ?? -1
    case 'pressure':
      return Math.max(-1, ...Object.values(pressure ?? {}).map(({ some }) => some))
    case 'name':
      return 0
  }
}

/** The groups of a sample in a tree's order: each before those below it, these with the greatest first. */
const sortUsages = (groups: readonly CgroupUsage[], key: SortKey): readonly CgroupUsage[] => {
  const children = new Map<CgroupUsage, CgroupUsage[]>()
  const above: CgroupUsage[] = []
  const tops: CgroupUsage[] = []
  for (const group of groups) {
    const parent = above[group.level - 1]
    above[group.level] = group
    above.length = group.level + 1
    if (parent === undefined) {
      tops.push(group)
      continue
    }
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [group])
    else siblings.push(group)
  }
  const flatten = (siblings: readonly CgroupUsage[]): readonly CgroupUsage[] =>
    siblings
      .toSorted((a, b) => value(b, key) - value(a, key) || (a.name < b.name ? -1 : 1))
      .flatMap((group) => [group, ...flatten(children.get(group) ?? [])])
  return flatten(tops)
}

export interface TopTable {
  /** What is known of the groups; columns of other parts are left out. */
  readonly parts: readonly string[]
  readonly sort: SortKey
  /** Cells that a line may take; without it all columns are shown, and names in full. */
  readonly columns?: number | undefined
  readonly style: Style
}

const widthOf = (columns: readonly TopColumn[]): number =>
  columns.reduce((sum, { width }) => sum + GAP.length + width, 0)

/** Leaves columns out, from those that matter least, until names have room. */
const fitting = (columns: readonly TopColumn[], width: number | undefined): readonly TopColumn[] => {
  if (width === undefined || widthOf(columns) + NAME_WIDTH <= width) return columns
  const least = Math.max(...columns.map(({ dispensable }) => dispensable))
  return least === 0
    ? columns
    : fitting(
        columns.filter(({ dispensable }) => dispensable !== least),
        width,
      )
}

/** The name as a tree has it: what distinguishes it from the group above, further to the right. */
const treeName = ({ name, level, collapsed }: CgroupUsage): string => {
  const own = level === 0 ? name : name.slice(name.lastIndexOf('/') + 1)
  return `${'  '.repeat(level)}${printable(own)}${collapsed ? ' +' : ''}`
}

/** A sample as lines: the titles, then a line for each group, as a tree. */
export const topLines = (
  { groups }: Pick<CgroupSample, 'groups'>,
  { parts, sort, columns: width, style }: TopTable,
): readonly string[] => {
  const columns = fitting(
    COLUMNS.filter(({ part }) => parts.includes(part)),
    width,
  )
  const names = sortUsages(groups, sort).map((usage) => ({ usage, name: treeName(usage) }))
  const longest = Math.max(NAME_TITLE.length, ...names.map(({ name }) => displayWidth(name)))
  const nameWidth = width === undefined ? longest : Math.max(1, width - widthOf(columns))
  const heading = columns.map(({ title, width: cells }) => padTo(title, cells, 'right'))
  const titles = style.bold([padTo(NAME_TITLE, nameWidth), ...heading].join(GAP))
  const rows = names.map(({ usage, name }) => {
    const cells = columns.map((column) => {
      const { text, hot } = column.show(usage)
      const padded = padTo(text, column.width, 'right')
      return hot === true ? style.yellow(padded) : text === '-' ? style.dim(padded) : padded
    })
    return [padTo(cutTo(name, nameWidth), nameWidth), ...cells].join(GAP)
  })
  return [titles, ...rows]
}
