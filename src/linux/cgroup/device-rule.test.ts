import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { assembleDeviceProgram } from './device-program.ts'
import type { DeviceRule } from './device-rule.ts'
import { accessBits, deviceLines, devicePolicy } from './device-rule.ts'

interface Request {
  readonly type: 'b' | 'c'
  readonly major: number
  readonly minor: number
  readonly access: number
}

const matches = (rule: DeviceRule, { type, major, minor }: Request): boolean =>
  (rule.type === 'a' || rule.type === type) && (rule.major ?? major) === major && (rule.minor ?? minor) === minor

/** The meaning of a list of rules: each bit asked for is decided by the last rule that speaks of it. */
const allowed = (rules: readonly DeviceRule[], request: Request): boolean =>
  [1, 2, 4]
    .filter((bit) => request.access & bit)
    .every((bit) => rules.findLast((rule) => matches(rule, request) && accessBits(rule.access) & bit)?.allow ?? false)

/** What the kernel does with the program: the part of eBPF that the assembler uses, after RFC 9669. */
const runProgram = (program: Uint8Array, { type, major, minor, access }: Request): number => {
  const view = new DataView(program.buffer)
  const context = [(access << 16) | (type === 'b' ? 1 : 2), major, minor]
  const registers = Array.from({ length: 11 }, () => 0)
  let steps = 0
  for (let at = 0; at < program.length / 8; at += 1) {
    assert.ok((steps += 1) < 100_000)
    const code = view.getUint8(at * 8)
    const to = view.getUint8(at * 8 + 1) & 15
    const from = view.getUint8(at * 8 + 1) >> 4
    const offset = view.getInt16(at * 8 + 2, true)
    const value = view.getInt32(at * 8 + 4, true)
    const left = registers[to] ?? 0
    if (code === 0x61) registers[to] = (context[offset / 4] ?? NaN) >>> 0
    else if (code === 0xb4) registers[to] = value >>> 0
    else if (code === 0xbc) registers[to] = registers[from] ?? NaN
    else if (code === 0x54) registers[to] = (left & value) >>> 0
    else if (code === 0x74) registers[to] = left >>> value
    else if (code === 0x16) at += left === value >>> 0 ? offset : 0
    else if (code === 0x56) at += left === value >>> 0 ? 0 : offset
    else if (code === 0x95) return registers[0] ?? NaN
    else assert.fail(`unknown opcode ${code}`)
  }
  return assert.fail('ran past the end')
}

/** security/device_cgroup.c: a default, and a list of exceptions. */
class V1Devices {
  byDefault: 'allow' | 'deny' = 'allow'
  exceptions = new Map<string, number>()

  write(file: string, value: string): void {
    const [type = '', numbers = '', access = ''] = value.split(' ')
    const allow = file === 'devices.allow'
    if (type === 'a') {
      this.byDefault = allow ? 'allow' : 'deny'
      this.exceptions.clear()
      return
    }
    const key = `${type} ${numbers}`
    const before = this.exceptions.get(key) ?? 0
    const bits = accessBits(access)
    this.exceptions.set(key, allow === (this.byDefault === 'allow') ? before & ~bits : before | bits)
  }

  list(): readonly string[] {
    if (this.byDefault === 'allow') return ['a *:* rwm']
    return [...this.exceptions]
      .filter(([, bits]) => bits !== 0)
      .map(([key, bits]) => `${key} ${bits & 2 ? 'r' : ''}${bits & 4 ? 'w' : ''}${bits & 1 ? 'm' : ''}`)
  }

  allows({ type, major, minor, access }: Request): boolean {
    const hits = [...this.exceptions].filter(([key]) => {
      const [kind, numbers = ''] = key.split(' ')
      const [a, b] = numbers.split(':')
      return kind === type && (a === '*' || Number(a) === major) && (b === '*' || Number(b) === minor)
    })
    if (this.byDefault === 'allow') return !hits.some(([, bits]) => bits & access)
    return hits.some(([, bits]) => (access & ~bits) === 0)
  }
}

const number = fc.constantFrom(0, 1, 3, 0xffffffff)
const rule: fc.Arbitrary<DeviceRule> = fc.record({
  allow: fc.boolean(),
  type: fc.constantFrom('a', 'b', 'c'),
  major: fc.option(number, { nil: undefined }),
  minor: fc.option(number, { nil: undefined }),
  access: fc.constantFrom('r', 'w', 'm', 'rw', 'rm', 'wm', 'rwm'),
})
const rules = fc.array(rule, { maxLength: 8 })
const requests: readonly Request[] = (['b', 'c'] as const).flatMap((type) =>
  [0, 1, 2, 3, 0xffffffff].flatMap((major) =>
    [0, 1, 2, 3, 0xffffffff].flatMap((minor) =>
      [1, 2, 3, 4, 5, 6, 7].map((access) => ({ type, major, minor, access })),
    ),
  ),
)

describe('device rules', () => {
  it('as a program answer as the list reads', () => {
    fc.assert(
      fc.property(rules, (list) => {
        const program = assembleDeviceProgram(list)
        for (const request of requests) assert.equal(runProgram(program, request), allowed(list, request) ? 1 : 0)
      }),
    )
  })

  it('as writes of version 1 answer as the list reads, or are refused', () => {
    let refused = 0
    let expressed = 0
    fc.assert(
      fc.property(rules, rules, (list, before) => {
        const devices = new V1Devices()
        try {
          for (const { file, value } of deviceLines(devicePolicy(before))) devices.write(file, value)
        } catch {
          // Starts from what a group inherits then.
        }
        let policy
        try {
          policy = devicePolicy(list)
        } catch {
          refused += 1
          return
        }
        expressed += 1
        for (const { file, value } of deviceLines(policy, devices.list())) devices.write(file, value)
        for (const request of requests) assert.equal(devices.allows(request), allowed(list, request))
      }),
    )
    assert.ok(refused > 0 && expressed > 0)
  })

  it('never refuses meanwhile what is allowed before and after', () => {
    const list = ['c 1:3 rwm', 'c 5:* r', 'b 8:0 rw']
    const lines = deviceLines({ allowByDefault: false, exceptions: ['c 1:3 rw', 'c 5:* r', 'c 10:200 rwm'] }, list)
    assert.deepEqual(lines, [
      { file: 'devices.allow', value: 'c 1:3 rw' },
      { file: 'devices.allow', value: 'c 10:200 rwm' },
      { file: 'devices.deny', value: 'c 1:3 m' },
      { file: 'devices.deny', value: 'b 8:0 rw' },
    ])
  })

  it('say which exception version 1 cannot hold', () => {
    const list: readonly DeviceRule[] = [
      { allow: true, type: 'c', major: 1, access: 'rwm' },
      { allow: false, type: 'c', major: 1, minor: 3, access: 'w' },
    ]
    assert.throws(() => devicePolicy(list), /cannot deny device c 1:3 w: cgroup version 1 can't deny part/)
  })

  it('need not be denied one by one where all is allowed', () => {
    const list: readonly DeviceRule[] = [
      { allow: true, type: 'a', access: 'rwm' },
      { allow: false, type: 'c', major: 1, minor: 3, access: 'w' },
    ]
    assert.deepEqual(devicePolicy(list), { allowByDefault: true, exceptions: ['c 1:3 w'] })
  })
})
