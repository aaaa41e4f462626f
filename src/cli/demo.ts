import { readFileSync } from 'node:fs'
import type { Result, RunOptions } from '../index.ts'
import { InputError, TareError, run } from '../index.ts'
import { CAPABILITIES } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import type { Facts } from './demo-facts.ts'
import { FACTS_SCRIPT, ownSections, parseFacts, parseSections } from './demo-facts.ts'
import type { Cell } from './table.ts'
import { formatTable } from './table.ts'
import type { Style, Terminal } from './terminal.ts'
import { displayWidth, wrap } from './text.ts'

const LIMITS = { memory: '64m', pids: 32 } as const
const TIMEOUT = '10s'
const ROUNDS = 10
const WIDEST = 100
const GAPS = 6

/** A line of the table, before it is wrapped. */
interface Row {
  readonly what: string
  readonly host: string
  readonly container: string
}

const idText = (id: number, outside: number | undefined): string =>
  outside === undefined || outside === id ? String(id) : `${id}, which is ${outside} outside`

const capabilityText = (names: readonly string[]): string => {
  if (names.length === 0) return 'none'
  if (names.length > CAPABILITIES.length / 2) return `${names.length} of ${CAPABILITIES.length}`
  return `${names.length}: ${names.map((name) => name.replace(/^CAP_/, '').toLowerCase()).join(' ')}`
}

const SHOWN_MOUNTS = 6

const mountText = (mounts: readonly string[]): string => {
  const more = mounts.length > SHOWN_MOUNTS ? ' …' : ''
  return `${mounts.length}: ${mounts.slice(0, SHOWN_MOUNTS).join(' ')}${more}`
}

const yes = (value: boolean): string => (value ? 'yes' : 'no')

const hostMemory = (): string => {
  const kib = Number(/^MemTotal:\s*(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'ascii'))?.[1] ?? 0)
  return `${(kib / 2 ** 20).toFixed(1)} GiB`
}

const hostProcesses = (): string => readFileSync('/proc/sys/kernel/pid_max', 'ascii').trim()

const limitRows = (limited: boolean): readonly Row[] => [
  { what: 'memory, at most', host: hostMemory(), container: limited ? '64 MiB' : hostMemory() },
  { what: 'processes, at most', host: hostProcesses(), container: limited ? String(LIMITS.pids) : hostProcesses() },
]

const rowsOf = (host: Facts, container: Facts, limited: boolean): readonly Row[] => {
  const row = (what: string, of: (facts: Facts) => string): Row => ({
    what,
    host: of(host),
    container: of(container),
  })
  return [
    row('user id', ({ uid, uidOutside }) => idText(uid, uidOutside)),
    row('group id', ({ gid, gidOutside }) => idText(gid, gidOutside)),
    row('process id', ({ pid }) => String(pid)),
    row('processes in sight', ({ processes }) => String(processes)),
    row('host name', ({ hostname }) => hostname),
    row('mounts', ({ mounts }) => mountText(mounts)),
    row('network interfaces', ({ interfaces }) => interfaces.join(' ')),
    row('control group', ({ cgroup }) => cgroup),
    ...limitRows(limited),
    row('capabilities', ({ capabilities }) => capabilityText(capabilities)),
    row('can gain privileges', ({ noNewPrivileges }) => yes(!noNewPrivileges)),
    row('system calls', ({ seccomp }) => (seccomp ? 'filtered' : 'all')),
    ...[...host.namespaces.keys()].map((kind) =>
      row(`${kind} namespace`, ({ namespaces }) => namespaces.get(kind) ?? ''),
    ),
  ]
}

/** One row as lines of the table: what is too wide for its column goes on below. */
const lines = ({ what, host, container }: Row, widths: readonly [number, number], style: Style): Cell[][] => {
  const [left, right] = [wrap(host, widths[0]).split('\n'), wrap(container, widths[1]).split('\n')]
  const colour = host === container ? style.yellow : style.green
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index): Cell[] => [
    index === 0 ? what : '',
    left[index] ?? '',
    { text: right[index] ?? '', style: colour },
  ])
}

/** The table of both sides, at most 100 cells wide: green where the container differs, yellow where it doesn't. */
export const demoTable = (rows: readonly Row[], { columns, style }: Pick<Terminal, 'columns' | 'style'>): string => {
  const first = Math.max(...rows.map(({ what }) => displayWidth(what)))
  const rest = Math.max(20, Math.min(columns, WIDEST) - first - GAPS)
  const widths = [Math.floor(rest / 2), Math.ceil(rest / 2)] as const
  const title = ['what', 'host', 'container'].map((text): Cell => ({ text, style: style.bold }))
  return formatTable([title, ...rows.flatMap((row) => lines(row, widths, style))])
}

interface Outcome {
  readonly result: Result
  /** Why there are no limits, if there are none. */
  readonly unlimited: string | undefined
}

/** Runs the script with limits; where this user can't set them here, without. */
const observe = async (): Promise<Outcome> => {
  const options: RunOptions = { timeout: TIMEOUT }
  const script = ['sh', '-c', FACTS_SCRIPT]
  try {
    return { result: await run(script, { ...options, ...LIMITS }), unlimited: undefined }
  } catch (error) {
    if (!(error instanceof TareError)) throw error
    const isOfCgroups = error instanceof InputError || /cgroup/.test(error.message)
    if (!isOfCgroups) throw error
    return { result: await run(script, options), unlimited: error.message.split('\n', 1)[0] }
  }
}

/** The median time that a container takes from start to end, in milliseconds. */
const measure = async (options: RunOptions): Promise<number> => {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now()
    await run(['true'], { ...options, timeout: TIMEOUT })
    times.push(performance.now() - began)
  }
  return times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0
}

export const demo: Command = command({
  description:
    'Runs a small script in a container, and shows what it sees beside what this process sees on the host. Then it measures how long a container takes. Changes nothing, and works for every user who may make user namespaces.',
  options: [],
  operands: [],
  examples: [{ description: 'what a container is', command: 'tare demo' }],
  run: async ({ terminal }) => {
    const { style, columns } = terminal
    const { result, unlimited } = await observe()
    if (result.exitCode !== 0)
      throw new TareError({
        operation: 'look around in a container',
        reason: result.timedOut
          ? 'it took too long'
          : result.stderr.trim() || `sh was ended by ${result.signal ?? 'itself'}`,
        hint: 'See "tare info" for what this host can do.',
      })
    const rows = rowsOf(parseFacts(ownSections()), parseFacts(parseSections(result.stdout)), unlimited === undefined)
    terminal.print(demoTable(rows, terminal))
    if (unlimited !== undefined) terminal.print(`\n${wrap(`It has no limits: ${unlimited}.`, columns)}\n`)
    const median = await measure(unlimited === undefined ? LIMITS : {})
    terminal.print(
      `\nA container with all of that takes ${median.toFixed(1)} ms, from start to end (median of ${ROUNDS}).\n`,
    )
    terminal.print(
      `Try next: ${['tare run -it sh', 'tare explain true', 'tare info'].map((text) => style.bold(text)).join(', ')}\n`,
    )
    return 0
  },
})
