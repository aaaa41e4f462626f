import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cgroup } from '../linux/index.ts'
import { trySyscall } from '../linux/index.ts'
import type { Chapter, Phase, Stage } from './cgroup-demo-stage.ts'

/** Never ends by itself; but after so many seconds of processor time the kernel ends it. */
const HOG = 'ulimit -t 20; while :; do :; done'

const CONTROLLERS = ['cpu', 'cpuacct']
const QUOTA = 10
const WEIGHTS = [100, 300] as const

const percent = (value: number): string => `${Math.round(value)}%`

/** A phase of a group's processor time. */
const measure = async (stage: Stage, group: Cgroup, name: string, limit?: number): Promise<Phase> => {
  const began = performance.now()
  const before = group.stats().cpu
  const values = await stage.watch(group, ['cpu'], ({ cpu }) => cpu?.percent)
  const after = group.stats().cpu
  const elapsed = performance.now() - began
  const rise = (a: number | undefined, b: number | undefined): number => (b ?? 0) - (a ?? 0)
  const used = rise(before?.usage, after?.usage)
  return {
    name,
    values,
    limit,
    figures: {
      cpuTime: used,
      cpuPercent: used / elapsed / 10,
      periods: rise(before?.throttling?.periods, after?.throttling?.periods),
      throttledPeriods: rise(before?.throttling?.throttled, after?.throttling?.throttled),
    },
  }
}

/** The first processor that this process may run on. */
const firstProcessor = (): number =>
  Number(/^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0)

/** Puts the group's processes on one processor (sched_setaffinity(2)): only who competes for it needs a share. */
const pin = async (group: Cgroup, processor: number): Promise<void> => {
  const mask = new Uint8Array(128)
  mask[processor >> 3] = 1 << (processor & 7)
  for (let round = 0; group.processes().length === 0 && round < 100; round += 1) await sleep(20)
  for (const pid of group.processes()) trySyscall('sched_setaffinity', pid, mask.length, mask)
}

export const CPU: Chapter = {
  id: 'cpu',
  title: 'Processor time: a hog held to a share',
  text: 'A loop without end takes a whole processor. With a quota the kernel lets the group run for 10 ms of every 100 ms and holds it back for the rest. A weight is softer: it counts only when somebody else wants the same processor, and then 100 against 300 is a quarter.',
  commands: [
    'tare cgroup create /demo',
    `tare cgroup run /demo -- sh -c 'while :; do :; done'`,
    'tare cgroup set /demo cpus=0.1',
    'tare cgroup set /demo cpus=max cpu-weight=100',
  ],
  controllers: CONTROLLERS,
  run: async (stage) => {
    const group = stage.group('hog', CONTROLLERS)
    stage.load(group, HOG)
    const free = await measure(stage, group, 'no limit')
    group.set({ cpu: { quota: QUOTA * 1000, period: 100_000 } })
    const held = await measure(stage, group, 'cpus=0.1', QUOTA)
    group.set({ cpu: { quota: 'max', weight: WEIGHTS[0] } })
    const rival = stage.group('rival', CONTROLLERS, { cpu: { weight: WEIGHTS[1] } })
    stage.load(rival, HOG)
    const processor = firstProcessor()
    await Promise.all([pin(group, processor), pin(rival, processor)])
    const before = rival.stats().cpu?.usage ?? 0
    const shared = await measure(stage, group, `weight ${WEIGHTS.join(' against ')}`)
    const theirs = (rival.stats().cpu?.usage ?? 0) - before
    const own = shared.figures['cpuTime'] ?? 0
    const sharePercent = (100 * own) / Math.max(1, own + theirs)
    const { figures } = held
    return {
      phases: [free, held, { ...shared, figures: { ...shared.figures, rivalCpuTime: theirs, sharePercent } }],
      format: percent,
      findings: [
        `Without a limit it took ${percent(free.figures['cpuPercent'] ?? 0)} of a processor.`,
        `With cpus=0.1 it got ${percent(figures['cpuPercent'] ?? 0)}, and was held back in ${figures['throttledPeriods']} of ${figures['periods']} periods.`,
        `With a weight of ${WEIGHTS[0]} against ${WEIGHTS[1]} on one processor it got ${percent(sharePercent)} of what the two of them got.`,
      ],
    }
  },
}
