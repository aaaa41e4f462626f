import type { CgroupEvent, CgroupPressureTrigger } from '../linux/index.ts'
import { cgroupEvents } from '../linux/index.ts'
import { parseBytes, TareError } from '../index.ts'
import { eventLine, missingLines } from './cgroup-watch-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { nullable } from './json.ts'
import type { Terminal } from './terminal.ts'
import { untilSignal } from './until-signal.ts'
import { wrongValue } from './wrong-value.ts'

/** Microseconds: a window that every user may set (psi.rst). */
const WINDOW = 2_000_000
const PRESSURE_HINT = 'Write memory, memory:full, memory:some:25 (percent), or none.'

/** `memory:full:25`: who waits for what, and for how much of the time. */
const triggerOf = (text: string): CgroupPressureTrigger => {
  const match = /^(cpu|memory|io)(?::(some|full))?(?::(\d+(?:\.\d+)?))?$/.exec(text)
  const resource = match?.[1]
  const percent = Number(match?.[3] ?? 20)
  if ((resource !== 'cpu' && resource !== 'memory' && resource !== 'io') || !(percent > 0 && percent <= 100))
    throw wrongValue('pressure', text, 'it is no pressure that can be watched', PRESSURE_HINT)
  const kind = match?.[2] === 'full' ? 'full' : 'some'
  return { resource, kind, stall: Math.round((percent * WINDOW) / 100), window: WINDOW }
}

const triggersOf = (words: readonly string[]): readonly CgroupPressureTrigger[] | undefined => {
  if (words.length === 0) return undefined
  if (!words.includes('none')) return words.map(triggerOf)
  if (words.length === 1) return []
  throw wrongValue('pressure', 'none', 'another is asked for as well', 'Leave one out.')
}

const countOf = (text: string | undefined): number => {
  if (text === undefined) return Infinity
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text)
  throw wrongValue('count', text, 'it is not a whole number from 1 up')
}

/** Says what is missing; pressure that was asked for by name must not be. */
const tellMissing = (
  event: Extract<CgroupEvent, { readonly kind: 'watching' }>,
  group: string,
  asked: boolean,
  terminal: Terminal,
): void => {
  const lack = asked ? event.missing.find(({ source }) => source === 'pressure') : undefined
  if (lack !== undefined)
    throw new TareError({ operation: 'watch the pressure of cgroup', target: group, reason: lack.reason })
  for (const line of missingLines(event)) terminal.warn(line)
}

export const cgroupWatch: Command = command({
  description:
    'Prints what happens to a control group as it happens, until the group is removed: memory that reaches a limit, is ' +
    'hard to reclaim or runs out, and which process the kernel killed for it; forks that pids.max refused; that the group ' +
    'became empty or has processes again; that it was frozen or thawed; that processes wait for cpu, memory or I/O for ' +
    'longer than a share of the time, and no longer do.\n\n' +
    'On version 2 the kernel tells all of that. On version 1 it tells when memory runs out, is hard to reclaim (low, ' +
    'medium, critical) or crosses a threshold; the rest is looked at once a second. Pressure is kept for groups that are ' +
    'in the hierarchy of version 2, also in a hybrid. Who was killed stands in the log of the kernel, which takes a privilege to read.',
  options: [
    {
      long: 'pressure',
      argument: 'RESOURCE[:some|full][:PERCENT]',
      repeatable: true,
      description:
        'Tells when some processes, or all (full), wait for cpu, memory or io for this share of two seconds; by default each of the three, some, 20. "none" tells nothing of it.',
    },
    {
      long: 'threshold',
      argument: 'SIZE',
      repeatable: true,
      description: 'Tells when memory in use becomes more or less than that. Version 1 only.',
    },
    { long: 'count', short: 'n', argument: 'N', description: 'Ends after so many events.' },
    { long: 'json', description: 'Prints JSON, a line for each event: { time, kind, … }.' },
  ],
  operands: [{ name: 'GROUP' }],
  examples: [
    { description: 'what happens to a group', command: 'tare cgroup watch /shop/web' },
    {
      description: 'the names of those that the kernel kills',
      command: `tare cgroup watch --json / | jq -r 'select(.kind == "killed").name'`,
    },
    {
      description: 'the next thing that happens, but for pressure',
      command: 'tare cgroup watch -n1 --pressure=none /web',
    },
  ],
  exitStatus: [
    ['0', 'The group was removed, or --count is reached.'],
    ['128+N', 'Signal N ended it (130: ^C).'],
  ],
  run: async ({ options, operands: [group = ''], terminal }) => {
    const pressure = triggersOf(options.pressure)
    const thresholds = options.threshold.map((size) => parseBytes(size, '--threshold'))
    const { signal, status, release } = untilSignal()
    try {
      let left = countOf(options.count)
      for await (const event of cgroupEvents(group, { pressure, thresholds, signal })) {
        if (event.kind === 'watching') tellMissing(event, group, options.pressure.length > 0, terminal)
        else left -= 1
        const line = options.json === true ? JSON.stringify(event, nullable) : eventLine(event, group, terminal.style)
        terminal.print(`${line}\n`)
        if (left === 0) break
      }
      return status()
    } finally {
      release()
    }
  },
})
