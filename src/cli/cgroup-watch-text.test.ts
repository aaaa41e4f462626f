import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CgroupEventBody } from '../linux/index.ts'
import { eventLine, missingLines } from './cgroup-watch-text.ts'
import type { Style } from './terminal.ts'

const same = (text: string): string => text
const style: Style = { bold: same, dim: same, red: same, green: same, yellow: same }

/** Without the time. */
const line = (event: CgroupEventBody): string => eventLine({ time: 0, ...event }, '/web', style).slice(14)

test('each kind of event is a sentence', () => {
  const counter = { kind: 'counter', count: 3, total: 7 } as const
  const events: readonly (readonly [CgroupEventBody, string])[] = [
    [
      { kind: 'watching', populated: true, frozen: true, missing: [] },
      'watching   /web: it has processes, and is frozen',
    ],
    [
      { ...counter, file: 'memory.events', counter: 'max' },
      'memory     memory reached its limit, 3 times (memory.events max: 7)',
    ],
    [
      { ...counter, count: 1, file: 'memory.failcnt', counter: 'failcnt' },
      'memory     memory reached its limit (memory.failcnt: 7)',
    ],
    [
      { ...counter, file: 'hugetlb.2MB.events', counter: 'max' },
      'hugetlb.2MB  max was counted, 3 times (hugetlb.2MB.events max: 7)',
    ],
    [
      { kind: 'pressure', resource: 'io', line: 'full', stall: 500_000, window: 2_000_000, above: true, avg10: 31.5 },
      'pressure   all processes wait for io more than 25% of the time (31.5% of the last 10 s)',
    ],
    [{ kind: 'threshold', threshold: 2 ** 20, current: 2 ** 21, above: true }, 'memory     above 1MiB: 2MiB in use'],
    [{ kind: 'populated', populated: false }, 'processes  there are none left'],
    [{ kind: 'removed' }, 'removed    the group is gone'],
  ]
  for (const [event, expected] of events) assert.equal(line(event), expected)
})

test('names that others chose can not drive the terminal', () => {
  const victim = { pid: 5, name: 'a\x1b[2J', uid: 0, anon: 2048, group: '/web/\x07x', limitOf: '/web' }
  assert.equal(
    line({ kind: 'killed', ...victim }),
    'killed     process 5 (a\\x1b[2J) of user 0, in /web/\\x07x, with 2KiB: /web had no memory left',
  )
  const missing = [{ source: 'killed', reason: 'no \x1b' }] as const
  assert.deepEqual(missingLines({ time: 0, kind: 'watching', populated: true, frozen: false, missing }), [
    'tare: who is killed is not watched: no \\x1b',
  ])
})
