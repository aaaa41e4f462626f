import type { Cgroup } from '../linux/index.ts'
import type { Chapter, Stage } from './cgroup-demo-stage.ts'

const CONTROLLERS = ['pids']
const LIMIT = 16

/**
 * A fork bomb as it is usually written, but that it counts down: each process starts two more, so many generations deep.
 * The last wait a moment, and then all of it is over, with a limit or without.
 */
const bomb = (generations: number): string =>
  `b() { [ $1 -gt 0 ] || { sleep 0.5; return; }; b $(($1-1)) & b $(($1-1)) & wait; }; b ${generations}`

const measure = async (stage: Stage, group: Cgroup, name: string, generations: number, limit?: number) => {
  const load = stage.load(group, bomb(generations))
  const values = await stage.watch(group, ['pids'], ({ pids }) => pids?.current, load)
  const { peak, refused } = group.stats().pids ?? {}
  return { name, values, limit, figures: { peak: peak ?? Math.max(0, ...values), refused: refused ?? 0 } }
}

export const PIDS: Chapter = {
  id: 'pids',
  title: 'Processes: a fork bomb contained',
  text: 'A program that starts itself twice, and so on, soon leaves no process ids for anybody. In a group with a limit the fork that would be one too many is refused (EAGAIN), and the host notices nothing. This one stops by itself, also without a limit.',
  commands: [
    'tare cgroup create /demo pids=16',
    `tare cgroup run /demo -- bash -c 'b() { b | b & }; b'`,
    'tare cgroup kill /demo',
  ],
  controllers: CONTROLLERS,
  run: async (stage) => {
    const generations = stage.quick ? 4 : 6
    const free = await measure(stage, stage.group('bomb', CONTROLLERS), 'no limit', generations)
    const limited = stage.group('contained', CONTROLLERS, { pids: LIMIT })
    const held = await measure(stage, limited, `pids=${LIMIT}`, generations, LIMIT)
    return {
      phases: [free, held],
      format: String,
      findings: [
        `Without a limit there were ${free.figures.peak} processes at once.`,
        `With pids=${LIMIT} there were ${held.figures.peak}, and ${held.figures.refused} forks were refused.`,
      ],
    }
  },
}
