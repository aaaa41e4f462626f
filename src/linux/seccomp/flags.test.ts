import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { supportedSeccompFlags } from './flags.ts'

test('flags that every kernel since 4.17 has are supported, and asking sets no filter', () => {
  const flags = supportedSeccompFlags()
  for (const flag of ['TSYNC', 'LOG', 'SPEC_ALLOW']) {
    assert.ok(
      flags.some((each) => each === `SECCOMP_FILTER_FLAG_${flag}`),
      flag,
    )
  }
  assert.match(readFileSync('/proc/self/status', 'utf8'), /^Seccomp:\s+0$/m)
})
