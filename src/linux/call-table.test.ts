import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'

import { binding } from './binding.ts'
import { CallTable } from './call-table.ts'
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from './fcntl.ts'

const EBADF = 9
const ENOENT = 2

/** Opens a file, reads it, closes it. */
const reader = (path: string | Uint8Array, into: Uint8Array): CallTable =>
  new CallTable([
    ['openat', AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0],
    ['read', { resultOf: 0 }, into, into.length],
    ['close', { resultOf: 0 }],
  ])

test('calls take what earlier ones returned', () => {
  const bytes = Buffer.alloc(4096)
  const table = reader('/proc/self/stat', bytes)
  const before = readdirSync('/proc/self/fd').length
  for (let time = 0; time < 3; time++) {
    table.run()
    assert.ok(table.result(0) > 2)
    assert.equal(bytes.toString('latin1', 0, 5), readFileSync('/proc/self/stat', 'latin1').slice(0, 5))
    assert.equal(table.result(2), 0)
  }
  assert.equal(readdirSync('/proc/self/fd').length, before)
})

test('a call whose argument failed is not made', () => {
  const path = Buffer.from('/proc/self/no-such-file\0')
  const bytes = Buffer.alloc(16)
  const table = reader(path, bytes)
  table.run()
  assert.deepEqual(
    [0, 1, 2].map((call) => table.result(call)),
    [-ENOENT, -ENOENT, -ENOENT],
  )
  path.write('/proc/self/comm\0')
  table.run()
  assert.equal(bytes.toString('latin1', 0, table.result(1)), readFileSync('/proc/self/comm', 'latin1'))
})

test('numbers can be changed between runs', () => {
  const table = new CallTable([['close', -1]])
  table.run()
  assert.equal(table.result(0), -EBADF)
  const dup = new CallTable([
    ['dup', 0],
    ['close', { resultOf: 0 }],
  ])
  for (const [fd, works] of [
    [1, true],
    [-1, false],
    [2, true],
  ] as const) {
    dup.setNumber(0, 0, fd)
    dup.run()
    assert.equal(dup.result(0) >= 0, works)
    assert.equal(dup.result(1), works ? 0 : -EBADF)
  }
})

test('a table that is none, or takes results that are not there yet, is refused', () => {
  assert.throws(() => binding.calls(new BigInt64Array(8)), TypeError)
  assert.throws(() => Reflect.apply(binding.calls, binding, [new Float64Array(9)]), TypeError)
  assert.throws(() => Reflect.apply(binding.calls, binding, []), TypeError)
  assert.throws(() => new CallTable([['close', { resultOf: 0 }]]).run(), TypeError)
  assert.throws(() => new CallTable([['close', { resultOf: -1 }]]).run(), TypeError)
  new CallTable([]).run()
})
