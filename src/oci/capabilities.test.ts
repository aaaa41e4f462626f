import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_CAPABILITIES, capabilitySet } from '../linux/capability.ts'
import { grantCapabilities } from './capabilities.ts'

test('each list becomes its set', () => {
  const granted = grantCapabilities({ bounding: ['CAP_CHOWN', 'CAP_KILL'], ambient: ['CAP_KILL'] }, ALL_CAPABILITIES)
  assert.equal(granted.bounding, capabilitySet(['CAP_CHOWN', 'CAP_KILL']))
  assert.equal(granted.ambient, capabilitySet(['CAP_KILL']))
  assert.equal(granted.permitted, 0n)
  assert.deepEqual(granted.refused, [])
})

test('what does not exist or cannot be given is left out and told once', () => {
  const names = ['CAP_SYS_TIME', 'CAP_TELEPORT', 'cap_chown', 'CAP_CHOWN']
  const granted = grantCapabilities({ bounding: names, permitted: names }, capabilitySet(['CAP_CHOWN']))
  assert.equal(granted.bounding, capabilitySet(['CAP_CHOWN']))
  assert.equal(granted.permitted, granted.bounding)
  assert.deepEqual(granted.refused, ['CAP_SYS_TIME', 'CAP_TELEPORT', 'cap_chown'])
})

test('without any there are none', () => {
  assert.equal(grantCapabilities(undefined, ALL_CAPABILITIES).bounding, 0n)
})
