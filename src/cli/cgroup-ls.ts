import type { CgroupEntry } from '../index.ts'
import { formatBytes, listCgroups } from '../index.ts'
import { TareError, readCommandLine, readProcessStat } from '../linux/index.ts'
import { GROUP_NAMES } from './cgroup-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import type { Cell, Column } from './table.ts'
import { formatTable } from './table.ts'
import type { Style } from './terminal.ts'
import { cutTo, printable } from './text.ts'

const COLUMNS: readonly Column[] = [
  { title: 'GROUP' },
  { title: 'PROCESSES', align: 'right' },
  { title: 'CPU', align: 'right' },
  { title: 'MEMORY', align: 'right' },
  { title: 'PIDS', align: 'right' },
  { title: 'LIMITS' },
]

const seconds = (microseconds: number | undefined): string =>
  microseconds === undefined ? '' : `${(microseconds / 1e6).toFixed(1)}s`

/** The name of a group as the tree shows it: its last part behind the lines that lead to it. */
const treeNames = (entries: readonly CgroupEntry[]): readonly string[] => {
  const parts = entries.map(({ name }) => (name === '/' ? [] : name.slice(1).split('/')))
  const base = parts[0]?.length ?? 0
  /** Whether a sibling follows the group's ancestor at a depth. */
  const goesOn = (index: number, depth: number): boolean => {
    const own = parts[index] ?? []
    const later = parts.slice(index + 1).find((other) => other.length <= depth || other[depth - 1] !== own[depth - 1])
    return (
      later !== undefined && later.length >= depth && own.slice(0, depth - 1).every((part, at) => later[at] === part)
    )
  }
  return entries.map(({ name }, index) => {
    const depth = parts[index]?.length ?? 0
    if (depth <= base) return name
    const stems = Array.from({ length: depth - base - 1 }, (_, at) => (goesOn(index, base + at + 1) ? '│  ' : '   '))
    return `${stems.join('')}${goesOn(index, depth) ? '├─ ' : '└─ '}${parts[index]?.at(-1) ?? ''}`
  })
}

const row = (entry: CgroupEntry, name: string, style: Style): readonly Cell[] => {
  const { processes, frozen, limits, stats } = entry
  const { cpu, memory, pids } = stats
  const words = [
    ...(frozen ? ['frozen'] : []),
    ...limits.map(({ key, value }) => `${key}=${value.includes(' ') ? `'${value}'` : value}`),
  ]
  return [
    processes.length > 0 ? name : { text: name, style: style.dim },
    processes.length === 0 ? '' : String(processes.length),
    seconds(cpu?.usage),
    memory === undefined ? '' : formatBytes(memory.current),
    pids === undefined ? '' : String(pids.current),
    words.join(' '),
  ]
}

/** What a process was started as; undefined for one that has ended meanwhile. */
const commandOf = (pid: number): string | undefined => {
  try {
    const words = readCommandLine(pid)
    return words.length > 0 ? words.join(' ') : `[${readProcessStat(pid).comm}]`
  } catch (error) {
    if (error instanceof TareError && (error.code === 'ENOENT' || error.code === 'ESRCH')) return undefined
    throw error
  }
}

/** A line for each process, under its group. They stand in the first column only: the others are the group's. */
const processRows = (pids: readonly number[], room: number): readonly (readonly Cell[])[] =>
  pids.flatMap((pid) => {
    const words = commandOf(pid)
    return words === undefined ? [] : [[cutTo(`  ${pid} ${printable(words)}`, room)]]
  })

/** The widest that a command is shown, in cells. */
const COMMAND_WIDTH = 60

export const cgroupLs: Command = command({
  description:
    'Lists a control group and all below it, by default all of them: how many processes are in the group itself, the processor time and memory it has used with all below it, how many processes and threads that are, and which limits are set, in the form in which "tare cgroup set" takes them.\n\n' +
    `Groups of cgroup version 1 that have the same name in several hierarchies are one line. ${GROUP_NAMES}`,
  options: [
    { long: 'tree', short: 't', description: 'Draws which group is below which.' },
    {
      long: 'processes',
      short: 'p',
      description: 'Shows the processes of each group, with what they were started as.',
    },
    { long: 'busy', short: 'b', description: 'Shows only groups with processes in them.' },
    {
      long: 'json',
      description:
        'Prints JSON: a list of { name, directories, processes, limits, frozen, stats }. Times are in microseconds, sizes in bytes.',
    },
  ],
  operands: [{ name: 'GROUP', optional: true }],
  examples: [
    { description: 'all groups, as a tree', command: 'tare cgroup ls --tree' },
    { description: 'who is where', command: 'tare cgroup ls --tree --busy --processes' },
    { description: 'the groups below one that have processes', command: 'tare cgroup ls --busy /system.slice' },
    {
      description: 'the groups that have limits',
      command: `tare cgroup ls --json | jq -r '.[] | select(.limits != []).name'`,
    },
  ],
  run: async ({ options, operands, terminal }) => {
    const all = listCgroups(operands[0])
    const entries = options.busy === true ? all.filter(({ processes }) => processes.length > 0) : all
    if (options.json === true) {
      terminal.print(jsonText(entries))
      return 0
    }
    const names = options.tree === true ? treeNames(entries) : entries.map(({ name }) => name)
    const rows = entries.flatMap((entry, index) => [
      row(entry, names[index] ?? '', terminal.style),
      ...(options.processes === true ? processRows(entry.processes, COMMAND_WIDTH) : []),
    ])
    terminal.print(formatTable(rows, COLUMNS, terminal.lineWidth))
    return 0
  },
})
