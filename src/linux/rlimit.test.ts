import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import {
  decodeRlimit,
  encodeRlimit,
  findRlimit,
  formatRlimit,
  getRlimit,
  parseRlimit,
  RLIM_INFINITY,
  RLIMIT_NAMES,
  rlimitNumber,
} from './rlimit.ts'

const value = fc.oneof(fc.bigInt(0n, RLIM_INFINITY), fc.constant(RLIM_INFINITY))

test('the 16 limits have the numbers of the kernel header', (t) => {
  assert.equal(RLIMIT_NAMES.length, 16)
  const header = '/usr/include/asm-generic/resource.h'
  if (!existsSync(header)) return t.skip(`needs ${header}`)
  const text = readFileSync(header, 'utf8')
  for (const name of RLIMIT_NAMES) {
    assert.equal(Number(new RegExp(`define ${name}\\s+([0-9]+)`).exec(text)?.[1]), rlimitNumber(name), name)
  }
})

test('a limit is read as it is written', () => {
  assert.deepEqual(parseRlimit('nofile=1024:2048'), { name: 'RLIMIT_NOFILE', soft: 1024n, hard: 2048n })
  assert.deepEqual(parseRlimit('RLIMIT_CORE=0'), { name: 'RLIMIT_CORE', soft: 0n, hard: 0n })
  assert.deepEqual(parseRlimit('stack=8192:-1').hard, RLIM_INFINITY)
  assert.deepEqual(parseRlimit('stack=unlimited').soft, RLIM_INFINITY)
  fc.assert(
    fc.property(fc.constantFrom(...RLIMIT_NAMES), value, value, (name, a, b) => {
      const limit = { name, soft: a < b ? a : b, hard: a < b ? b : a }
      assert.deepEqual(parseRlimit(formatRlimit(limit)), limit)
    }),
  )
})

test('nonsense is refused', () => {
  const bad = ['', 'nofile', 'nofile=', 'nofile=:', 'nofile=1:', 'nofile=:1', 'nofile=1:2:3', 'nofile=2:1', 'x=1']
  for (const text of [...bad, 'nofile=-2', 'nofile=1k', 'nofile=18446744073709551616', '=1', 'nofile=-1:5']) {
    assert.throws(() => parseRlimit(text), TareError, text)
  }
  assert.throws(() => findRlimit('files'), /There are cpu, fsize/)
})

test('struct rlimit64 is encoded and decoded', () => {
  fc.assert(
    fc.property(value, value, (soft, hard) => {
      assert.deepEqual(decodeRlimit(encodeRlimit({ soft, hard })), { soft, hard })
    }),
  )
  assert.throws(() => encodeRlimit({ soft: -1n, hard: 0n }), TareError)
  assert.throws(() => decodeRlimit(new Uint8Array(8)), TareError)
})

test('limits are those that /proc shows', () => {
  const line = /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  const { soft, hard } = getRlimit('RLIMIT_NOFILE')
  const text = (limit: bigint): string => (limit === RLIM_INFINITY ? 'unlimited' : `${limit}`)
  assert.deepEqual([text(soft), text(hard)], [line?.[1], line?.[2]])
})
