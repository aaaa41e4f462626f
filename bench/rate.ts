import type { PartReport } from './report.ts'
import { interleave, median, samplesOf } from './statistics.ts'
import type { Tools } from './tools.ts'
import { Worker, warmUp } from './worker-client.ts'

const AT_ONCE = [1, 2, 8] as const

export const RATE_HOW = `One process runs the static program again and again for two seconds, one container after the other, or with two or
eight of them under way at any time; the three take turns.`

const label = (atOnce: number): string => `containers a second, ${atOnce} at once`

/** (e) containers a second. */
export const measureRate = async (tools: Tools): Promise<PartReport> => {
  using worker = new Worker(tools.trueProgram, 0)
  await warmUp(worker, ['run'], tools.quick ? 10 : 100)
  const milliseconds = tools.quick ? 300 : 2000
  const measures = AT_ONCE.map((atOnce) => ({
    name: label(atOnce),
    sample: () => worker.number({ task: 'rate', atOnce, milliseconds }),
  }))
  const samples = await interleave(measures, tools.quick ? 2 : 7, 100)
  const of = (atOnce: number): number => median(samplesOf(samples, label(atOnce)))
  return {
    rows: [
      ...AT_ONCE.map((atOnce) => ({ measure: label(atOnce), median: `${of(atOnce).toFixed(0)} /s` })),
      { measure: '2 at once : 1 at once', ratio: of(2) / of(1), target: { least: 1.6 } },
      { measure: '8 at once : 1 at once', ratio: of(8) / of(1) },
    ],
    remarks: [],
  }
}
