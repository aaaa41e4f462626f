import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { StepBuilder } from './builder.ts'
import { DataBuilder } from './data.ts'
import { encodePlan } from './encode.ts'
import type { Operand } from './step.ts'
import { named } from './step.ts'

const HEADER = 32
const STEP = 80

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

test('numbers of 64 bits, negative ones too, arrive as the kernel takes them', () => {
  const values = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
  fc.assert(
    fc.property(fc.array(values, { maxLength: 6 }), (args) => {
      const data = new DataBuilder()
      const steps = new StepBuilder(data)
      steps.call({ what: 'call' }, 'getpid', args)
      const bytes = view(encodePlan(steps.steps, data, 'x86_64'))
      args.forEach((value, index) => assert.equal(bytes.getBigInt64(HEADER + 32 + index * 8, true), BigInt(value)))
    }),
  )
})

test('every kind of operand and branch is where plan.h says', () => {
  const data = new DataBuilder()
  const text = data.string('/x')
  const steps = new StepBuilder(data)
  const end = steps.label()
  const register = steps.callFor(
    'fd',
    { what: 'open' },
    'openat',
    [named(-100, 'AT_FDCWD'), text, 0],
    [
      { errno: 2, to: end },
      { errno: 'any', to: end },
    ],
  )
  const operands: Operand[] = [register, text]
  steps.call({ what: 'write' }, 'write', operands)
  steps.place(end)
  steps.fail({ what: 'fail' }, 5)
  const bytes = encodePlan(steps.steps, data, 'aarch64')
  const at = view(bytes)
  assert.equal(at.getUint32(0, true), 0x45524154)
  assert.equal(at.getUint32(8, true), bytes.length)
  assert.equal(at.getUint32(12, true), 3)
  assert.equal(bytes[HEADER + 1], register.index)
  assert.equal(at.getUint32(HEADER + 8, true), 56, 'openat of arm64')
  assert.deepEqual([...bytes.subarray(HEADER + 2, HEADER + 5)], [0, 2, 0])
  assert.deepEqual(
    [16, 18, 20, 22].map((offset) => at.getUint16(HEADER + offset, true)),
    [2, 2, 0xffff, 2],
  )
  assert.deepEqual([...bytes.subarray(HEADER + STEP + 2, HEADER + STEP + 4)], [1, 2])
  assert.equal(bytes[HEADER + STEP + 1], 255, 'no result')
})

test('a template is for Tare itself, and refused', () => {
  const data = new DataBuilder()
  const steps = new StepBuilder(data)
  steps.call({ what: 'open' }, 'openat', [{ kind: 'template', text: '/proc/{pid}' }])
  assert.throws(() => encodePlan(steps.steps, data, 'x86_64'), /the stage knows no templates/)
})
