import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import { keyPermissions, parseKeyDescription } from './keyring.ts'
import { decodePersonality, encodePersonality, getPersonality, PERSONALITY_FLAGS } from './personality.ts'
import type { PersonalityFlag } from './personality.ts'
import { SECUREBITS, securebitsMask, securebitsNames } from './securebits.ts'
import type { Securebit } from './securebits.ts'

const flagNames: readonly PersonalityFlag[] = [
  'UNAME26',
  'ADDR_NO_RANDOMIZE',
  'FDPIC_FUNCPTRS',
  'MMAP_PAGE_ZERO',
  'ADDR_COMPAT_LAYOUT',
  'READ_IMPLIES_EXEC',
  'ADDR_LIMIT_32BIT',
  'SHORT_INODE',
  'WHOLE_SECONDS',
  'STICKY_TIMEOUTS',
  'ADDR_LIMIT_3GB',
]

test('personalities are encoded and decoded', () => {
  assert.deepEqual(Object.keys(PERSONALITY_FLAGS), flagNames)
  fc.assert(
    fc.property(fc.constantFrom('LINUX', 'LINUX32'), fc.subarray([...flagNames]), (domain, flags) => {
      assert.deepEqual(decodePersonality(encodePersonality({ domain, flags })), { domain, flags })
    }),
  )
  assert.equal(encodePersonality({ domain: 'LINUX32', flags: ['ADDR_NO_RANDOMIZE'] }), 0x40008)
  for (const word of [1, 0x10, 0x10000, 0x10000000]) assert.throws(() => decodePersonality(word), TareError)
  assert.equal(getPersonality().domain, 'LINUX')
})

test('securebits are encoded and decoded', () => {
  const names: readonly Securebit[] = [
    'SECBIT_NOROOT',
    'SECBIT_NOROOT_LOCKED',
    'SECBIT_NO_SETUID_FIXUP',
    'SECBIT_NO_SETUID_FIXUP_LOCKED',
    'SECBIT_KEEP_CAPS',
    'SECBIT_KEEP_CAPS_LOCKED',
    'SECBIT_NO_CAP_AMBIENT_RAISE',
    'SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED',
  ]
  assert.deepEqual(Object.keys(SECUREBITS), names)
  for (let mask = 0; mask < 256; mask++) assert.equal(securebitsMask(securebitsNames(mask)), mask)
  assert.throws(() => securebitsNames(256), TareError)
})

test('permissions and descriptions of keys', () => {
  assert.equal(keyPermissions({ possessor: 0x3f, user: 0x01 }), 0x3f010000)
  assert.equal(keyPermissions({ possessor: 0xff, other: 1 }), 0xff000001)
  assert.deepEqual(parseKeyDescription('keyring;1000;-1;3f030000;_ses'), undefined)
  assert.deepEqual(parseKeyDescription('keyring;1000;100;3f030000;a;b'), {
    type: 'keyring',
    uid: 1000,
    gid: 100,
    permissions: 0x3f030000,
    description: 'a;b',
  })
})
