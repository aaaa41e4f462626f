import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatTable } from './table.ts'
import { cutTo, displayWidth, padTo, printable, wrap } from './text.ts'

test('width is in cells of the terminal', () => {
  assert.equal(displayWidth('tare'), 4)
  assert.equal(displayWidth('容器'), 4)
  assert.equal(displayWidth('ｗｉｄｅ'), 8)
  assert.equal(displayWidth('한글'), 4)
  assert.equal(displayWidth('e\u0301te\u0301'), 3)
  assert.equal(displayWidth('📦'), 2)
  assert.equal(displayWidth('👩‍💻'), 2)
  assert.equal(displayWidth('\x1b[31mred\x1b[39m'), 3)
  assert.equal(displayWidth(''), 0)
})

test('padding goes to the side that is asked for', () => {
  assert.equal(padTo('容', 4), '容  ')
  assert.equal(padTo('7', 3, 'right'), '  7')
  assert.equal(padTo('long', 2), 'long')
})

test('what is too wide is cut, and says so', () => {
  assert.equal(cutTo('sleep', 5), 'sleep')
  assert.equal(cutTo('sleep', 4), 'sle…')
  assert.equal(cutTo('容器容器', 6), '容器…')
  assert.equal(cutTo('sleep', 0), '')
})

test('control characters are made visible', () => {
  assert.equal(printable('a\x1b[2Jb\n\x7f\x9b'), 'a\\x1b[2Jb\\x0a\\x7f\\x9b')
  assert.equal(printable('容器 é'), '容器 é')
})

test('wrapped lines are no wider than asked, and lose no word', () => {
  const words = fc.array(fc.stringMatching(/^[a-z容é]{1,12}$/), { minLength: 1 })
  fc.assert(
    fc.property(words, fc.integer({ min: 30, max: 100 }), fc.nat(8), (all, width, indent) => {
      const lines = wrap(all.join(' '), width, indent).split('\n')
      for (const line of lines) {
        assert.ok(displayWidth(line) <= width, line)
        assert.ok(line.startsWith(' '.repeat(indent)))
      }
      assert.deepEqual(
        lines.flatMap((line) => line.trim().split(' ')),
        all,
      )
    }),
  )
  assert.equal(wrap('one two\n\nthree', 40, 2), '  one two\n\n  three')
})

test('a table is aligned by width, with no spaces at the ends of lines', () => {
  const rows = [
    ['web', '3', 'up'],
    ['容器', '12', ''],
  ]
  const columns = [{ title: 'NAME' }, { title: 'PIDS', align: 'right' }, { title: 'STATE' }] as const
  assert.equal(formatTable(rows, columns), 'NAME   PIDS   STATE\nweb       3   up\n容器     12\n')
  assert.equal(formatTable(rows), 'web    3    up\n容器   12\n')
  assert.equal(formatTable([]), '')
})

test('a cell can be coloured, and can not drive the terminal', () => {
  const style = (text: string): string => `<${text}>`
  assert.equal(
    formatTable([
      [{ text: 'no', style }, 'x'],
      ['limited', '\x1b[2J'],
    ]),
    '<no>        x\nlimited   \\x1b[2J\n',
  )
})

test('what is too wide is cut, and marked', () => {
  assert.equal(cutTo('abc', 3), 'abc')
  assert.equal(cutTo('abcd', 3), 'ab…')
  assert.equal(cutTo('世界', 3), '世…')
  assert.equal(cutTo('abc', 0), '')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, width) => {
      assert.ok(displayWidth(cutTo(text, width)) <= width)
    }),
  )
})
