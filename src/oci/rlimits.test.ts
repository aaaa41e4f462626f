import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RLIM_INFINITY } from '../linux/rlimit.ts'
import { numberRlimits } from './rlimits.ts'

test('limits get the kernel’s numbers', () => {
  assert.deepEqual(numberRlimits([{ type: 'RLIMIT_NOFILE', soft: 1024, hard: RLIM_INFINITY }]), [
    { resource: 7, name: 'RLIMIT_NOFILE', soft: 1024n, hard: RLIM_INFINITY },
  ])
  assert.deepEqual(numberRlimits(), [])
})
