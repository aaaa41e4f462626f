import assert from 'node:assert/strict'
import { closeSync } from 'node:fs'
import { test } from 'node:test'
import { TareError } from '../linux/error.ts'
import { StepBuilder } from './builder.ts'
import { DataBuilder } from './data.ts'
import type { Registers } from './perform.ts'
import { performSteps } from './perform.ts'

const CWD = -100

test('results are kept, templates filled in, data is the bytes themselves', () => {
  const data = new DataBuilder()
  const steps = new StepBuilder(data)
  const fd = steps.callFor('status fd', { what: 'open it' }, 'openat', [
    CWD,
    { kind: 'template', text: '/proc/{pid}/comm' },
    0o2000000,
  ])
  const buffer = data.space(64, 'a name')
  steps.callFor('length', { what: 'read it' }, 'read', [fd, buffer, 64])
  const registers: Registers = new Map()
  performSteps(steps.steps, data, registers, process.pid)
  closeSync(registers.get(fd.index) ?? -1)
  assert.match(new TextDecoder().decode(data.bytes.subarray(buffer.offset)), /^\S+\n/)
})

test('a branch is taken for its errno, and any other is an error with the words of the step', () => {
  const build = (errno: number): StepBuilder => {
    const steps = new StepBuilder(new DataBuilder())
    const end = steps.label()
    steps.call(
      { what: 'open nothing', hints: { ENOENT: 'Make it.' } },
      'openat',
      [CWD, { kind: 'template', text: '/nowhere/at/all' }, 0],
      [{ errno, to: end }],
    )
    steps.call({ what: 'never come here' }, 'close', [-1])
    steps.place(end)
    steps.call({ what: 'arrive' }, 'getpid', [])
    return steps
  }
  const tolerant = build(2)
  performSteps(tolerant.steps, tolerant.data, new Map(), 0)
  const strict = build(13)
  assert.throws(
    () => performSteps(strict.steps, strict.data, new Map(), 0),
    new TareError({ operation: 'open nothing', errno: 2, syscall: 'openat', hint: 'Make it.' }),
  )
})

test('a register is stored into the data', () => {
  const data = new DataBuilder()
  const steps = new StepBuilder(data)
  const pid = steps.callFor('pid', { what: 'ask' }, 'getpid', [])
  const space = data.space(8, 'a word')
  steps.store({ what: 'note it' }, space.offset, pid, 8)
  performSteps(steps.steps, data, new Map(), 0)
  assert.equal(new DataView(data.bytes.buffer).getUint32(space.offset, true), process.pid)
})

test('a fault makes one step fail', () => {
  const steps = new StepBuilder(new DataBuilder())
  steps.call({ what: 'first' }, 'getpid', [])
  steps.call({ what: 'second' }, 'getpid', [])
  const fault = (index: number): number | undefined => (index === 1 ? 5 : undefined)
  assert.throws(() => performSteps(steps.steps, steps.data, new Map(), 0, fault), /^TareError: cannot second: EIO/)
})
