import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodePlan } from '../plan/encode.ts'
import { DataBuilder } from '../plan/data.ts'
import type { Promised } from './promise.ts'
import { decodePromise, encodePromise } from './promise.ts'

const text = fc.string({ unit: 'grapheme' })
const mask = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => value.toString(16))

const promises = fc.record<Promised, keyof Promised>(
  {
    namespaces: fc.array(text),
    uids: text,
    gids: text,
    permitted: mask,
    bounding: mask,
    noNewPrivileges: fc.boolean(),
    filter: fc.nat(),
    readOnlyRoot: fc.boolean(),
    mounts: fc.array(fc.record({ target: text, options: fc.array(text), recursive: fc.boolean() })),
    hidden: fc.array(text),
    readOnly: fc.array(text),
    devices: fc.array(text),
    memory: fc.nat(),
    pids: fc.nat(),
    cpus: fc.nat(),
  },
  {
    requiredKeys: [
      'namespaces', 'permitted', 'bounding', 'noNewPrivileges', 'filter', 'readOnlyRoot', 'mounts', 'hidden', 'readOnly',
      'devices',
    ],
  },
) // prettier-ignore

const planWith = (promised: Promised): Uint8Array => {
  const data = new DataBuilder()
  data.add(encodePromise(promised), 'what is promised')
  data.string('/usr')
  return encodePlan([], data, 'x86_64')
}

test('what a plan promises is read back from its bytes', () => {
  fc.assert(
    fc.property(promises, (promised) => {
      assert.deepEqual(
        JSON.parse(JSON.stringify(decodePromise(planWith(promised)))),
        JSON.parse(JSON.stringify(promised)),
      )
    }),
  )
})

test('bytes that are none of ours promise nothing', () => {
  assert.equal(decodePromise(new Uint8Array()), undefined)
  const data = new DataBuilder()
  data.string('/usr')
  assert.equal(decodePromise(encodePlan([], data, 'x86_64')), undefined, 'a plan without')
  fc.assert(
    fc.property(promises, fc.nat(), fc.nat({ max: 255 }), fc.nat(), (promised, at, byte, length) => {
      const plan = planWith(promised)
      plan[at % plan.length] = byte
      // Whatever is there is taken or left; it never fails.
      void decodePromise(plan.subarray(0, length % plan.length))
      void decodePromise(plan)
    }),
  )
})
