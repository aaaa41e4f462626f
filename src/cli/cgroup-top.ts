import type { CgroupSample } from '../linux/index.ts'
import { CGROUP_PARTS, cgroupSamples } from '../linux/index.ts'
import { SORT_KEYS, topLines } from './cgroup-top-table.ts'
import { showTop } from './cgroup-top-screen.ts'
import type { TopOptions } from './cgroup-top-options.ts'
import { DEFAULT_DEPTH, toTopOptions } from './cgroup-top-options.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { nullable } from './json.ts'
import type { Terminal } from './terminal.ts'
import { untilSignal } from './until-signal.ts'

/** Sample after sample below each other, for files and programs. */
const printTop = async (options: TopOptions, json: boolean, terminal: Terminal): Promise<number> => {
  const { sort, parts, count } = options
  const { signal, status, release } = untilSignal()
  const print = (sample: CgroupSample, index: number): void => {
    if (json) return terminal.print(`${JSON.stringify(sample, nullable)}\n`)
    const lines = topLines(sample, { parts: parts ?? CGROUP_PARTS, sort, style: terminal.style })
    terminal.print(`${index === 0 ? '' : '\n'}${new Date(sample.time).toISOString()}\n${lines.join('\n')}\n`)
  }
  try {
    let shown = -1
    for await (const sample of cgroupSamples({ ...options, signal })) {
      // The first one has no rates.
      if (shown >= 0) print(sample, shown)
      shown += 1
      if (shown === count) break
    }
    return status()
  } finally {
    release()
  }
}

export const cgroupTop: Command = command({
  description:
    'Shows what groups use, as a table that is drawn anew every few seconds: processor time, memory, block I/O, ' +
    'processes, and how long processes waited for one of these. What a group uses includes what the groups below it use.\n\n' +
    'CPU% is of one processor. HELD% is how many periods of its quota a group was held back in. LIMIT is that of memory. ' +
    'READ/S, WRITE/S and OPS/S are of all block devices together. PIDS are processes and threads, and how many there may be. ' +
    'PSI-CPU, PSI-MEM and PSI-IO are the percents of the last ten seconds that some processes, and that all of them, ' +
    'waited for it; the kernel keeps these for groups of version 2. "+" behind a group: there are more below it, see --depth.\n\n' +
    'Keys: q leaves; c, m, i, p, s, n sort by cpu, memory, I/O, processes, pressure (stalls), name; + and - show a level ' +
    'more or less; the arrows and page keys move.\n\n' +
    'Where standard output is no terminal it prints one table after the other.',
  options: [
    {
      long: 'group',
      short: 'g',
      argument: 'GROUP',
      description: 'Shows this group and those below it; by default all.',
    },
    { long: 'depth', argument: 'N', description: `Shows this many levels below it, by default ${DEFAULT_DEPTH}.` },
    { long: 'delay', short: 'd', argument: 'SECONDS', description: 'Waits this long between samples, by default 2.' },
    { long: 'iterations', short: 'n', argument: 'N', description: 'Ends after so many samples.' },
    {
      long: 'sort',
      short: 's',
      argument: 'KEY',
      choices: SORT_KEYS,
      description: 'Puts groups in this order, the greatest first; by default cpu.',
    },
    {
      long: 'show',
      argument: 'LIST',
      description: `Reads and shows only these: ${CGROUP_PARTS.join(', ')}, with commas between them.`,
    },
    { long: 'batch', short: 'b', description: 'Prints one table after the other, also on a terminal.' },
    { long: 'json', description: 'Prints JSON, a line for each sample: { time, interval, groups }.' },
  ],
  operands: [],
  examples: [
    { description: 'all groups', command: 'tare cgroup top' },
    { description: 'who uses the disk, below one group', command: 'tare cgroup top --group=/system.slice --sort=io' },
    {
      description: 'the memory of each group, once',
      command: `tare cgroup top -n1 --show=memory --json | jq '.groups[] | [.name, .memory.current]'`,
    },
  ],
  exitStatus: [['128+N', 'Signal N ended it (130: ^C).']],
  run: async ({ options, terminal }) => {
    const asked = toTopOptions(options)
    const live = terminal.interactive && options.batch !== true && options.json !== true
    return live ? showTop(asked, terminal) : printTop(asked, options.json === true, terminal)
  },
})
