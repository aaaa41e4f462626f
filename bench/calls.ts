import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compareStarts } from './floor-sync.ts'
import { findPeers } from './peers.ts'
import type { PartReport, Row } from './report.ts'
import type { Call, Start } from './strace.ts'
import { countByName, parseStrace, startOf } from './strace.ts'
import type { Tools } from './tools.ts'
import { findProgram } from './tools.ts'

export const CALLS_HOW = `\`strace -f\` over single runs. "From clone to exec" counts what the processes of the container do, from the first
instruction after the clone to the exec of the program, including what PID 1 does until it waits, and without futex(2),
which is needed or not as the moment has it. Whole runs count every call of every process, except those of \`unshare\`,
\`sh\` and \`umount\` around crun. "One more run()" is what each of ten more calls of \`run()\` in a process adds, Node's own
threads and event loop included.`

const trace = (tools: Tools, [program = '', ...args]: readonly string[]): readonly Call[] => {
  const file = join(tools.directory, 'trace')
  const options = ['-f', '-s', '300', '-o', file, '-E', 'UV_THREADPOOL_SIZE=1']
  const { status, stderr } = spawnSync('strace', [...options, program, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`cannot trace ${program}: ${stderr}`)
  return parseStrace(readFileSync(file, 'utf8'))
}

/** bench/once.ts: runs the static program so many times. */
const once = (tools: Tools, times: number, own: boolean): readonly string[] => [
  process.execPath,
  fileURLToPath(new URL('once.js', import.meta.url)),
  own ? tools.trueProgram : '',
  String(times),
]

/** Whether a process has to wait by futex(2), or finds it isn't needed any more, depends on the moment. */
const total = ({ stage, program }: Start): number =>
  [...stage, ...program].filter(({ name }) => name !== 'futex').length

const frequent = (start: Start): string =>
  [...countByName([...start.stage, ...start.program])]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 8)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

/** The calls from the exec of `program` itself on: without those of what was wrapped around it. */
const from = (calls: readonly Call[], program: string): readonly Call[] =>
  calls.slice(
    Math.max(
      0,
      calls.findIndex(({ name, args }) => name === 'execve' && args.startsWith(`"${program}"`)),
    ),
  )

/** (f) system calls, and whether the floor still mirrors the library. */
export const countCalls = async (tools: Tools): Promise<PartReport> => {
  if (findProgram('strace') === undefined) return { rows: [], remarks: ['strace is not installed: nothing is counted'] }
  const ours = startOf(trace(tools, once(tools, 1, true)), '/true')
  const floor = startOf(trace(tools, [tools.floor, '1', tools.trueProgram, tools.filter]), '/true')
  const plain = startOf(trace(tools, once(tools, 1, false)), '/usr/bin/true')
  const differ = compareStarts(ours, floor, tools.trueProgram)
  const [ten = 0, twenty = 0] = [10, 20].map((times) => trace(tools, once(tools, times, true)).length)
  const { peers, skipped } = findPeers(tools)
  const whole = peers.map(({ name, command, bare: [program = ''] }): Row => {
    const calls = from(trace(tools, command), program)
    return { measure: `system calls, whole run of ${name}`, median: String(calls.length) }
  })
  return {
    rows: [
      {
        measure: 'system calls from clone to exec, default container',
        median: String(total(plain)),
        value: total(plain),
        target: { most: 200 },
      },
      { measure: 'system calls from clone to exec, with /true mounted', median: String(total(ours)) },
      { measure: 'the same of the floor', median: String(total(floor)) },
      {
        measure: 'calls in which floor and library differ',
        median: String(differ.length),
        value: differ.length,
        target: { most: 0 },
      },
      { measure: 'system calls of one more run(), Node included', median: ((twenty - ten) / 10).toFixed(0) },
      ...whole,
    ],
    remarks: [
      ...skipped,
      `most frequent from clone to exec: ${frequent(plain)}`,
      ...differ.map((line) => `floor.c differs ("-" only in the library, "+" only in the floor): ${line}`),
    ],
  }
}
