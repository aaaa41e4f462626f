import assert from 'node:assert/strict'
import { test } from 'node:test'
import { containersNamed } from './target.ts'

const CONTAINERS = [
  { name: 'web', id: '0123456789abcdef' },
  { name: undefined, id: '0123ffff' },
  { name: '0123', id: undefined },
  { name: undefined, id: undefined },
]

test('a container by its name, its id, or how that begins', () => {
  const named = (name: string): readonly number[] =>
    containersNamed(CONTAINERS, name).map((each) => CONTAINERS.indexOf(each))
  assert.deepEqual(named('web'), [0])
  assert.deepEqual(named('0123456789abcdef'), [0])
  assert.deepEqual(named('01234'), [0])
  assert.deepEqual(named('0123'), [2], 'a whole name goes before the beginning of an id')
  assert.deepEqual(named('we'), [])
  assert.deepEqual(named('012'), [], 'too short for an id')
  assert.deepEqual(named(''), [])
})
