import type { Cgroup } from '../linux/index.ts'
import type { Chapter, Stage } from './cgroup-demo-stage.ts'

const CONTROLLERS = ['freezer', 'cpu', 'cpuacct']
const HOG = 'ulimit -t 20; while :; do :; done'

const measure = async (stage: Stage, group: Cgroup, name: string) => {
  const before = group.stats().cpu?.usage ?? 0
  const values = await stage.watch(group, ['cpu'], ({ cpu }) => cpu?.percent)
  return { name, values, figures: { cpuTime: (group.stats().cpu?.usage ?? 0) - before } }
}

const milliseconds = (microseconds: number): string => `${(microseconds / 1000).toFixed(0)} ms`

export const FREEZER: Chapter = {
  id: 'freezer',
  title: 'Freezing: a group stopped, and let go on',
  text: 'All processes of a group are stopped at once, wherever they are. Unlike with SIGSTOP they get no signal, their parents are told nothing, and they can not refuse. Thawed, they go on where they were.',
  commands: ['tare cgroup freeze /demo', 'tare cgroup thaw /demo'],
  controllers: CONTROLLERS,
  run: async (stage) => {
    const group = stage.group('frozen', CONTROLLERS)
    stage.load(group, HOG)
    const before = await measure(stage, group, 'running')
    await group.freeze()
    const frozen = await measure(stage, group, 'frozen')
    group.thaw()
    const after = await measure(stage, group, 'thawed')
    return {
      phases: [before, frozen, after],
      format: (value) => `${Math.round(value)}%`,
      findings: [
        `It used ${milliseconds(before.figures.cpuTime)} of processor time before, ${milliseconds(frozen.figures.cpuTime)} frozen, and ${milliseconds(after.figures.cpuTime)} after.`,
      ],
    }
  },
}
