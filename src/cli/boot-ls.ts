import type { MachineInfo } from '../index.ts'
import { formatBytes, formatDuration, machines } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import type { Cell, Column } from './table.ts'
import { formatTable } from './table.ts'
import type { Style } from './terminal.ts'

const COLUMNS: readonly Column[] = [
  { title: 'NAME' },
  { title: 'STATE' },
  { title: 'PID', align: 'right' },
  { title: 'INIT' },
  { title: 'UPTIME', align: 'right' },
  { title: 'MEMORY', align: 'right' },
  { title: 'TASKS', align: 'right' },
  { title: 'ADDRESS' },
  { title: 'DIRECTORY' },
]

const wholeSeconds = (milliseconds: number): string => formatDuration(Math.floor(milliseconds / 1000) * 1000)

const row = (machine: MachineInfo, style: Style): readonly Cell[] => {
  const { name, state, background, pid, init, uptime, memory, tasks, addresses, directory } = machine
  return [
    name,
    { text: background ? state : `${state}, attended`, style: state === 'running' ? style.green : style.yellow },
    pid === undefined ? '-' : String(pid),
    init ?? '-',
    wholeSeconds(uptime),
    memory === undefined ? '-' : formatBytes(memory),
    String(tasks),
    addresses.length === 0 ? '-' : addresses.join(' '),
    directory,
  ]
}

export const bootLs: Command = command({
  description:
    'Lists the machines of this user that are running: those booted in the background, and those that a "tare boot" attends to on a terminal. STATE is booting, running or stopping: systemd itself says when all is up, another init is running as soon as it was started. PID is that of its init on this host. MEMORY is what its control group counts, else what its processes have, with shared pages in parts.\n\n' +
    'What is left of machines whose tare was killed is removed on the way.',
  options: [
    { long: 'quiet', short: 'q', description: 'Prints the names only.' },
    {
      long: 'json',
      description:
        'Prints JSON: a list of { name, directory, state, background, pid, init, uptime, boots, memory, tasks, addresses }. uptime is in milliseconds, memory in bytes.',
    },
  ],
  operands: [],
  examples: [
    { description: 'all machines', command: 'tare boot ls' },
    { description: 'switch all of them off', command: 'tare boot ls -q | xargs -rn1 tare poweroff' },
    {
      description: 'those that take more than a gigabyte',
      command: `tare boot ls --json | jq -r '.[] | select(.memory > 1e9).name'`,
    },
  ],
  run: async ({ options, terminal }) => {
    const found = await machines()
    if (options.json === true) terminal.print(jsonText(found))
    else if (options.quiet === true) terminal.print(found.map(({ name }) => `${name}\n`).join(''))
    else
      terminal.print(
        formatTable(
          found.map((machine) => row(machine, terminal.style)),
          COLUMNS,
          terminal.lineWidth,
        ),
      )
    return 0
  },
})
