import type { Cgroup } from './cgroup.ts'
import type { CgroupEventBody } from './event.ts'
import { readIfThere } from './file.ts'
import { hierarchyOf } from './layout.ts'
import { parseAmount, parseFlatKeyed } from './parse.ts'

/** How often to look at what the kernel tells nobody, in ms. */
const EVERY = 1000

/** What version 1 gives no notice of. */
export interface LookerV1 {
  /** Looks now. */
  readonly look: () => void
  readonly close: () => void
}

const countersBetween = (
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): readonly CgroupEventBody[] =>
  [...now].flatMap(([key, total]): readonly CgroupEventBody[] => {
    const count = total - (before.get(key) ?? 0)
    const [file = '', counter = ''] = key.split(' ')
    return count > 0 ? [{ kind: 'counter', file, counter, count, total }] : []
  })

/**
 * The counters of a group in version 1's hierarchies, by file and counter. The kernel tells nobody that they have risen,
 * pids.events (since Linux 6.11) included.
 */
const readCounters = (memory: string | undefined, pids: string | undefined): ReadonlyMap<string, number> => {
  const counters = new Map<string, number>()
  const note = (name: string, value: number | undefined): void => {
    if (value !== undefined) counters.set(name, value)
  }
  const text = (directory: string | undefined, file: string): string =>
    directory === undefined ? '' : (readIfThere(`${directory}/${file}`) ?? '')
  note('memory.oom_control oom_kill', parseFlatKeyed(text(memory, 'memory.oom_control')).get('oom_kill'))
  for (const file of ['memory.failcnt', 'memory.memsw.failcnt']) {
    note(`${file} failcnt`, parseAmount(text(memory, file)))
  }
  note('pids.events max', parseFlatKeyed(text(pids, 'pids.events')).get('max'))
  return counters
}

/**
 * Looks again and again at what of a group is in version 1's hierarchies: whether it is frozen, has processes, and what
 * is counted. Undefined if there is nothing of it to look at.
 */
export const lookerV1 = (group: Cgroup, tell: (events: readonly CgroupEventBody[]) => void): LookerV1 | undefined => {
  const inV1 = (controller: string): string | undefined =>
    hierarchyOf(group.layout, controller)?.version === 1 ? group.directoryOf(controller) : undefined
  const [memory, pids] = [inV1('memory'), inV1('pids')]
  const freezes = inV1('freezer') !== undefined
  const populates = group.unified === undefined
  if (memory === undefined && pids === undefined && !freezes && !populates) return undefined
  const read = (): { populated: boolean; frozen: boolean; counters: ReadonlyMap<string, number> } => ({
    populated: populates && group.populated,
    frozen: freezes && group.frozen,
    counters: readCounters(memory, pids),
  })
  let last = read()
  const look = (): void => {
    const now = read()
    const { populated, frozen } = now
    tell([
      ...(populated === last.populated ? [] : [{ kind: 'populated', populated } as const]),
      ...(frozen === last.frozen ? [] : [{ kind: 'frozen', frozen } as const]),
      ...countersBetween(last.counters, now.counters),
    ])
    last = now
  }
  const timer = setInterval(look, EVERY)
  return { look, close: () => clearInterval(timer) }
}
