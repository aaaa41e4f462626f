import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { distance, suggest } from './suggest.ts'

test('distance counts inserts, deletes, replacements and swaps', () => {
  assert.equal(distance('run', 'run'), 0)
  assert.equal(distance('rnu', 'run'), 1)
  assert.equal(distance('memroy', 'memory'), 1)
  assert.equal(distance('ps', 'pids'), 2)
  assert.equal(distance('', 'abc'), 3)
  assert.equal(distance('kitten', 'sitting'), 3)
})

test('distance is the same both ways, and 0 for equals only', () => {
  const word = fc.stringMatching(/^[abc]{0,6}$/)
  fc.assert(
    fc.property(word, word, (a, b) => {
      assert.equal(distance(a, b), distance(b, a))
      assert.equal(distance(a, b) === 0, a === b)
      assert.ok(distance(a, b) <= Math.max(a.length, b.length))
    }),
  )
})

test('the nearest word is suggested, or none', () => {
  const known = ['run', 'explain', 'info', 'completion']
  assert.equal(suggest('rum', known), 'run')
  assert.equal(suggest('inof', known), 'info')
  assert.equal(suggest('comp', known), 'completion')
  assert.equal(suggest('explian', known), 'explain')
  assert.equal(suggest('zzz', known), undefined)
  assert.equal(suggest('', known), undefined)
})
