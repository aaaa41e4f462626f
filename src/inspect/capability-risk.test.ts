import assert from 'node:assert/strict'
import { test } from 'node:test'

import { CAPABILITIES, findCapability } from '../linux/capability.ts'
import type { RiskNeed } from './capability-risk.ts'
import { CAPABILITY_RISKS, openCapabilityRisks } from './capability-risk.ts'

const open = (names: readonly string[], initialUserNamespace: boolean, ...met: readonly RiskNeed[]) =>
  openCapabilityRisks(new Set(names), { initialUserNamespace, meets: (need) => met.includes(need) }).map(
    ({ capability, gain }) => `${capability} ${gain}`,
  )

test('every way out is one sentence, and they are in the order of the numbers', () => {
  const numbers = CAPABILITY_RISKS.map(({ capability }) => findCapability(capability).number)
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  )
  for (const { how } of CAPABILITY_RISKS) assert.match(how, /^[A-Z].*[^.]\.$/)
  assert.equal(new Set(CAPABILITY_RISKS.map(({ how }) => how)).size, CAPABILITY_RISKS.length)
})

test('what is open depends on where the process is', () => {
  assert.deepEqual(open(['CAP_SYS_MODULE'], true), ['CAP_SYS_MODULE takeover'])
  assert.deepEqual(open(['CAP_SYS_MODULE'], false), [])
  assert.deepEqual(open(['CAP_SYS_PTRACE'], true), [])
  assert.deepEqual(open(['CAP_SYS_PTRACE'], true, 'shared-pid'), ['CAP_SYS_PTRACE takeover'])
  assert.deepEqual(open(['CAP_CHOWN', 'CAP_KILL'], false, 'host-files', 'shared-pid'), ['CAP_CHOWN takeover'])
  assert.deepEqual(open(['CAP_NET_RAW'], false, 'shared-net'), ['CAP_NET_RAW tamper'])
})

test('some ways take two capabilities', () => {
  assert.deepEqual(open(['CAP_BPF'], true), [])
  assert.deepEqual(open(['CAP_BPF', 'CAP_PERFMON'], true), ['CAP_PERFMON read', 'CAP_BPF read'])
})

test('the gravest come first', () => {
  const all = CAPABILITIES.map(({ name }) => name)
  const gains = open(all, true).map((line) => line.split(' ')[1])
  assert.equal(gains[0], 'takeover')
  assert.equal(gains.at(-1), 'disturb')
  assert.deepEqual(open([], true), [])
})
