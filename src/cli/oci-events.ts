import { setTimeout as sleep } from 'node:timers/promises'
import { containerState, containerStats } from '../index.ts'
import type { CgroupStats } from '../linux/index.ts'
import type { OciVerb } from './oci-globals.ts'
import { ociVerb } from './oci-globals.ts'
import { UsageError } from './usage-error.ts'

/** Nanoseconds, of microseconds. */
const nanoseconds = (time: number): number => time * 1000

/** What is used, in the shape in which runc tells it. */
const dataOf = ({ cpu, memory, pids, io, hugetlb }: CgroupStats): object => ({
  ...(cpu !== undefined && {
    cpu: {
      usage: { total: nanoseconds(cpu.usage), kernel: nanoseconds(cpu.system), user: nanoseconds(cpu.user) },
      throttling: {
        periods: cpu.throttling?.periods ?? 0,
        throttledPeriods: cpu.throttling?.throttled ?? 0,
        throttledTime: nanoseconds(cpu.throttling?.time ?? 0),
      },
    },
  }),
  ...(memory !== undefined && {
    memory: { usage: { usage: memory.current, max: memory.peak, limit: memory.max, failcnt: memory.events.max } },
  }),
  ...(pids !== undefined && { pids: { current: pids.current, limit: pids.max ?? 0 } }),
  ...(io !== undefined && {
    blkio: {
      ioServiceBytesRecursive: io.flatMap(({ major, minor, readBytes, writeBytes }) => [
        { major, minor, op: 'Read', value: readBytes },
        { major, minor, op: 'Write', value: writeBytes },
      ]),
    },
  }),
  ...(hugetlb !== undefined && {
    hugetlb: Object.fromEntries(
      hugetlb.map(({ pageSize, current, refused }) => [pageSize, { usage: current, failcnt: refused }]),
    ),
  }),
})

const parseInterval = (text: string): number => {
  const [, number, unit] = /^(\d{1,6})(ms|s|m)$/.exec(text) ?? []
  const scale = { ms: 1, s: 1000, m: 60_000 }[unit ?? '']
  if (number !== undefined && scale !== undefined && Number(number) > 0) return Number(number) * scale
  throw new UsageError(`cannot use --interval=${text}: it is no time`, 'Write 500ms, 5s or 1m.')
}

export const ociEvents: OciVerb = ociVerb({
  description:
    'Prints what a container uses as a line of JSON, every few seconds until it has ended, and when memory ran out.',
  options: [
    { long: 'stats', description: 'Once only.' },
    { long: 'interval', argument: 'TIME', description: 'How often, 5s by default.' },
  ],
  operands: [{ name: 'ID' }],
  examples: [{ description: 'what a container uses now', command: 'tare oci events --stats box' }],
  run: async ({ options, operands: [id = ''], terminal }, { root }) => {
    const print = (type: string, data?: object): void => terminal.print(`${JSON.stringify({ type, id, data })}\n`)
    const interval = parseInterval(options.interval ?? '5s')
    let kills: number | undefined
    for (;;) {
      const stats = containerStats(root, id)
      const killed = stats.memory?.events.oomKill ?? 0
      if (killed > (kills ?? killed)) print('oom')
      kills = killed
      print('stats', dataOf(stats))
      if (options.stats === true) return 0
      await sleep(interval)
      if (containerState(root, id).status === 'stopped') return 0
    }
  },
})
