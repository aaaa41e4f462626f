import type { ContainedProcess, FoundContainer } from '../index.ts'
import { formatBytes } from '../index.ts'
import type { Cell, Column } from './table.ts'

/** What a line shows: a process, and the container that it is in. */
export interface Line {
  readonly process: ContainedProcess
  /** Undefined for a process of the host in a tree. */
  readonly container: FoundContainer | undefined
}

export interface PsColumn extends Column {
  /** What it is called on the command line. */
  readonly name: string
  /** What it shows, for the help. */
  readonly meaning: string
  readonly cell: (line: Line) => string
  /** In which order `--sort` puts two lines; without one it doesn't sort by it. */
  readonly compare?: (a: Line, b: Line) => number
}

/** Short enough for a column, long enough to be told apart. */
const SHORT_ID = 12

/** How a person would call a container. */
export const labelOf = ({ kind, name, id, leader }: FoundContainer): string =>
  kind === 'host' ? 'host' : (name ?? id?.slice(0, SHORT_ID) ?? `pid ${leader}`)

/** Between what is outside and what is inside. */
const ARROW = ' → '

const userText = ({ uid, user, uidInside }: ContainedProcess): string => {
  const outside = user ?? String(uid)
  if (uidInside === uid) return outside
  return `${outside}${ARROW}${uidInside ?? '?'}`
}

const two = (value: number): string => String(value).padStart(2, '0')

/** Processor time: `0:00.02`, `1:02:03`. */
export const timeText = (microseconds: number): string => {
  const hundredths = Math.floor(microseconds / 10_000)
  const seconds = Math.floor(hundredths / 100)
  const minutes = Math.floor(seconds / 60)
  if (minutes >= 60) return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
  return `${minutes}:${two(seconds % 60)}.${two(hundredths % 100)}`
}

/** How long something has been there, by its two largest units: `4s`, `2m13s`, `5h02m`, `12d07h`. */
export const ageText = (milliseconds: number): string => {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m${two(seconds % 60)}s`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}h${two(minutes % 60)}m`
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`
}

/** Its arguments; a process without any in brackets, as ps(1) does. */
export const commandText = ({ commandLine, name }: ContainedProcess): string =>
  commandLine.length === 0 ? `[${name}]` : commandLine.join(' ').trimEnd()

const number = (value: (process: ContainedProcess) => number): Required<Pick<PsColumn, 'compare' | 'align'>> => ({
  align: 'right',
  compare: (a, b) => value(b.process) - value(a.process),
})

const text = (cell: (line: Line) => string): Required<Pick<PsColumn, 'compare' | 'cell'>> => ({
  cell,
  compare: (a, b) => {
    const [left, right] = [cell(a), cell(b)]
    return left < right ? -1 : left > right ? 1 : 0
  },
})

/** All columns, in the order in which the help lists them. */
export const PS_COLUMNS: readonly PsColumn[] = [
  {
    name: 'pid',
    title: 'PID',
    meaning: 'its ids, from the host inwards',
    cell: ({ process }) => process.pids.join(ARROW),
    compare: (a, b) => a.process.pid - b.process.pid,
  },
  {
    name: 'ppid',
    title: 'PPID',
    align: 'right',
    meaning: "the parent's id on the host",
    cell: ({ process }) => String(process.ppid),
  },
  {
    name: 'user',
    title: 'USER',
    meaning: 'its user on the host, and inside where that is another one',
    ...text(({ process }) => userText(process)),
  },
  {
    name: 'cpu',
    title: '%CPU',
    meaning: 'share of one processor since its start',
    cell: ({ process }) => process.cpuPercent.toFixed(1),
    ...number(({ cpuPercent }) => cpuPercent),
  },
  {
    name: 'time',
    title: 'TIME',
    meaning: 'processor time',
    cell: ({ process }) => timeText(process.cpuTime),
    ...number(({ cpuTime }) => cpuTime),
  },
  {
    name: 'memory',
    title: 'MEMORY',
    meaning: 'memory in use (RSS)',
    cell: ({ process: { memory } }) => (memory === undefined ? '' : formatBytes(memory)),
    ...number(({ memory }) => memory ?? 0),
  },
  {
    name: 'age',
    title: 'AGE',
    meaning: 'time since its start',
    cell: ({ process }) => ageText(process.age),
    ...number(({ age }) => age),
  },
  {
    name: 'started',
    title: 'STARTED',
    meaning: 'when it started',
    cell: ({ process }) => process.startTime.toISOString().slice(0, 19).replace('T', ' '),
  },
  {
    name: 'state',
    title: 'S',
    meaning: 'a letter: R running, S sleeping, D waiting, T stopped, Z ended',
    cell: ({ process }) => process.state,
  },
  {
    name: 'threads',
    title: 'THREADS',
    meaning: 'how many threads it has',
    cell: ({ process }) => String(process.threads),
    ...number(({ threads }) => threads),
  },
  { name: 'cgroup', title: 'CGROUP', meaning: 'its control group', ...text(({ process }) => process.cgroup ?? '') },
  {
    name: 'container',
    title: 'CONTAINER',
    meaning: 'what the container is called',
    ...text(({ container }) => (container === undefined ? '' : labelOf(container))),
  },
  {
    name: 'maker',
    title: 'MADE BY',
    meaning: 'who made the container, as far as can be known',
    ...text(({ container }) => container?.madeBy ?? ''),
  },
  {
    name: 'namespaces',
    title: 'NAMESPACES',
    meaning: "which of the container's namespaces aren't the host's",
    cell: ({ container }) => (container === undefined ? '' : container.namespaces.map(({ kind }) => kind).join(' ')),
  },
  { name: 'name', title: 'NAME', meaning: 'what it calls itself', ...text(({ process }) => process.name) },
  { name: 'command', title: 'COMMAND', meaning: 'its arguments', ...text(({ process }) => commandText(process)) },
]

export const DEFAULT_COLUMNS = 'pid,user,cpu,time,memory,age,command'

/** What stands before a tree by default. */
export const TREE_COLUMNS = 'pid,user,cpu,memory,container'

export const rowOf = (line: Line, columns: readonly PsColumn[]): readonly Cell[] =>
  columns.map(({ cell }) => cell(line))
