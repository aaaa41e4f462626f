import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { CgroupUsage } from '../linux/index.ts'
import { CGROUP_PARTS } from '../linux/index.ts'
import type { SortKey } from './cgroup-top-table.ts'
import { SORT_KEYS, topLines } from './cgroup-top-table.ts'
import type { Style } from './terminal.ts'
import { displayWidth } from './text.ts'

const same = (text: string): string => text
const PLAIN: Style = { bold: same, dim: same, red: same, green: same, yellow: same }

const group = (name: string, percent?: number): CgroupUsage => ({
  name,
  level: name === '/' ? 0 : name.split('/').length - 1,
  collapsed: false,
  cpu: percent === undefined ? undefined : { percent, throttledPercent: undefined, total: 1 },
  memory: undefined,
  io: undefined,
  pids: undefined,
  pressure: undefined,
})

const names = (groups: readonly CgroupUsage[], sort: SortKey): readonly string[] =>
  topLines({ groups }, { parts: [], sort, style: PLAIN })
    .slice(1)
    .map((line) => line.trimEnd())

describe('the table of groups', () => {
  it('puts siblings in order, and keeps each group above those below it', () => {
    const groups = [group('/', 9), group('/a', 1), group('/a/x', 0), group('/a/y', 1), group('/b', 8), group('/c')]
    assert.deepEqual(names(groups, 'cpu'), ['/', '  b', '  a', '    y', '    x', '  c'])
    assert.deepEqual(names(groups, 'name'), ['/', '  a', '    x', '    y', '  b', '  c'])
  })

  it('shows what can be shown, and marks what is collapsed', () => {
    const usage: CgroupUsage = {
      name: '/web',
      level: 0,
      collapsed: true,
      cpu: { percent: 12.34, throttledPercent: 50, total: 1 },
      memory: { current: 64 * 2 ** 20, max: 2 ** 30 },
      io: { readBytes: 0, writeBytes: 1536, readOps: 1, writeOps: 2.4 },
      pids: { current: 3, max: 20 },
      pressure: { memory: { some: 12.5, full: 2 } },
    }
    const [titles = '', row = ''] = topLines({ groups: [usage] }, { parts: CGROUP_PARTS, sort: 'cpu', style: PLAIN })
    assert.equal(
      titles.split(/ +/).join(' '),
      'GROUP CPU% HELD% MEMORY LIMIT READ/S WRITE/S OPS/S PIDS PSI-CPU PSI-MEM PSI-IO',
    )
    assert.equal(row.split(/ +/).join(' '), '/web + 12.3 50 64MiB 1GiB 0B 1.5KiB 3 3/20 - 13/2 -')
  })

  it('makes the control characters of a name visible', () => {
    assert.deepEqual(names([group('/a\x1b[2J')], 'name'), ['  a\\x1b[2J'])
  })

  it('is never wider than the screen, and has room for names', () => {
    const wide = fc.integer({ min: 45, max: 200 })
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 60 }),
        wide,
        fc.constantFrom(...SORT_KEYS),
        (name, columns, sort) => {
          const usage = group(`/${name.replaceAll('/', '')}`, 100)
          const lines = topLines({ groups: [usage] }, { parts: CGROUP_PARTS, sort, columns, style: PLAIN })
          for (const line of lines) assert.ok(displayWidth(line) <= columns, line)
        },
      ),
    )
    const [titles = ''] = topLines({ groups: [] }, { parts: CGROUP_PARTS, sort: 'cpu', columns: 80, style: PLAIN })
    assert.match(titles, /^GROUP {19}.*CPU%.*MEMORY.*PIDS/)
  })
})
