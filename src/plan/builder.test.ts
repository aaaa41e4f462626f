import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RegisterPool, StepBuilder } from './builder.ts'
import { DataBuilder } from './data.ts'

const words = { what: 'do it' }

test('a released register is used again, a pinned one never', () => {
  const builder = new StepBuilder(new DataBuilder())
  const first = builder.callFor('first', words, 'getpid', [])
  const pinned = builder.pinnedRegister('pinned')
  builder.release(first)
  builder.release(pinned)
  const next = [builder.register('a'), builder.register('b')].map(({ index }) => index)
  assert.equal(next[0], first.index)
  assert.ok(!next.includes(pinned.index))
})

test('builders of one process share registers', () => {
  const pool = new RegisterPool()
  const before = new StepBuilder(new DataBuilder(), pool)
  const after = new StepBuilder(new DataBuilder(), pool)
  assert.notEqual(before.register('a').index, after.register('b').index)
})

test('registers run out with an error that says so', () => {
  const builder = new StepBuilder(new DataBuilder())
  for (let count = 0; count < 128; count++) builder.register(`r${count}`)
  assert.throws(() => builder.register('one more'), { message: 'cannot plan one more: a plan has 128 registers' })
})

test('labels move with steps that are put before them', () => {
  const builder = new StepBuilder(new DataBuilder())
  const end = builder.label()
  builder.call(words, 'getpid', [], [{ errno: 'any', to: end }])
  builder.place(end)
  const other = new StepBuilder(new DataBuilder())
  other.call({ what: 'first' }, 'getppid', [])
  builder.prepend(other.steps)
  assert.deepEqual(
    builder.steps.map(({ what }) => what),
    ['first', 'do it'],
  )
  assert.equal(end.index, 2)
})
