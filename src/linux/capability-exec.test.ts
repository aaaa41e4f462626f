import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { ProcessCapabilities } from './capability.ts'
import { ALL_CAPABILITIES, capabilitySet } from './capability.ts'
import { chooseCapabilities } from './capability-choice.ts'
import { capabilitiesAfterExec } from './capability-exec.ts'
import { TareError } from './error.ts'

const root: ProcessCapabilities = {
  permitted: ALL_CAPABILITIES,
  effective: ALL_CAPABILITIES,
  inheritable: 0n,
  bounding: ALL_CAPABILITIES,
  ambient: 0n,
}
const ordinary: ProcessCapabilities = { ...root, permitted: 0n, effective: 0n }
const asRoot = { uid: 0, securebits: [], noNewPrivs: false } as const
const asUser = { uid: 1000, securebits: [], noNewPrivs: false } as const
const of = (...names: readonly string[]): bigint => capabilitySet(names)

const set = fc.oneof(fc.bigInt(0n, ALL_CAPABILITIES), fc.constantFrom(0n, ALL_CAPABILITIES))

/** Sets as the kernel lets them be. */
const sets = fc.tuple(set, set, set, set, set).map(([permitted, effective, inheritable, bounding, ambient]) => ({
  permitted,
  effective: effective & permitted,
  inheritable,
  bounding,
  ambient: ambient & permitted & inheritable,
}))

test('root has its bounding set, others what is ambient', () => {
  fc.assert(
    fc.property(sets, (before) => {
      const byRoot = capabilitiesAfterExec(before, asRoot)
      assert.equal(byRoot?.permitted, before.bounding | before.inheritable | before.ambient)
      assert.equal(byRoot?.effective, byRoot?.permitted)
      const noroot = { uid: 0, securebits: ['SECBIT_NOROOT'], noNewPrivs: false } as const
      for (const situation of [asUser, noroot]) {
        const after = capabilitiesAfterExec(before, situation)
        assert.deepEqual([after?.permitted, after?.effective], [before.ambient, before.ambient])
      }
      const kept = capabilitiesAfterExec(before, { ...asRoot, noNewPrivs: true })
      assert.equal((kept?.permitted ?? 0n) & ~before.permitted, 0n)
    }),
  )
})

test('a file gives what is in the bounding set, or fails', () => {
  const file = { permitted: of('net_raw'), inheritable: of('kill'), effective: true }
  const before = { ...ordinary, inheritable: of('kill', 'chown'), ambient: 0n }
  assert.equal(capabilitiesAfterExec(before, { ...asUser, file })?.effective, of('net_raw', 'kill'))
  assert.equal(capabilitiesAfterExec(before, { ...asUser, file, noNewPrivs: true })?.permitted, 0n)
  const small = { ...before, bounding: of('chown') }
  assert.equal(capabilitiesAfterExec(small, { ...asUser, file }), undefined)
  const dumb = { ...file, effective: false }
  assert.deepEqual(capabilitiesAfterExec(small, { ...asUser, file: dumb }), {
    permitted: of('kill'),
    effective: 0n,
    inheritable: before.inheritable,
    bounding: small.bounding,
    ambient: 0n,
  })
})

