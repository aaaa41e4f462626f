import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { InputError } from './error.ts'
import { parseSecurebits, securebitLabel, securebitsMask, securebitsNames } from './securebits.ts'

test('names and bits are each other’s reverse, in words too', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }), (mask, other) => {
      const names = securebitsNames(mask)
      assert.equal(securebitsMask(names), mask)
      const present = securebitsNames(other)
      assert.deepEqual(parseSecurebits(names.map(securebitLabel).join(',') || 'none', present), names)
      if (mask !== 0) {
        const added = parseSecurebits(names.map((name) => `+${securebitLabel(name)}`).join(','), present)
        assert.equal(securebitsMask(added), other | mask)
        assert.equal(securebitsMask(parseSecurebits(names.map((name) => `-${name}`).join(','), present)), other & ~mask)
      }
    }),
  )
  assert.throws(() => securebitsNames(256), InputError)
})

test('what is no list of securebits is refused', () => {
  assert.throws(() => parseSecurebits('noroto', []), /there is none of that name\nDid you mean noroot\?/)
  assert.throws(() => parseSecurebits('noroot,-keep_caps', []), /some words have a sign/)
  for (const bad of ['', ',', '+', 'noroot,']) assert.throws(() => parseSecurebits(bad, []), InputError, bad)
})
