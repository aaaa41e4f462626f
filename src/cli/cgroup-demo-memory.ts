import type { CgroupEvent, Cgroup } from '../linux/index.ts'
import { hierarchyOf } from '../linux/index.ts'
import { formatBytes } from '../index.ts'
import type { Chapter, Phase, Stage } from './cgroup-demo-stage.ts'
import { printable } from './text.ts'

const MIB = 2 ** 20
const CONTROLLERS = ['memory']

/** Takes one MiB after the other, which it keeps, and ends when it has so many. */
const hog = (mebibytes: number): string =>
  `exec awk 'BEGIN {
    x = "x"; for (i = 0; i < 20; i++) x = x x
    for (i = 0; i < ${mebibytes}; i++) { kept[i] = x i; system("sleep 0.02") }
  }'`

const measure = async (stage: Stage, group: Cgroup, phase: Pick<Phase, 'name' | 'limit'>, script: string) => {
  let values: readonly number[] = []
  const events = await stage.listen(group, async () => {
    const load = stage.load(group, script)
    values = await stage.watch(group, ['memory'], ({ memory }) => memory?.current, load)
  })
  const { peak } = group.stats().memory ?? {}
  const figures = { peak: peak ?? Math.max(0, ...values), oomKills: group.oomEvents()?.oomKill ?? 0 }
  return { events, phase: { ...phase, values, figures } }
}

const risen = (events: readonly CgroupEvent[], name: string): number =>
  events.reduce((sum, event) => sum + (event.kind === 'counter' && event.counter === name ? event.count : 0), 0)

const victimOf = (events: readonly CgroupEvent[]): string => {
  const killed = events.find((event) => event.kind === 'killed')
  return killed?.kind === 'killed' ? `process ${killed.pid} (${printable(killed.name)})` : 'it'
}

/** Version 2 slows down whoever is above memory.high, instead of killing it. */
const slowDown = async (stage: Stage, limit: number, size: number): Promise<readonly [Phase, string]> => {
  const group = stage.group('slowed', CONTROLLERS, { memory: { high: limit * MIB, swap: 0 } })
  let values: readonly number[] = []
  const events = await stage.listen(group, async () => {
    stage.load(group, hog(size))
    values = await stage.watch(group, ['memory'], ({ memory }) => memory?.current)
  })
  const stalled = group.stats().pressure?.memory?.some?.total ?? 0
  const figures = { peak: Math.max(0, ...values), highEvents: risen(events, 'high'), stalled }
  const phase = { name: `memory-high=${limit}MiB`, limit: limit * MIB, values, figures }
  const waited = stalled === 0 ? '' : `, and waited ${(stalled / 1e6).toFixed(1)} s for memory`
  return [
    phase,
    `Above memory-high it was slowed down${waited} (${figures.highEvents} times by memory.events); nothing was killed.`,
  ]
}

/** Version 1 has no such limit. Memory that holds what is on the disk, too, is taken back rather than refused. */
const reclaim = async (stage: Stage, limit: number, size: number): Promise<readonly [Phase, string]> => {
  const group = stage.group('reclaimed', CONTROLLERS, { memory: { max: limit * MIB } })
  const script = `dd if=/dev/zero of=${stage.file('memory')} bs=1M count=${size}`
  const { phase, events } = await measure(
    stage,
    group,
    { name: `a file, memory=${limit}MiB`, limit: limit * MIB },
    script,
  )
  const notices = events.reduce((sum, event) => sum + (event.kind === 'level' ? event.count : 0), 0)
  const finding = `A file of ${size}MiB was written under the same limit: what is on the disk, too, is taken back from memory (${notices === 1 ? 'one notice' : `${notices} notices`} of pressure), and nothing is killed.`
  return [{ ...phase, figures: { ...phase.figures, pressureNotices: notices } }, finding]
}

export const MEMORY: Chapter = {
  id: 'memory',
  title: 'Memory: a hog stopped at its limit',
  text: 'A program that takes more and more memory gets it, until the host has none left for anybody. In a group with a limit it gets no more than that; when nothing of it can be given back, the kernel kills a process of that group, and no other. A soft limit does not kill: it slows down, or takes back first what is easy to take.',
  commands: [
    'tare cgroup create /demo memory=32MiB swap=0',
    'tare cgroup watch /demo',
    `tare cgroup run /demo -- awk 'BEGIN { x = "x"; while (1) x = x x }'`,
  ],
  controllers: CONTROLLERS,
  run: async (stage) => {
    const [limit, size] = stage.quick ? [12, 24] : [32, 64]
    const unlimited = stage.group('free', CONTROLLERS)
    const free = await measure(stage, unlimited, { name: 'no limit' }, hog(size))
    const limited = stage.group('limited', CONTROLLERS, { memory: { max: limit * MIB, swap: 0 } })
    const held = await measure(stage, limited, { name: `memory=${limit}MiB`, limit: limit * MIB }, hog(size))
    const soft = hierarchyOf(stage.layout, 'memory')?.version === 2 ? slowDown : reclaim
    const [third, finding] = await soft(stage, limit, size)
    return {
      phases: [free.phase, held.phase, third],
      format: (value) => formatBytes(Math.round(value)),
      findings: [
        `Without a limit it took ${formatBytes(free.phase.figures.peak)}, and ended when it had enough.`,
        `With memory=${limit}MiB it had ${formatBytes(held.phase.figures.peak)} at most: then the kernel killed ${victimOf(held.events)}.`,
        finding,
      ],
    }
  },
}
