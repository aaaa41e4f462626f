import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { PartReport } from './report.ts'
import { milliseconds, ratioOf } from './report.ts'
import type { Measure } from './statistics.ts'
import { interleave, samplesOf } from './statistics.ts'
import type { Tools } from './tools.ts'
import type { Way } from './worker-client.ts'
import { Worker, warmUp } from './worker-client.ts'

/** Of the worker with a big heap, in MiB. */
const BIG = 200
const WAYS: readonly Way[] = ['run', 'spawn pipe', 'spawn ignore']

/** bench/floor.c as a process that makes a container for each byte that it gets. */
class Floor {
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor({ floor, trueProgram, filter }: Tools, mode: readonly string[]) {
    const child = spawn(floor, ['0', trueProgram, filter, ...mode], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#process = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  async sample(): Promise<number> {
    this.#process.stdin?.write('.')
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('bench/floor.c failed, see above')
    return Number(value)
  }

  [Symbol.dispose](): void {
    this.#process.stdin?.end()
  }
}

const SMALL_NAME = 'at a small heap'
const BIG_NAME = `at ${BIG} MiB of heap`
const FLOOR = 'floor: the same system calls by hand in C'
const DIRECT = 'floor without a stage: a plain copy of a small process'

const nameOf = (way: Way, where: string): string => {
  if (way === 'run') return `run() of a static true, default container, ${where}`
  return `spawn() of the bare true, ${where}${way === 'spawn ignore' ? ', no pipes' : ''}`
}

export const START_HOW: string = `Each round takes one sample of each, in an order of its own, with 5 ms between two samples. \`run()\` and
\`child_process.spawn()\` are timed from the call to the result in two processes of their own, one with a small heap and
one in which ${BIG} MiB are in use, half of it in buffers and half in objects; both have done each 300 times before. Both
read standard output and error through pipes to their end (except where it says "no pipes"). The floor is
bench/floor.c: it makes the same container by the same system calls, in the same order and with the same arguments (the
part \`calls\` compares the two), and times itself; its ratio to spawn() is what the kernel leaves to reach. The static program is mounted at /true in both, which adds five
system calls to the default container.`

/** (a) run(), (b) the floor, (c) spawn() of the bare program. */
export const measureStart = async (tools: Tools): Promise<PartReport> => {
  using small = new Worker(tools.trueProgram, 0)
  using big = new Worker(tools.trueProgram, BIG)
  using floor = new Floor(tools, [])
  using direct = new Floor(tools, ['direct'])
  const warm = tools.quick ? 5 : 300
  await warmUp(small, WAYS, warm)
  await warmUp(big, WAYS, warm)
  const workers = [
    [small, SMALL_NAME],
    [big, BIG_NAME],
  ] as const
  const measures: readonly Measure[] = [
    ...workers.flatMap(([worker, where]) =>
      WAYS.map((way) => ({ name: nameOf(way, where), sample: () => worker.number({ task: 'time', way }) })),
    ),
    { name: FLOOR, sample: () => floor.sample() },
    { name: DIRECT, sample: () => direct.sample() },
  ]
  const samples = await interleave(measures, tools.quick ? 15 : 300, 5)
  const of = (name: string): readonly number[] => samplesOf(samples, name)
  const run = of(nameOf('run', SMALL_NAME))
  const bigRun = of(nameOf('run', BIG_NAME))
  return {
    rows: [
      ...measures.map(({ name }) => ({ measure: name, median: milliseconds(of(name)) })),
      {
        measure: `run() : spawn(), ${SMALL_NAME}`,
        ratio: ratioOf(run, of(nameOf('spawn pipe', SMALL_NAME))),
        target: { most: 0.9 },
      },
      {
        measure: `run() : spawn(), ${BIG_NAME}`,
        ratio: ratioOf(bigRun, of(nameOf('spawn pipe', BIG_NAME))),
        target: { most: 0.6 },
      },
      {
        measure: `run() : spawn() without pipes, ${SMALL_NAME}`,
        ratio: ratioOf(run, of(nameOf('spawn ignore', SMALL_NAME))),
      },
      { measure: `run() : floor, ${SMALL_NAME}`, ratio: ratioOf(run, of(FLOOR)), target: { most: 1.3 } },
      { measure: 'run() : floor without a stage', ratio: ratioOf(run, of(DIRECT)) },
      { measure: `floor : spawn(), ${SMALL_NAME}`, ratio: ratioOf(of(FLOOR), of(nameOf('spawn pipe', SMALL_NAME))) },
      { measure: `run() ${BIG_NAME} : run() ${SMALL_NAME}`, ratio: ratioOf(bigRun, run) },
    ],
    remarks: [],
  }
}

export const HOLD_HOW = `While \`run()\` or \`spawn()\` is on its way the event loop is kept busy with immediates; the longest time between two
of them is how long the program could do nothing else. Taken in turn, as above.`

/** For how long the event loop is held. */
export const measureHold = async (tools: Tools): Promise<PartReport> => {
  using small = new Worker(tools.trueProgram, 0)
  using big = new Worker(tools.trueProgram, BIG)
  const ways: readonly Way[] = ['run', 'spawn pipe']
  const warm = tools.quick ? 5 : 50
  const workers = [
    [small, SMALL_NAME],
    [big, BIG_NAME],
  ] as const
  for (const [worker] of workers) await warmUp(worker, ways, warm)
  const label = (way: Way, where: string): string =>
    `event loop held by ${way === 'run' ? 'run()' : 'spawn()'}, ${where}`
  const measures = workers.flatMap(([worker, where]) =>
    ways.map((way) => ({ name: label(way, where), sample: () => worker.number({ task: 'hold', way }) })),
  )
  const samples = await interleave(measures, tools.quick ? 10 : 200, 5)
  const of = (name: string): readonly number[] => samplesOf(samples, name)
  return {
    rows: [
      ...measures.map(({ name }) => ({ measure: name, median: milliseconds(of(name)) })),
      ...workers.map(([, where]) => ({
        measure: `held by run() : by spawn(), ${where}`,
        ratio: ratioOf(of(label('run', where)), of(label('spawn pipe', where))),
      })),
    ],
    remarks: [],
  }
}
