import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { ALL_CAPABILITIES, CAPABILITIES, capabilitySet } from './capability.ts'
import {
  capabilityLabels,
  checkKnownCapabilities,
  findCapabilityNumber,
  kernelCapabilities,
  parseCapabilityChanges,
  parseCapabilityList,
  parseCapabilityMask,
} from './capability-list.ts'
import { InputError } from './error.ts'

const all = kernelCapabilities()
const set64 = fc.bigInt(0n, 2n ** 64n - 1n)

test('labels are read as the set that they stand for', () => {
  fc.assert(
    fc.property(set64, (set) => {
      const read = capabilityLabels(set).reduce((sum, label) => sum | (1n << BigInt(findCapabilityNumber(label))), 0n)
      assert.equal(read, set)
    }),
  )
  assert.deepEqual(capabilityLabels(1n | (1n << 41n)), ['cap_chown', 'cap_41'])
})

test('a list is names, numbers, all and none', () => {
  assert.equal(parseCapabilityList('chown, CAP_KILL,cap_12'), capabilitySet(['chown', 'kill', 'net_admin']))
  assert.equal(parseCapabilityList('all'), all)
  assert.equal(parseCapabilityList('none'), 0n)
  assert.equal(parseCapabilityList('none,21'), capabilitySet(['sys_admin']))
  fc.assert(
    fc.property(fc.bigInt(1n, ALL_CAPABILITIES), (set) => {
      assert.equal(parseCapabilityList(capabilityLabels(set).join(',')), set)
    }),
  )
  for (const bad of ['', ',', 'chown,', 'chown kill', '64', 'cap_99', '-1', '0x1', 'cap_']) {
    assert.throws(() => parseCapabilityList(bad), InputError, bad)
  }
})

test('a list of signed words changes what there is', () => {
  const present = capabilitySet(['chown', 'kill'])
  assert.equal(parseCapabilityChanges('+net_raw,-kill', present), capabilitySet(['chown', 'net_raw']))
  assert.equal(parseCapabilityChanges('-all,+kill', present), capabilitySet(['kill']))
  assert.equal(parseCapabilityChanges('+all,-chown', present), all & ~capabilitySet(['chown']))
  assert.equal(parseCapabilityChanges('net_raw', present), capabilitySet(['net_raw']))
  assert.throws(() => parseCapabilityChanges('net_raw,-kill', present), /some words have a sign and some have none/)
  assert.throws(() => parseCapabilityChanges('-', present), InputError)
})

test('what the kernel does not know is refused, with its last', () => {
  checkKnownCapabilities(0x1fffn, 12)
  assert.throws(() => checkKnownCapabilities(0x2000n, 12), {
    message: /^cannot use capability cap_net_raw: this kernel knows none .*\nIts last is cap_net_admin \(12\)\.$/,
  })
  assert.throws(() => checkKnownCapabilities(7n << 40n, 40), /cannot use capabilities cap_41, cap_42: /)
  assert.equal(kernelCapabilities(40), ALL_CAPABILITIES)
  assert.throws(() => parseCapabilityList('63'), /cap_63/)
})

test('masks are read as the kernel writes them', () => {
  fc.assert(
    fc.property(set64, (set) => {
      const hex = set.toString(16)
      assert.equal(parseCapabilityMask(`0x${hex}`), set)
      assert.equal(parseCapabilityMask(hex.padStart(16, '0')), set)
      assert.equal(parseCapabilityMask(`CapBnd:\t${hex.padStart(16, '0')}\n`), set)
    }),
  )
  for (const other of ['', 'chown', '21', '0x', 'CapEff:', 'CapXyz: 0000000000000000', '0xg', '00000000a80425fg']) {
    assert.equal(parseCapabilityMask(other), undefined, other)
  }
  assert.throws(() => parseCapabilityMask(`0x1${'0'.repeat(16)}`), /more than 64 bits/)
  // No name of a capability looks like a mask.
  for (const { name } of CAPABILITIES) assert.equal(parseCapabilityMask(name.slice('CAP_'.length)), undefined)
})