test('a choice comes true, or is refused', () => {
  const optional = fc.option(set, { nil: undefined })
  const choices = fc.record({ drop: optional, keep: optional, add: optional })
  let refused = 0
  fc.assert(
    fc.property(sets, choices, fc.constantFrom(asRoot, asUser), fc.boolean(), (present, choice, who, noNewPrivs) => {
      const situation = { ...who, noNewPrivs }
      const chosen = (): ProcessCapabilities | undefined => {
        try {
          return chooseCapabilities(choice, present, situation)
        } catch (error) {
          assert.ok(error instanceof TareError)
          refused++
          return undefined
        }
      }
      const before = chosen()
      if (before === undefined) return
      const after = capabilitiesAfterExec(before, situation)
      const wanted = (choice.add ?? 0n) | (choice.keep ?? 0n)
      assert.equal(wanted & ~(after?.effective ?? 0n), 0n, 'has what it is to have')
      const gone = (choice.drop ?? 0n) | (choice.keep === undefined ? 0n : ALL_CAPABILITIES & ~wanted)
      const left = [after?.permitted, after?.effective, after?.inheritable, after?.ambient]
      for (const each of left) assert.equal((each ?? 0n) & gone, 0n, 'lacks what it is to lack')
      if (!noNewPrivs) assert.equal((after?.bounding ?? 0n) & gone, 0n, 'and can never gain it')
      assert.equal(before.bounding & ~present.bounding, 0n)
      assert.equal(before.ambient & ~(before.permitted & before.inheritable), 0n)
    }),
    { numRuns: 2000 },
  )
  assert.ok(refused < 1950, `${refused} of 2000 are refused`)
})

test('what people ask for', () => {
  const { permitted, ...rest } = chooseCapabilities({ keep: of('net_bind_service') }, root, asUser)
  const bind = of('net_bind_service')
  assert.equal(permitted, bind)
  assert.deepEqual(rest, { effective: bind, inheritable: bind, bounding: bind, ambient: bind })
  const dropped = chooseCapabilities({ drop: of('sys_admin') }, root, asRoot)
  assert.deepEqual(dropped, {
    ...root,
    permitted: ALL_CAPABILITIES & ~of('sys_admin'),
    effective: ALL_CAPABILITIES & ~of('sys_admin'),
    bounding: ALL_CAPABILITIES & ~of('sys_admin'),
  })
  assert.deepEqual(chooseCapabilities({ add: bind }, root, asRoot), root)
  assert.deepEqual(chooseCapabilities({ add: bind }, root, asUser), { ...root, inheritable: bind, ambient: bind })
  assert.deepEqual(chooseCapabilities({ ambient: bind }, root, asUser), { ...root, inheritable: bind, ambient: bind })
  assert.deepEqual(chooseCapabilities({}, ordinary, asUser), ordinary)
  const nnp = { ...asUser, noNewPrivs: true }
  assert.deepEqual(chooseCapabilities({ drop: ALL_CAPABILITIES }, ordinary, nnp), ordinary)
})

test('what can not be is refused, with what it takes', () => {
  const refusals: readonly (readonly [() => unknown, RegExp])[] = [
    [() => chooseCapabilities({ add: 1n }, ordinary, asUser), /start a program with cap_chown: EPERM .*\nBe root/],
    [
      () => chooseCapabilities({ drop: 1n, add: 1n }, root, asUser),
      /cap_chown: they are both to be had and to be dropped/,
    ],
    [
      () => chooseCapabilities({ drop: 1n }, ordinary, asUser),
      /take from the bounding set cap_chown: EPERM .*\n.*cap_setpcap.*no_new_privs/,
    ],
    [
      () => chooseCapabilities({ bounding: 1n }, ordinary, { ...asUser, noNewPrivs: true }),
      /take from the bounding set cap_dac_override,/,
    ],
    [
      () => chooseCapabilities({ bounding: 3n }, { ...root, bounding: 1n }, asUser),
      /add to the bounding set cap_dac_override: EPERM .*\nNobody can/,
    ],
    [
      () => chooseCapabilities({ inheritable: 2n, ambient: 1n }, root, asUser),
      /cap_chown: what is ambient must be inheritable too/,
    ],
    [() => chooseCapabilities({ ambient: 1n }, ordinary, asUser), /make inheritable cap_chown: EPERM/],
    [
      () => chooseCapabilities({ inheritable: 3n }, { ...root, bounding: 1n }, asUser),
      /make inheritable cap_dac_override: .*\nThey are not in the bounding set/,
    ],
  ]
  for (const [attempt, message] of refusals) assert.throws(attempt, { message })
})
