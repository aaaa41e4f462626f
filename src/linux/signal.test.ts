import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import { signalName, signalNumber, SIGNALS } from './signal.ts'

test('names and numbers are those that Node has', () => {
  assert.equal(SIGNALS.size, 31)
  for (const [name, number] of Object.entries(constants.signals)) assert.equal(signalNumber(name), number, name)
  for (const [name, number] of SIGNALS) assert.equal(new Map(Object.entries(constants.signals)).get(name), number)
})

test('every signal has a name that leads back to it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), (number) => {
      assert.equal(signalNumber(signalName(number)), number)
      assert.equal(signalNumber(number), number)
      assert.equal(signalNumber(`${number}`), number)
    }),
  )
})

test('what people write is understood', () => {
  assert.equal(signalNumber('term'), 15)
  assert.equal(signalNumber('SigKill'), 9)
  assert.equal(signalNumber('SIGRTMIN'), 34)
  assert.equal(signalNumber('RTMIN+3'), 37)
  assert.equal(signalNumber('SIGRTMAX-1'), 63)
  assert.equal(signalNumber('rtmax'), 64)
  assert.equal(signalName(37), 'SIGRTMIN+3')
  assert.equal(signalName(65), '65')
  assert.equal(signalName(0), '0')
})

test('nonsense is refused', () => {
  for (const text of ['', '0', '65', '-1', 'SIG', 'SIGNONE', '1.5', 'RTMIN+31', 'RTMAX-31', 'RTMIN-1', 'toString']) {
    assert.throws(() => signalNumber(text), TareError, text)
  }
})
