import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as wait } from 'node:timers/promises'
import { COMMANDS } from '../src/cli/commands.ts'
import { findContainers } from '../src/index.ts'
import { timeCommand } from './commands.ts'
import type { PartReport, Row } from './report.ts'
import { milliseconds } from './report.ts'
import type { Measure } from './statistics.ts'
import { interleave, median, samplesOf } from './statistics.ts'
import type { Tools } from './tools.ts'
import { findProgram } from './tools.ts'

const PROCESSES = 2000
/** Each has five namespaces. */
const GROUPS = 100

export const VIEWS_HOW: string = `A host with ${PROCESSES} sleeping processes more in ${GROUPS} groups, each with five namespaces of its own (bench/crowd.c), so
${GROUPS * 5} namespaces. Whole commands as above, their output to /dev/null. What counts is by how much a view takes longer than
the tool that people know, in starts of Node: at most 1. \`tare audit\` looks at one process of the crowd; its measure is
\`ps aux\` too. Peak memory is getrusage(2)'s, at the end of the process.`

const crowdProgram = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'bench', 'crowd')

/** Runs `use` on a host with the crowd; `pid` is one of it. */
const withCrowd = async <T>(use: (pid: number) => Promise<T>): Promise<T> => {
  if (!existsSync(crowdProgram)) throw new Error('bench/crowd.c is not built: start this by "npm run bench"')
  const before = new Set(findContainers().map(({ leader }) => leader))
  const child = spawn(crowdProgram, [`${PROCESSES}`, `${GROUPS}`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  try {
    await Promise.race([once(child.stdout, 'data'), ended])
    const groups = findContainers().filter(({ leader, maker }) => maker === child.pid && !before.has(leader))
    const [first] = groups
    if (groups.length !== GROUPS || first === undefined)
      throw new Error(`${groups.length} of ${GROUPS} groups are there`)
    return await use(first.leader)
  } finally {
    child.stdin.end()
    await ended
    // Their PID 1s are killed by the end of their parent; the kernel takes a moment to clear up behind them.
    while (findContainers().some(({ leader, processes }) => !before.has(leader) && processes[0]?.name === 'crowd'))
      await wait(20)
  }
}

/** What a command's peak memory is written by, loaded into it. */
const PEAK = `process.on('exit', () => require('fs').writeSync(2, '\\n' + process.resourceUsage().maxRSS))`

/** Bytes that a script of Node's took at most. */
const peakOf = async (tools: Tools, args: readonly string[]): Promise<number> => {
  const file = join(tools.directory, 'peak.cjs')
  writeFileSync(file, PEAK)
  const child = spawn(process.execPath, ['--require', file, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  child.stderr.on('data', (data) => (text += String(data)))
  await once(child, 'close')
  return Number(text.split('\n').at(-1)) * 1024
}

const NODE = 'node itself, doing nothing'

interface View {
  readonly name: string
  readonly args: (pid: number) => readonly string[]
  /** What it is held against, and how that is called. */
  readonly peer: readonly string[]
}

const VIEWS: readonly View[] = [
  { name: 'ps', args: () => ['ps'], peer: ['ps', 'aux'] },
  { name: 'ns', args: () => ['ns'], peer: ['lsns'] },
  { name: 'audit', args: (pid) => ['audit', `${pid}`], peer: ['ps', 'aux'] },
]

/** The commands that show what there is on a host, on a host where there is much. */
export const measureViews = async (tools: Tools): Promise<PartReport> =>
  withCrowd(async (pid) => {
    const views = VIEWS.filter(
      ({ name, peer }) => COMMANDS.some((each) => each.name === name) && findProgram(peer[0] ?? '') !== undefined,
    )
    const skipped = VIEWS.filter((view) => !views.includes(view)).map(
      ({ name, peer }) => `tare ${name} is skipped: the command or ${peer[0]} is missing`,
    )
    const peers = new Map(views.map(({ peer }) => [peer.join(' '), peer]))
    const measures: readonly Measure[] = [
      ...views.map(({ name, args }) => ({
        name: `tare ${name}`,
        sample: () => timeCommand([tools.tare, ...args(pid)], [0, 1, 2]),
      })),
      ...[...peers].map(([name, words]) => ({ name, sample: () => timeCommand(words) })),
      { name: NODE, sample: () => timeCommand([process.execPath, '-e', '0']) },
      {
        name: 'findContainers() by itself, called again',
        sample: async () => {
          const began = process.hrtime.bigint()
          findContainers({ cgroups: false })
          return Number(process.hrtime.bigint() - began)
        },
      },
    ]
    const samples = await interleave(measures, tools.quick ? 5 : 30, 20)
    const of = (name: string): number => median(samplesOf(samples, name))
    const peak = async (name: string, args: readonly string[]): Promise<Row> => ({
      measure: `peak memory of ${name}`,
      median: `${((await peakOf(tools, args)) / 2 ** 20).toFixed(0)} MiB`,
    })
    return {
      rows: [
        ...measures.map(({ name }) => ({ measure: name, median: milliseconds(samplesOf(samples, name)) })),
        ...views.map(({ name, peer }): Row => ({
          measure: `tare ${name} longer than ${peer.join(' ')}, in starts of Node`,
          ratio: (of(`tare ${name}`) - of(peer.join(' '))) / of(NODE),
          target: { most: 1 },
        })),
        await peak(NODE, ['-e', '0']),
        ...(await Promise.all(views.map(({ name, args }) => peak(`tare ${name}`, ['--', tools.tare, ...args(pid)])))),
      ],
      remarks: skipped,
    }
  })
