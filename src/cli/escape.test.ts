import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EscapeKey } from './escape.ts'

const typed = (...strokes: readonly (readonly [text: string, at: number])[]): readonly boolean[] => {
  const key = new EscapeKey()
  return strokes.map(([text, at]) => key.typedIn(Buffer.from(text), at))
}

test('three times within a second, whether at once or one by one', () => {
  assert.deepEqual(typed(['\x1d\x1d\x1d', 0]), [true])
  assert.deepEqual(typed(['ls\r\x1d', 0], ['\x1d', 500], ['\x1d', 1000]), [false, false, true])
})

test('not when it took longer, nor with something between', () => {
  assert.deepEqual(typed(['\x1d', 0], ['\x1d', 500], ['\x1d', 1001]), [false, false, false])
  assert.deepEqual(typed(['\x1d\x1dx\x1d', 0]), [false])
})

test('only the last three count', () => {
  assert.deepEqual(typed(['\x1d', 0], ['\x1d', 900], ['\x1d', 1100], ['\x1d', 1200]), [false, false, false, true])
})
