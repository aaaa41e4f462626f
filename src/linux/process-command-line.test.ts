import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { parseCommandLine, readCommandLine } from './process-command-line.ts'

test('reads the arguments that a process was given', () => {
  const argument = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', ''))
  fc.assert(
    fc.property(fc.array(argument), (args) => {
      assert.deepEqual(parseCommandLine(args.map((each) => `${each}\0`).join('')), args)
    }),
  )
})

test('takes a title that a process wrote over its arguments', () => {
  assert.deepEqual(parseCommandLine('nginx: master process'), ['nginx: master process'])
  assert.deepEqual(parseCommandLine(''), [])
})

test('reads this process', () => {
  assert.deepEqual(readCommandLine('self').slice(-process.argv.length + 1), process.argv.slice(1))
})
