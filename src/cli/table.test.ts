import assert from 'node:assert/strict'
import { test } from 'node:test'

import { formatTable } from './table.ts'

const COLUMNS = [{ title: 'N', align: 'right' }, { title: 'NAME' }, { title: 'COMMAND' }] as const

test('columns are as wide as their widest cell, and no line ends with spaces', () => {
  const table = formatTable(
    [
      ['1', 'a', ''],
      ['100', 'longer', 'ls -l'],
    ],
    COLUMNS,
  )
  assert.equal(table, '  N   NAME     COMMAND\n  1   a\n100   longer   ls -l\n')
  assert.equal(formatTable([]), '')
})

test('the last column is cut to the width of the line, but to no less than a few cells', () => {
  const row = ['1', 'a', 'sleep 1000 and then more']
  assert.equal(formatTable([row], COLUMNS, 30).split('\n')[1], '1   a      sleep 1000 and the…')
  assert.equal(formatTable([row], COLUMNS, 5).split('\n')[1], '1   a      sleep 1000 …')
  assert.equal(formatTable([row], COLUMNS, 35).split('\n')[1], '1   a      sleep 1000 and then more')
  assert.equal(formatTable([['a'.repeat(40), 'b']], [], 20), `${'a'.repeat(40)}   b\n`)
})

test('control characters are made visible, and colour is not counted', () => {
  const red = (text: string): string => `<${text}>`
  assert.equal(
    formatTable([
      [{ text: 'a\x1b', style: red }, 'b'],
      ['abcdef', 'c'],
    ]),
    '<a\\x1b>    b\nabcdef   c\n',
  )
  assert.equal(formatTable([[{ text: 'abcdefghijklmnopqrst', style: red }]], [], 15), '<abcdefghijklmn…>\n')
})
