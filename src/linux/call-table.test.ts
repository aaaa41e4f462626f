import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

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

test('the parts of a table each have memory, numbers and results of their own', () => {
  const PARTS = 500
  const before = readdirSync('/proc/self/fd').length
  const table = new CallTable(
    [
      ['openat', AT_FDCWD, { own: 0 }, O_RDONLY | O_CLOEXEC, 0],
      ['read', { resultOf: 0 }, { own: 32 }, 0],
      ['close', { resultOf: 0 }],
      ['close', -1],
    ],
    { parts: PARTS, room: 64 },
  )
  const text = readFileSync('/proc/self/comm', 'latin1')
  for (const parts of [PARTS, 1, 7, 8, 9, 0]) {
    table.memory.fill(0)
    for (let part = 0; part < PARTS; part++) {
      table.memory.write(part % 3 === 0 ? '/proc/self/none' : '/proc/self/comm', part * 64, 'latin1')
      table.setNumber(1, 2, part % 5, part)
      table.setNumber(3, 0, -1 - part, part)
    }
    table.run(parts)
    for (let part = 0; part < parts; part++) {
      const length = part % 3 === 0 ? -ENOENT : Math.min(part % 5, text.length)
      assert.equal(table.result(1, part), length)
      assert.equal(table.result(2, part), part % 3 === 0 ? -ENOENT : 0)
      assert.equal(table.result(3, part), -EBADF)
      const from = part * 64 + 32
      assert.equal(
        table.memory.toString('latin1', from, from + 5).replace(/\0+$/, ''),
        text.slice(0, Math.max(0, length)),
      )
    }
    // Nothing was done for the others.
    for (let part = parts; part < PARTS; part++) assert.equal(table.memory[part * 64 + 32], 0)
  }
  assert.equal(readdirSync('/proc/self/fd').length, before)
})

test('two threads share the parts, and the second one ends', async () => {
  const PARTS = 3000
  const table = new CallTable([['gettid'], ['nanosleep', { own: 0 }, 0]], { parts: PARTS, room: 16 })
  // 10 microseconds.
  for (let part = 0; part < PARTS; part++) table.memory.fill(0, part * 16).writeUInt32LE(10_000, part * 16 + 8)
  const run = (): ReadonlySet<number> => {
    table.run()
    return new Set(Array.from({ length: PARTS }, (_, part) => table.result(0, part)))
  }
  let threads = run()
  // While the helper of an earlier test has not ended, there is none.
  while (threads.size === 1) threads = run()
  assert.equal(threads.size, 2)
  assert.ok(threads.has(process.pid))
  // It is gone a moment after.
  const tasks = (): readonly number[] => readdirSync('/proc/self/task').map(Number)
  const helper = [...threads].find((tid) => tid !== process.pid) ?? 0
  while (tasks().includes(helper)) await delay(1)
})

test('a table that is none, or takes results that are not there yet, is refused', () => {
  assert.throws(() => binding.calls(new BigInt64Array(8), 1, 1, false), TypeError)
  assert.throws(() => Reflect.apply(binding.calls, binding, [new Float64Array(9), 1, 1, false]), TypeError)
  assert.throws(() => Reflect.apply(binding.calls, binding, []), TypeError)
  assert.throws(() => Reflect.apply(binding.calls, binding, [new BigInt64Array(9), 1, 1]), TypeError)
  assert.throws(() => binding.calls(new BigInt64Array(18), 1, 3, false), TypeError)
  assert.throws(() => binding.calls(new BigInt64Array(18), 3, 1, false), TypeError)
  // A part doesn't see the results of another one.
  const table = new BigInt64Array(18)
  table.set([3n, 0n], 9)
  table[9 + 7] = 1n
  assert.throws(() => binding.calls(table, 1, 2, true), TypeError)
  assert.throws(() => binding.calls(new BigInt64Array(9), 0xffffffff, 0xffffffff, false), TypeError)
  assert.throws(() => new CallTable([['close', { resultOf: 0 }]]).run(), TypeError)
  assert.throws(() => new CallTable([['close', { resultOf: -1 }]]).run(), TypeError)
  new CallTable([]).run()
})
