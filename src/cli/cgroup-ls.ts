import type { CgroupEntry } from '../index.ts'
import { formatBytes, listCgroups } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import type { Cell, Column } from './table.ts'
import { formatTable } from './table.ts'

const COLUMNS: readonly Column[] = [
  { title: 'GROUP' },
  { title: 'PROCESSES', align: 'right' },
  { title: 'CPU', align: 'right' },
  { title: 'MEMORY', align: 'right' },
  { title: 'PIDS', align: 'right' },
]

const seconds = (microseconds: number | undefined): string =>
  microseconds === undefined ? '' : `${(microseconds / 1e6).toFixed(1)}s`

const row = ({ name, processes, stats: { cpu, memory, pids } }: CgroupEntry): readonly Cell[] => [
  name,
  String(processes.length),
  seconds(cpu?.usage),
  memory === undefined ? '' : formatBytes(memory.current),
  pids === undefined ? '' : String(pids.current),
]

export const cgroupLs: Command = command({
  description:
    'Lists a control group and all below it, by default all of them: how many processes are in it, and what it uses.',
  options: [{ long: 'json', description: 'Prints JSON: a list of { name, directories, processes, stats }.' }],
  operands: [{ name: 'GROUP', optional: true }],
  examples: [{ description: 'all groups', command: 'tare cgroup ls' }],
  run: async ({ options, operands, terminal }) => {
    const entries = listCgroups(operands[0])
    if (options.json === true) terminal.print(`${JSON.stringify(entries, undefined, 2)}\n`)
    else terminal.print(formatTable(entries.map(row), COLUMNS))
    return 0
  },
})
