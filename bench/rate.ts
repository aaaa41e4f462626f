import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { PartReport } from './report.ts'
import { interleave, median, samplesOf } from './statistics.ts'
import type { Tools } from './tools.ts'
import { Worker, warmUp } from './worker-client.ts'

const AT_ONCE = [1, 2, 8] as const
/** How many containers each process of the floor makes. */
const FLOOR_COUNT = 500

export const RATE_HOW: string = `One process runs the static program again and again for two seconds, one container after the other, or with two or
eight of them under way at any time; the three take turns. Beside them the floor: one process, or two side by side, each
making ${FLOOR_COUNT} of the same containers by the same system calls from C. What its ratio falls short of is the kernel's: two
networks are not made, or taken down, at the same time, and taking down what was before goes on beside even a single one.`

const floorLabel = (processes: number): string => `the floor, ${processes} at once`

/** Containers a second of so many processes of bench/floor.c. */
const floorRate = async ({ floor, trueProgram, filter }: Tools, processes: number, count: number): Promise<number> => {
  const began = performance.now()
  const ends = Array.from({ length: processes }, async () => {
    const child = spawn(floor, [String(count), trueProgram, filter], { stdio: ['ignore', 'ignore', 'inherit'] })
    const [status] = (await once(child, 'close')) as [number | null]
    if (status !== 0) throw new Error('bench/floor.c failed, see above')
  })
  await Promise.all(ends)
  return (processes * count) / ((performance.now() - began) / 1000)
}

const label = (atOnce: number): string => `containers a second, ${atOnce} at once`

/** (e) containers a second. */
export const measureRate = async (tools: Tools): Promise<PartReport> => {
  using worker = new Worker(tools.trueProgram, 0)
  await warmUp(worker, ['run'], tools.quick ? 10 : 100)
  const milliseconds = tools.quick ? 300 : 2000
  const measures = [
    ...AT_ONCE.map((atOnce) => ({
      name: label(atOnce),
      sample: () => worker.number({ task: 'rate', atOnce, milliseconds }),
    })),
    ...([1, 2] as const).map((processes) => ({
      name: floorLabel(processes),
      sample: () => floorRate(tools, processes, tools.quick ? 50 : FLOOR_COUNT),
    })),
  ]
  const samples = await interleave(measures, tools.quick ? 2 : 7, 100)
  const of = (atOnce: number): number => median(samplesOf(samples, label(atOnce)))
  const floorOf = (processes: number): number => median(samplesOf(samples, floorLabel(processes)))
  return {
    rows: [
      ...AT_ONCE.map((atOnce) => ({ measure: label(atOnce), median: `${of(atOnce).toFixed(0)} /s` })),
      { measure: '2 at once : 1 at once', ratio: of(2) / of(1), target: { least: 1.6 } },
      { measure: '8 at once : 1 at once', ratio: of(8) / of(1) },
      ...([1, 2] as const).map((processes) => ({
        measure: `containers a second, ${floorLabel(processes)}`,
        median: `${floorOf(processes).toFixed(0)} /s`,
      })),
      { measure: 'the floor, 2 at once : 1 at once', ratio: floorOf(2) / floorOf(1) },
    ],
    remarks: [],
  }
}
