import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseHardLimits } from './process-limits.ts'
import { RLIMIT_NAMES, RLIM_INFINITY, getRlimit } from './rlimit.ts'

test('hard limits, as the kernel of this host writes them and as it tells them by a system call', () => {
  const limits = parseHardLimits(readFileSync('/proc/self/limits', 'ascii'))
  for (const name of RLIMIT_NAMES) {
    assert.ok(name in limits, name)
    assert.equal(limits[name] ?? RLIM_INFINITY, getRlimit(name).hard, name)
  }
})

test('lines that are none of limits count for nothing', () => {
  assert.deepEqual(parseHardLimits('Limit  Soft Limit  Hard Limit  Units\nMax\nMax wishes  1  2  \n'), {})
})
