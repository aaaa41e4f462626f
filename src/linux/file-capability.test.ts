import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import { decodeFileCapabilities, encodeFileCapabilities } from './file-capability.ts'

const set64 = fc.bigInt(0n, 2n ** 64n - 1n)
const common = { permitted: set64, inheritable: set64, effective: fc.boolean() }
const rootId = fc.integer({ min: 0, max: 0xfffffffe })

test('revision 2 is what is encoded without a root id', () => {
  fc.assert(
    fc.property(fc.record(common), (capabilities) => {
      const bytes = encodeFileCapabilities(capabilities)
      assert.equal(bytes.length, 20)
      assert.deepEqual(decodeFileCapabilities(bytes), { revision: 2, ...capabilities })
    }),
  )
})

test('revision 3 is what is encoded with one', () => {
  fc.assert(
    fc.property(fc.record({ ...common, rootId }), (capabilities) => {
      const bytes = encodeFileCapabilities(capabilities)
      assert.equal(bytes.length, 24)
      assert.deepEqual(decodeFileCapabilities(bytes), { revision: 3, ...capabilities })
    }),
  )
})

test('the bytes are those that other tools write', () => {
  // setcap cap_net_raw=ep
  const bytes = Buffer.from('0100000200200000000000000000000000000000', 'hex')
  const capabilities = { permitted: 1n << 13n, inheritable: 0n, effective: true }
  assert.deepEqual(decodeFileCapabilities(bytes), { revision: 2, ...capabilities })
  assert.deepEqual(Buffer.from(encodeFileCapabilities(capabilities)), bytes)
})

test('revision 1 is read', () => {
  const bytes = Buffer.from('010000010020000004000000', 'hex')
  assert.deepEqual(decodeFileCapabilities(bytes), {
    revision: 1,
    permitted: 1n << 13n,
    inheritable: 4n,
    effective: true,
  })
})

test('bytes of any other form are refused, and none crash', () => {
  const size = (revision: number): number | undefined =>
    new Map([
      [1, 12],
      [2, 20],
      [3, 24],
    ]).get(revision)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      if (size(bytes[3] ?? 0) === bytes.length) decodeFileCapabilities(bytes)
      else assert.throws(() => decodeFileCapabilities(bytes), TareError)
    }),
  )
})

test('sets and root ids out of range are refused', () => {
  const base = { permitted: 0n, inheritable: 0n, effective: false }
  assert.throws(() => encodeFileCapabilities({ ...base, permitted: 1n << 64n }), /64 bits/)
  assert.throws(() => encodeFileCapabilities({ ...base, inheritable: -1n }), /64 bits/)
  assert.throws(() => encodeFileCapabilities({ ...base, rootId: 0xffffffff }), /no user id/)
  assert.throws(() => encodeFileCapabilities({ ...base, rootId: 1.5 }), /no user id/)
})
