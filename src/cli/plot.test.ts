import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hasBlocks, plot } from './plot.ts'
import type { Style } from './terminal.ts'
import { displayWidth } from './text.ts'

const same = (text: string): string => text
const style: Style = { bold: same, dim: same, red: same, green: same, yellow: same }
const format = (value: number): string => String(Math.round(value))

test('bars, an axis, a limit, and the names of the phases', () => {
  const phases = [
    { name: 'before', values: [0, 8, 16] },
    { name: 'after', values: [4, 4, 2], limit: 12 },
  ]
  assert.deepEqual(plot(phases, { columns: 13, rows: 2, format, blocks: true, style }), [
    '16 ┤   █│┄┄┄┄',
    '   │  ██│▄▄▄▂',
    ' 0 └────┴────',
    '    bef… aft…',
  ])
})

test('with ASCII alone where blocks are not shown', () => {
  const lines = plot([{ name: 'x', values: [1, 2, 3], limit: 3 }], {
    columns: 20,
    rows: 3,
    format,
    blocks: false,
    style,
  })
  for (const line of lines) assert.match(line, /^[\x20-\x7e]*$/)
  assert.ok(lines.some((line) => line.includes('#')))
})

test('never wider than asked for, as high as asked for, and what is not nothing is seen', () => {
  const phase = fc.record(
    {
      name: fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !/\p{Cc}/u.test(text)),
      values: fc.array(fc.nat(1e6)),
    },
    { noNullPrototype: true },
  )
  const phases = fc.array(phase, { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(phases, fc.integer({ min: 30, max: 150 }), fc.integer({ min: 1, max: 9 }), (some, columns, rows) => {
      const lines = plot(some, { columns, rows, format, blocks: true, style })
      assert.equal(lines.length, rows + 2)
      for (const line of lines) assert.ok(displayWidth(line) <= columns, line)
      const most = Math.max(0, ...some.flatMap(({ values }) => values))
      assert.equal(/[▁▂▃▄▅▆▇█]/.test(lines.slice(0, rows).join('')), most > 0)
    }),
  )
})

test('blocks are for locales and terminals that have them', () => {
  assert.ok(hasBlocks({ LANG: 'de_DE.UTF-8', TERM: 'xterm' }))
  assert.ok(hasBlocks({ LANG: 'C', LC_ALL: 'C.utf8' }))
  assert.ok(!hasBlocks({ LANG: 'de_DE.UTF-8', LC_ALL: 'C' }))
  assert.ok(!hasBlocks({ LANG: 'C.UTF-8', TERM: 'dumb' }))
  assert.ok(!hasBlocks({}))
})
