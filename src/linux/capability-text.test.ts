import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { ALL_CAPABILITIES, capabilitySet } from './capability.ts'
import { formatCapabilityText, parseCapabilityText } from './capability-text.ts'
import { TareError } from './error.ts'

const set64 = fc.bigInt(0n, 2n ** 64n - 1n)
const of = (...names: string[]): bigint => capabilitySet(names)

test('what is written is read as the same sets', () => {
  fc.assert(
    fc.property(set64, set64, set64, (effective, permitted, inheritable) => {
      const state = { effective, permitted, inheritable }
      assert.deepEqual(parseCapabilityText(formatCapabilityText(state)), state)
    }),
  )
})

test('sets of a few capabilities are read as the same sets', () => {
  const few = fc.subarray(
    Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit)),
    { maxLength: 4 },
  )
  const set = few.map((bits) => bits.reduce((all, bit) => all | bit, 0n))
  fc.assert(
    fc.property(set, set, set, (effective, permitted, inheritable) => {
      const state = { effective, permitted, inheritable }
      assert.deepEqual(parseCapabilityText(formatCapabilityText(state)), state)
    }),
  )
})

test('clauses apply in their order', () => {
  const read = (text: string): Record<string, bigint> => ({ ...parseCapabilityText(text) })
  assert.deepEqual(read('cap_chown=p cap_chown+e'), { effective: 1n, permitted: 1n, inheritable: 0n })
  assert.deepEqual(read('cap_fowner+p-i'), read('cap_fowner+p cap_fowner-i'))
  assert.deepEqual(read('cap_fowner+pe-i'), read('cap_fowner=+pe'))
  assert.deepEqual(read('=i cap_kill=-i').inheritable, ALL_CAPABILITIES & ~of('CAP_KILL'))
  assert.deepEqual(read('all=pe cap_chown-e cap_kill-pe'), {
    effective: ALL_CAPABILITIES & ~of('CAP_CHOWN', 'CAP_KILL'),
    permitted: ALL_CAPABILITIES & ~of('CAP_KILL'),
    inheritable: 0n,
  })
  assert.deepEqual(read(' \t0,0x15,025=p\n').permitted, of('CAP_CHOWN', 'CAP_SYS_ADMIN'))
  for (const empty of ['', '=', 'all=', 'ALL=']) {
    assert.deepEqual(read(empty), { effective: 0n, permitted: 0n, inheritable: 0n })
  }
})

test('the usual texts are written', () => {
  const write = (text: string): string => formatCapabilityText(parseCapabilityText(text))
  assert.equal(write('cap_chown=p cap_chown+e'), 'cap_chown=ep')
  assert.equal(write('all=pe cap_chown-e cap_kill-pe'), '=ep cap_chown-e cap_kill-ep')
  assert.equal(write(''), '=')
  assert.equal(write('cap_kill,cap_chown+eip 41+p'), 'cap_chown,cap_kill=eip 41+p')
})

test('what cap_from_text(3) refuses is refused', () => {
  const bad = [
    'cap_chown',
    'cap_chown+',
    'cap_chown=+',
    'cap_chown=p+',
    'cap_chown==p',
    'cap_chown=x',
    'cap_chown=E',
    'cap_none=p',
    'chown=p',
    '+p',
    '-p',
    '=+p',
    '=p-e',
    ',cap_chown=p',
    'cap_chown,=p',
    'cap_chown, cap_kill=p',
    'cap_chown =p',
    '64=p',
    '08=p',
    '0x=p',
  ]
  for (const text of bad) assert.throws(() => parseCapabilityText(text), TareError, text)
})

test('what is wrong with a text is said, and where', () => {
  const reasons: readonly (readonly [text: string, reason: RegExp])[] = [
    ['cap_chown=ep cap_kil=p', /"cap_chown=ep cap_kil=p": there is no capability "cap_kil"\nDid you mean cap_kill\?$/],
    ['net_raw=p', /no capability "net_raw"\nDid you mean cap_net_raw\?$/],
    ['cap_chown,=p', /a name is missing at a comma\n/],
    ['cap_chown', /"cap_chown" has no =, \+ or -\nA clause is /],
    ['cap_chown=epx', /in "cap_chown=epx", "x" is wrong as character 13\n/],
    ['cap_chown=p=e', /in "cap_chown=p=e", "=" is wrong as character 12\n/],
    ['cap_chown=p+', /in "cap_chown=p\+", "\+" is wrong as character 12\n/],
    ['cap_chown:p', /in "cap_chown:p", ":" is wrong as character 10\n/],
    ['cap_chown+', /"cap_chown\+" says nothing after \+\n/],
    ['+p', /"\+p" names no capabilities\n/],
    ['99=p', /no capability "99"\n/],
  ]
  for (const [text, reason] of reasons) assert.throws(() => parseCapabilityText(text), { message: reason })
})
