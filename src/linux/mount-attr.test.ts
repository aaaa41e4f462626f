import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import { O_CREAT, O_PATH } from './fcntl.ts'
import { encodeMountAttr } from './mount-attr.ts'
import { MOUNT_ATTR__ATIME, MOUNT_ATTR_IDMAP, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NOSUID, MS_SLAVE } from './mount-flags.ts'
import { encodeOpenHow, RESOLVE_IN_ROOT } from './open-how.ts'

const words = (bytes: Uint8Array): readonly bigint[] => [...new BigUint64Array(bytes.slice().buffer)]

test('struct mount_attr has four words', () => {
  assert.deepEqual(words(encodeMountAttr({})), [0n, 0n, 0n, 0n])
  const attr = { set: MOUNT_ATTR_NOSUID, clear: 1, propagation: 'slave', usernsFd: 7 } as const
  const expected = [BigInt(MOUNT_ATTR_NOSUID | MOUNT_ATTR_IDMAP), 1n, BigInt(MS_SLAVE), 7n]
  assert.deepEqual(words(encodeMountAttr(attr)), expected)
  assert.deepEqual(words(encodeMountAttr({ usernsFd: 0 })), [BigInt(MOUNT_ATTR_IDMAP), 0n, 0n, 0n])
})

test('what the kernel refuses with EINVAL is refused with a reason', () => {
  assert.throws(() => encodeMountAttr({ set: MOUNT_ATTR_NOATIME }), /without clearing/)
  assert.throws(() => encodeMountAttr({ clear: MOUNT_ATTR_NOATIME }), /only a part/)
  assert.throws(() => encodeMountAttr({ set: MOUNT_ATTR_IDMAP }), /needs a user namespace/)
  assert.equal(encodeMountAttr({ set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME }).length, 32)
})

test('struct open_how has three words', () => {
  const how = { flags: O_CREAT | O_PATH, mode: 0o644, resolve: RESOLVE_IN_ROOT }
  assert.deepEqual(words(encodeOpenHow(how)), [BigInt(O_CREAT | O_PATH), 0o644n, 0x10n])
  const any = fc.nat({ max: 0x7fffffff })
  fc.assert(
    fc.property(any, fc.nat({ max: 0o7777 }), any, (flags, mode, resolve) => {
      assert.deepEqual(words(encodeOpenHow({ flags, mode, resolve })), [BigInt(flags), BigInt(mode), BigInt(resolve)])
    }),
  )
  for (const mode of [-1, 0o10000, 0.5, Number.NaN]) {
    assert.throws(() => encodeOpenHow({ flags: 0, mode }), TareError)
  }
})
