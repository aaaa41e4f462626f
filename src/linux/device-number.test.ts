import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { kernelDevice, splitDevice } from './device-number.ts'

/** makedev(3) of the C library. */
const makedev = (major: bigint, minor: bigint): bigint =>
  ((major & 0xfffff000n) << 32n) | ((major & 0xfffn) << 8n) | ((minor & 0xffffff00n) << 12n) | (minor & 0xffn)

test('the C library composes what is taken apart here', () => {
  const number = fc.integer({ min: 0, max: 0xffffffff })
  fc.assert(
    fc.property(number, number, (major, minor) => {
      assert.deepEqual(splitDevice(makedev(BigInt(major), BigInt(minor))), { major, minor })
    }),
  )
})

test('the null device is 1:3', () => {
  assert.deepEqual(splitDevice(statSync('/dev/null', { bigint: true }).rdev), { major: 1, minor: 3 })
})

test("the kernel's form is the C library's for all that it holds", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xfff }), fc.integer({ min: 0, max: 0xfffff }), (major, minor) => {
      assert.equal(BigInt(kernelDevice({ major, minor })), makedev(BigInt(major), BigInt(minor)))
    }),
  )
})
