import type { CgroupSample } from '../linux/index.ts'
import { CGROUP_PARTS, cgroupSamples } from '../linux/index.ts'
import type { SortKey } from './cgroup-top-table.ts'
import { topLines } from './cgroup-top-table.ts'
import type { TopOptions } from './cgroup-top-options.ts'
import { Screen } from './screen.ts'
import type { Terminal } from './terminal.ts'
import { cutTo, padTo, printable } from './text.ts'

const SORTS: Readonly<Record<string, SortKey>> = {
  c: 'cpu',
  m: 'memory',
  i: 'io',
  p: 'pids',
  s: 'pressure',
  n: 'name',
}

/** How far a key moves, in lines, or in screens. */
const MOVES: Readonly<Record<string, { readonly lines?: number; readonly screens?: number }>> = {
  '\x1b[A': { lines: -1 },
  '\x1b[B': { lines: 1 },
  k: { lines: -1 },
  j: { lines: 1 },
  '\x1b[5~': { screens: -1 },
  '\x1b[6~': { screens: 1 },
}

/** What the person has chosen since. */
interface View {
  sort: SortKey
  depth: number
  offset: number
}

const STATUS_LINES = 2

/** The sample as a screen: a line about what is shown, the titles, then as many groups as there is room for. */
const frame = (sample: CgroupSample, view: View, options: TopOptions, terminal: Terminal, size: Screen['size']) => {
  const { style } = terminal
  const groups = sample.groups.filter(({ level }) => level <= view.depth)
  const shown = { groups: groups.map((group) => (group.level < view.depth ? group : hidden(group, sample))) }
  const [titles = '', ...rows] = topLines(shown, {
    parts: options.parts ?? CGROUP_PARTS,
    sort: view.sort,
    columns: size.columns,
    style,
  })
  const room = Math.max(1, size.rows - STATUS_LINES)
  view.offset = Math.max(0, Math.min(view.offset, rows.length - room))
  const visible = rows.slice(view.offset, view.offset + room)
  const clock = new Date(sample.time).toTimeString().slice(0, 8)
  const left = rows.length - view.offset - visible.length
  const more = left > 0 ? `, ${left} more below` : ''
  const text = `${clock}  ${printable(options.group)}  by ${view.sort}, depth ${view.depth}${more}   q: leave  c m i p s n: sort  + -: depth`
  return [style.dim(padTo(cutTo(text, size.columns), size.columns)), titles, ...visible]
}

/** A group whose children are not shown just now. */
const hidden = (group: CgroupSample['groups'][number], { groups }: CgroupSample): CgroupSample['groups'][number] => {
  const next = groups[groups.indexOf(group) + 1]
  return { ...group, collapsed: group.collapsed || (next !== undefined && next.level > group.level) }
}

/** The live table. Resolves with the exit status when the person leaves, or after so many samples. */
export const showTop = async (options: TopOptions, terminal: Terminal): Promise<number> => {
  const view: View = { sort: options.sort, depth: options.depth, offset: 0 }
  const controller = new AbortController()
  let status = 0
  let last: CgroupSample | undefined
  const draw = (): void => {
    if (last !== undefined) screen.draw(frame(last, view, options, terminal, screen.size))
  }
  const onKey = (key: string): void => {
    const sort = SORTS[key]
    if (sort !== undefined && (sort === 'name' || (options.parts ?? CGROUP_PARTS).includes(sort))) view.sort = sort
    if (key === '+' || key === '=') view.depth += 1
    if (key === '-') view.depth = Math.max(0, view.depth - 1)
    const { lines = 0, screens = 0 } = MOVES[key] ?? {}
    view.offset += lines + screens * (screen.size.rows - STATUS_LINES)
    draw()
  }
  const onLeave = (leaving: number): void => {
    status = leaving
    controller.abort()
  }
  const samples = cgroupSamples({ ...options, depth: () => view.depth, signal: controller.signal })
  // A group that isn't there is said before the screen is taken.
  const first = await samples.next()
  const screen = new Screen(terminal, { onKey, onRedraw: draw, onLeave })
  screen.open()
  try {
    let shown = 0
    for (let next = first; next.done !== true; next = await samples.next()) {
      last = next.value
      draw()
      if (shown === options.count) break
      shown += 1
    }
    return status
  } finally {
    await samples.return()
    screen.close()
  }
}
