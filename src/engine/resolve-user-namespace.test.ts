import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { checkIdMap, idOutside } from '../linux/idmap.ts'
import type { PlanHost } from '../runtime/plan/context.ts'
import { keepId, resolveUserNamespace } from './resolve-user-namespace.ts'

const host = (uid: number): PlanHost => ({
  privileged: uid === 0,
  uid,
  gid: uid,
  cgroups: undefined,
  kernelFile: () => undefined,
})
const needs = { more: false }

test('keep-id maps the caller to itself and every other id once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70_000 }), fc.integer({ min: 1, max: 70_000 }), (id, size) => {
      const map = keepId(id, [{ first: 100_000, size }])
      checkIdMap(map)
      assert.equal(idOutside(map, id), id)
      const total = map.reduce((sum, mapping) => sum + mapping.size, 0)
      assert.equal(total, size + 1)
    }),
  )
})

test('root gets a range that belongs to nobody', () => {
  for (let count = 0; count < 200; count++) {
    const found = resolveUserNamespace({}, host(0), needs)
    assert.ok(found.kind === 'mapped' && !found.helper)
    const [mapping] = found.uids
    assert.deepEqual([mapping?.inside, mapping?.size], [0, 65536])
    assert.ok((mapping?.outside ?? 0) >= 0x80000 && (mapping?.outside ?? 0) + 65535 <= 0x6fffffff)
    assert.deepEqual(found.gids, found.uids)
  }
})

test('an ordinary user gets its own id as root, without help', () => {
  assert.deepEqual(resolveUserNamespace({}, host(1000), needs), {
    kind: 'mapped',
    uids: [{ inside: 0, outside: 1000, size: 1 }],
    gids: [{ inside: 0, outside: 1000, size: 1 }],
    helper: false,
  })
})

test('only root may keep its own ids', () => {
  assert.deepEqual(resolveUserNamespace({ userns: 'host' }, host(0), needs), { kind: 'host' })
  assert.throws(() => resolveUserNamespace({ userns: 'host' }, host(1000), needs), { code: 'ERR_TARE_INPUT' })
})

test('mappings without root, or twice the same, are refused', () => {
  const uidMappings = [{ inside: 1, outside: 1000, size: 1 }]
  assert.throws(() => resolveUserNamespace({ uidMappings }, host(0), needs), /they leave out id 0/)
  const twice = [
    { inside: 0, outside: 1000, size: 10 },
    { inside: 5, outside: 2000, size: 10 },
  ]
  assert.throws(() => resolveUserNamespace({ uidMappings: twice }, host(0), needs), { code: 'ERR_TARE_INPUT' })
  assert.throws(() => resolveUserNamespace({ uidMappings, userns: 'auto' }, host(0), needs), /given too/)
})

test('mappings beyond the caller take help, unless it is root', () => {
  const uidMappings = [{ inside: 0, outside: 100_000, size: 10 }]
  const kind = (uid: number) => resolveUserNamespace({ uidMappings }, host(uid), needs)
  const root = kind(0)
  assert.ok(root.kind === 'mapped' && !root.helper)
  const ordinary = kind(1000)
  assert.ok(ordinary.kind === 'mapped' && ordinary.helper)
})
