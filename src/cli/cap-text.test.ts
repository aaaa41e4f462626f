import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CAPABILITY_RISKS } from '../index.ts'
import { CAPABILITIES, capabilitySet, kernelCapabilities } from '../linux/index.ts'
import {
  capabilityLetters,
  capabilityNumbers,
  capabilitySentence,
  capabilitySetText,
  realmText,
  riskCondition,
  termLines,
} from './cap-text.ts'
import type { Terminal } from './terminal.ts'
import { displayWidth } from './text.ts'

const same = (text: string): string => text

const terminal = (lineWidth: number | undefined): Terminal => ({
  interactive: lineWidth !== undefined,
  columns: lineWidth ?? 80,
  lineWidth,
  style: { bold: same, dim: same, red: same, green: same, yellow: same },
  print: () => {},
  warn: () => {},
})

test('sets are written as short as they can be', () => {
  const known = kernelCapabilities(40)
  assert.equal(capabilitySetText(0n, known), 'none')
  assert.equal(capabilitySetText(known, known), 'all 41')
  assert.equal(capabilitySetText(known & ~capabilitySet(['sys_time', 'bpf']), known), 'all but cap_sys_time, cap_bpf')
  assert.equal(capabilitySetText(capabilitySet(['kill', 'chown']), known), 'cap_chown, cap_kill')
})

test('what a newer kernel knows is named by its number, and counts', () => {
  const newer = kernelCapabilities(42)
  assert.equal(capabilitySetText(newer, newer), 'all 43')
  assert.equal(capabilitySetText(newer & ~(1n << 42n), newer), 'all but cap_42')
  assert.equal(capabilitySetText(1n << 41n, newer), 'cap_41')
  assert.match(capabilitySentence(41), /^Unknown: it is newer/)
  assert.equal(capabilitySentence(0), CAPABILITIES[0]?.allows)
  assert.deepEqual(capabilityNumbers((1n << 63n) | 1n), [0, 63])
  // An older one: what it lacks isn't missing.
  assert.equal(capabilitySetText(kernelCapabilities(37), kernelCapabilities(37)), 'all 38')
})

test('letters say which sets hold a capability', () => {
  const sets = { permitted: 1n, effective: 2n, inheritable: 4n, bounding: 7n, ambient: 0n }
  assert.deepEqual(
    [0, 1, 2, 3].map((number) => capabilityLetters(sets, number)),
    ['p..b.', '.e.b.', '..ib.', '.....'],
  )
})

test('lines go on below their column on a terminal, and are whole elsewhere', () => {
  const text = 'one two three four five six seven eight nine ten eleven twelve thirteen'
  assert.equal(termLines([['term', text]], terminal(undefined), 8), `term    ${text}\n`)
  const lines = termLines([['term', text]], terminal(40), 8)
    .trimEnd()
    .split('\n')
  assert.ok(lines.length > 1)
  for (const line of lines) assert.ok(displayWidth(line) <= 40, line)
  for (const line of lines.slice(1)) assert.match(line, /^ {8}\S/)
  assert.equal(termLines([['a\u001b', 'b\u0007']], terminal(undefined), 8), 'a\\x1b   b\\x07\n')
})

test('user namespaces are told with who is root of them', () => {
  assert.equal(realmText(undefined), 'may not be known')
  assert.equal(realmText({ inode: 5, initial: true, rootUid: 0 }), "user:[5], the host's own")
  assert.equal(realmText({ inode: 5, initial: false, rootUid: 1000 }), 'user:[5], its root is user 1000 outside')
  assert.equal(realmText({ inode: 5, initial: false, rootUid: undefined }), 'user:[5], nobody outside is root of it')
})

test('conditions of a way out are words', () => {
  const conditions = new Set(CAPABILITY_RISKS.map(riskCondition))
  assert.ok(conditions.has(''))
  assert.ok(conditions.has("with the host's pid namespace and cap_sys_chroot"))
  assert.ok(conditions.has('in any user namespace'))
  for (const condition of conditions) assert.doesNotMatch(condition, /undefined|shared-|host-/)
})
