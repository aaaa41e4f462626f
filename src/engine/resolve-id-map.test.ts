import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IdMapping } from '../linux/idmap.ts'
import { idInside, idOutside } from '../linux/idmap.ts'
import { makeRoom, resolveIdMap } from './resolve-id-map.ts'

const ROOT = { id: 0, uid: 0, name: 'root', owns: true }
const USER = { id: 1000, uid: 1000, name: 'nobody-of-that-name', owns: true }

test('a range makes room for one id, and what follows moves up', () => {
  const range = { inside: 0, outside: 100000, size: 65536 }
  assert.deepEqual(makeRoom(range, { inside: 0, outside: 1000, size: 1 }), [
    { inside: 1, outside: 100000, size: 65535 },
  ])
  assert.deepEqual(makeRoom(range, { inside: 10, outside: 1000, size: 1 }), [
    { inside: 0, outside: 100000, size: 10 },
    { inside: 11, outside: 100010, size: 65525 },
  ])
  assert.deepEqual(makeRoom({ inside: 0, outside: 0, size: 4 }, { inside: 1, outside: 2, size: 1 }), [
    { inside: 0, outside: 0, size: 1 },
    { inside: 2, outside: 1, size: 1 },
    { inside: 3, outside: 3, size: 1 },
  ])
  assert.deepEqual(makeRoom({ inside: 5, outside: 5, size: 1 }, { inside: 5, outside: 9, size: 1 }), [])
})

test('whatever the range: it holds neither id, no id twice, and loses two at most', () => {
  const id = fc.integer({ min: 0, max: 40 })
  const size = fc.integer({ min: 1, max: 30 })
  fc.assert(
    fc.property(id, id, size, id, id, (inside, outside, length, hole, own) => {
      const range = { inside, outside, size: length }
      const mappings: readonly IdMapping[] = makeRoom(range, { inside: hole, outside: own, size: 1 })
      assert.equal(idOutside(mappings, hole), undefined)
      assert.equal(idInside(mappings, own), undefined)
      const total = mappings.reduce((sum, each) => sum + each.size, 0)
      assert.ok(total >= length - 1 && total <= length)
      const ids = mappings.flatMap((each) => Array.from({ length: each.size }, (_, index) => each.inside + index))
      assert.equal(new Set(ids).size, total)
      for (const each of mappings) {
        assert.ok(each.inside >= inside && each.inside + each.size <= inside + length)
        assert.ok(each.outside >= outside && each.outside + each.size <= outside + length)
      }
    }),
  )
})

test('who writes the map', () => {
  const own = [{ inside: 0, outside: 1000, size: 1 }]
  assert.deepEqual(resolveIdMap({ own: 0 }, 'uid', USER), { mappings: own, by: 'self' })
  assert.deepEqual(resolveIdMap({ ranges: own }, 'uid', USER), { mappings: own, by: 'self' })
  const range = { inside: 1, outside: 100000, size: 5 }
  assert.deepEqual(resolveIdMap({ own: 0, ranges: [range] }, 'uid', USER), { mappings: [...own, range], by: 'helper' })
  assert.deepEqual(resolveIdMap({ ranges: [range] }, 'uid', ROOT), { mappings: [range], by: 'caller' })
  const root = [{ inside: 0, outside: 0, size: 1 }]
  assert.deepEqual(resolveIdMap({ own: 0 }, 'uid', ROOT), { mappings: root, by: 'self' })
  assert.deepEqual(resolveIdMap({ own: 0 }, 'uid', { ...ROOT, owns: false }), { mappings: root, by: 'caller' })
  assert.equal(resolveIdMap({}, 'uid', ROOT), undefined)
})

test('ranges that can not be mapped are refused', () => {
  assert.throws(() => resolveIdMap({ ranges: ['auto'] }, 'uid', USER), /has no range in \/etc\/subuid\nGive it one/)
  const twice = { inside: 0, outside: 5, size: 3 }
  assert.throws(() => resolveIdMap({ ranges: [twice, { ...twice, outside: 50 }] }, 'gid', ROOT), /mapped twice/)
  assert.throws(() => resolveIdMap({ own: -1 }, 'uid', USER), /-1 is no id/)
  assert.throws(() => resolveIdMap({ ranges: [{ ...twice, size: 0 }] }, 'uid', ROOT), /size 0/)
})
