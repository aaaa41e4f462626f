import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  ALL_CAPABILITIES,
  CAPABILITIES,
  capabilityNames,
  capabilityNumber,
  capabilitySet,
  decodeCapabilityData,
  encodeCapabilityData,
  encodeCapabilityHeader,
  findCapability,
  hasCapability,
  parseStatusCapabilities,
} from './capability.ts'
import { TareError } from './error.ts'
import { readProcessCapabilities } from './process-capability.ts'

const set64 = fc.bigInt(0n, 2n ** 64n - 1n)

test('there are 41 capabilities with a number and one sentence each', () => {
  assert.equal(CAPABILITIES.length, 41)
  const sentences = new Set<string>()
  for (const [index, { name, number, allows }] of CAPABILITIES.entries()) {
    assert.equal(number, index, name)
    assert.match(allows, /^[A-Z][^.]*\.$/, name)
    sentences.add(allows)
  }
  assert.equal(sentences.size, 41)
})

test("names and numbers are the kernel header's", (t) => {
  const header = '/usr/include/linux/capability.h'
  if (!existsSync(header)) return t.skip(`needs ${header}`)
  const defined = [...readFileSync(header, 'utf8').matchAll(/^#define (CAP_[A-Z_]+)\s+([0-9]+)\s*$/gm)]
  assert.equal(defined.length, 41)
  for (const [, name = '', number] of defined) assert.equal(findCapability(name).number, Number(number))
})

test('a capability is found by its name in any case, with or without CAP_', () => {
  for (const text of ['CAP_NET_ADMIN', 'cap_net_admin', 'net_admin', 'NET_ADMIN', 'Net_Admin']) {
    assert.equal(findCapability(text).name, 'CAP_NET_ADMIN')
  }
  assert.equal(capabilityNumber('CAP_CHECKPOINT_RESTORE'), 40)
})

test('an unknown name is refused, with the nearest one as a hint', () => {
  assert.throws(
    () => findCapability('CAP_SYSADMIN_X'),
    (error) => error instanceof TareError && error.code === 'ERR_TARE_INPUT',
  )
  assert.throws(() => findCapability('CAP_PTRACE'), /Did you mean cap_sys_ptrace\?/)
  assert.throws(() => findCapability('net_rwa'), /Did you mean cap_net_raw\?/)
  for (const text of ['', 'CAP_', 'all', 'toString', '12']) assert.throws(() => findCapability(text), TareError)
})

test('sets and names are each other’s reverse', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, ALL_CAPABILITIES), (set) => {
      assert.equal(capabilitySet(capabilityNames(set)), set)
    }),
  )
  assert.deepEqual(capabilityNames(1n | (1n << 21n) | (1n << 41n)), ['CAP_CHOWN', 'CAP_SYS_ADMIN', '41'])
  assert.equal(hasCapability(1n << 21n, 'CAP_SYS_ADMIN'), true)
  assert.equal(hasCapability(1n << 21n, 'CAP_CHOWN'), false)
})

test('the structures of capset(2) and capget(2) are each other’s reverse', () => {
  fc.assert(
    fc.property(set64, set64, set64, (effective, permitted, inheritable) => {
      const state = { effective, permitted, inheritable }
      assert.deepEqual(decodeCapabilityData(encodeCapabilityData(state)), state)
    }),
  )
  const bytes = encodeCapabilityData({ effective: 0x0000_0001_0000_0002n, permitted: 0xffn << 32n, inheritable: 3n })
  assert.equal(Buffer.from(bytes).toString('hex'), '02000000000000000300000001000000ff00000000000000')
  assert.equal(Buffer.from(encodeCapabilityHeader()).toString('hex'), '2205082000000000')
  assert.throws(() => decodeCapabilityData(new Uint8Array(12)), TareError)
})

test('the five sets are read from the status of a process', () => {
  const status = [
    'Name:\tx',
    'CapInh:\t0000000000000001',
    'CapPrm:\t000001ffffffffff',
    'CapEff:\t0000000000000004',
    'CapBnd:\t0000000000000008',
    'CapAmb:\t0000000000000010',
  ].join('\n')
  assert.deepEqual(parseStatusCapabilities(status), {
    inheritable: 1n,
    permitted: ALL_CAPABILITIES,
    effective: 4n,
    bounding: 8n,
    ambient: 16n,
  })
  assert.throws(() => parseStatusCapabilities(status.replace('CapBnd', 'CapBnx')), /no line CapBnd/)
  const own = readProcessCapabilities('thread-self')
  assert.equal(own.effective & ~own.permitted, 0n)
  assert.deepEqual(readProcessCapabilities(process.pid).bounding, own.bounding)
})

test('a process can name itself as it likes, and nothing else is read in that', () => {
  const sets = ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set, index) => `\nCap${set}:\t000000000000000${index}`).join('')
  for (const end of ['\r', '\u2028', '\u2029'])
    assert.equal(parseStatusCapabilities(`Name:\t${end}CapEff:9${sets}`).effective, 2n)
})

test('a process that is not there is named in the error', () => {
  assert.throws(() => readProcessCapabilities(4194305), /cannot read the capabilities of process 4194305: ENOENT/)
})
