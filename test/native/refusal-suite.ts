import assert from 'node:assert/strict'
import { syscall } from '../../src/linux/syscall.ts'
import { exit, status, testOn, write } from './machine-test.ts'
import type { PlanBytes, StepBytes } from './plan-bytes.ts'
import { ANY_ERRNO, concat, encode, HEADER, STEP, words } from './plan-bytes.ts'
import type { Machine, Outcome } from './stage.ts'

const EINVAL = 22

interface Flaw {
  readonly name: string
  /** The step that is to blame, -1 for the rest of the plan. */
  readonly step: number
  /** Changes a plan that is right. */
  readonly spoil: (view: DataView) => void
}

/** The plan that gets the flaws: its first step would be seen, and its second has whatever operation is asked for. */
const victim = (second: StepBytes): PlanBytes => ({
  steps: [write(0, 1), second, exit(0), exit(0)],
  data: words(0x78, 0, 0),
  relocations: [8],
})

const at = (offset: number): number => HEADER + STEP + offset
const inArg = (index: number): number => at(32 + index * 8)
const RELOCATION = HEADER + 4 * STEP
const DATA_AT = RELOCATION + 8
const DATA_SIZE = 24

const flaw = (name: string, step: number, spoil: (view: DataView) => void): Flaw => ({ name, step, spoil })
const word = (name: string, offset: number, value: number): Flaw =>
  flaw(name, offset >= HEADER && offset < RELOCATION ? 1 : -1, (view) => view.setUint32(offset, value, true))
const byte = (name: string, offset: number, value: number): Flaw =>
  flaw(name, 1, (view) => view.setUint8(at(offset), value))
const jump = (name: string, index: number, errno: number, target: number): Flaw =>
  flaw(name, 1, (view) => {
    view.setUint16(at(16 + index * 4), errno, true)
    view.setUint16(at(18 + index * 4), target, true)
  })
const operand = (name: string, index: number, kind: number, value: bigint): Flaw =>
  flaw(name, 1, (view) => {
    view.setUint8(at(2 + index), kind)
    view.setBigUint64(inArg(index), value, true)
  })

const nothing: StepBytes = { call: 'getpid' }
const HEADER_FLAWS: readonly Flaw[] = [
  word('another magic', 0, 0x45524155),
  word('another version', 4, 2),
  word('a size too small', 8, DATA_AT + DATA_SIZE - 1),
  word('a size too large', 8, DATA_AT + DATA_SIZE + 1),
  word('no steps', 12, 0),
  word('more steps than there is room for', 12, 5),
  word('more steps than are allowed', 12, 4097),
  word('more steps than 32 bits can count the bytes of', 12, 0xffffffff),
  word('more relocations than there is room for', 16, 4),
  word('more relocations than 32 bits can count the bytes of', 16, 0x40000001),
  word('data that begins among the relocations', 20, RELOCATION),
  word('data that is not aligned', 20, DATA_AT + 4),
  word('data that begins too late', 20, DATA_AT + 8),
  word('data of a wrong size', 24, DATA_SIZE + 8),
  word('a mark that is set', 28, 1),
  word('a relocation that is not aligned', RELOCATION, 4),
  word('a relocation behind the data', RELOCATION, DATA_SIZE),
  word('a relocation far behind the data', RELOCATION, 0xfffffff8),
  word('a relocated word that leads behind the data', DATA_AT + 8, DATA_SIZE + 1),
  flaw('a relocated word with its top bit set', -1, (view) => view.setUint32(DATA_AT + 12, 0x80000000, true)),
]

const STEP_FLAWS: readonly Flaw[] = [
  byte('an unknown operation', 0, 8),
  byte('the last of all operations', 0, 255),
  byte('a result in a register that is not there', 1, 128),
  byte('a result in the last but one', 1, 254),
  word('something where nothing may be', at(12), 1),
  byte('an unknown kind of argument', 2, 3),
  byte('an unknown kind of the last argument', 7, 255),
  operand('a register that is not there', 0, 1, 128n),
  operand('a register far away', 5, 1, 1n << 63n),
  operand('data behind the data', 0, 2, BigInt(DATA_SIZE + 1)),
  operand('data far behind the data', 5, 2, (1n << 64n) - 8n),
  jump('a jump to itself', 0, 9, 1),
  jump('a jump back', 0, 9, 0),
  jump('a jump behind the last step', 0, 9, 4),
  jump('a jump far behind the last step', 3, ANY_ERRNO, 0xffff),
  jump('a target without an errno', 0, 0, 2),
  jump('a target without an errno in the last place', 3, 0, 2),
]

const KIND_FLAWS: readonly (readonly [step: StepBytes, flaws: readonly Flaw[]])[] = [
  [
    { op: 'jump', jumps: [[0, 2]] },
    [
      jump('a jump without a target', 0, 0, 0),
      jump('a jump to itself', 0, 0, 1),
      jump('a jump behind the last step', 0, 0, 4),
      jump('a jump with an errno', 0, 9, 2),
    ],
  ],
  [
    { op: 'clone', call: 'getpid', jumps: [[0, 2]] },
    [
      jump('a clone without a place for the parent', 0, 0, 0),
      jump('a clone whose parent goes back', 0, 0, 1),
      jump('a clone whose parent goes behind the last step', 0, 0, 4),
      jump('a clone whose parent waits for an errno', 0, 9, 2),
    ],
  ],
  ...(['store', 'load'] as const).map((op): readonly [StepBytes, readonly Flaw[]] => [
    { op, args: [16, 0, 8] },
    [
      operand(`a ${op} at a register`, 0, 1, 0n),
      operand(`a ${op} at an address`, 0, 2, 16n),
      operand(`a ${op} of as many bytes as a register says`, 2, 1, 8n),
      operand(`a ${op} of 3 bytes`, 2, 0, 3n),
      operand(`a ${op} of no bytes`, 2, 0, 0n),
      operand(`a ${op} of 16 bytes`, 2, 0, 16n),
      operand(`a ${op} across the end of the data`, 0, 0, 20n),
      operand(`a ${op} behind the data`, 0, 0, 24n),
      operand(`a ${op} before the data`, 0, 0, (1n << 64n) - 8n),
      operand(`a ${op} that is not aligned`, 0, 0, 12n),
    ],
  ]),
  [
    { op: 'check', args: [0, 0, 22] },
    [
      operand('a check with an errno of 0', 2, 0, 0n),
      operand('a check with an errno too large', 2, 0, 4096n),
      operand('a check with an errno in a register', 2, 1, 0n),
    ],
  ],
  [
    { op: 'fail', args: [22], jumps: [[22, 2]] },
    [
      operand('a failure with an errno of 0', 0, 0, 0n),
      operand('a failure with an errno too large', 0, 0, 4096n),
      operand('a failure with an errno in a register', 0, 1, 0n),
    ],
  ],
]

/** What the stage refuses before it takes the first step. Needs no privilege. */
export const testRefusals = (machine: Machine): void => {
  const machineTest = testOn(machine)
  const bytesOf = (second: StepBytes, { spoil }: Pick<Flaw, 'spoil'>): Uint8Array => {
    const bytes = encode(victim(second), machine.architecture)
    spoil(new DataView(bytes.buffer))
    return bytes
  }
  const refused = (outcome: Outcome, step: number, name: string): void => {
    assert.equal(outcome.output.toString(), '', `${name}: a step was taken`)
    assert.deepEqual(outcome.reports, [{ kind: 'refused', step, error: EINVAL }], name)
    assert.equal(outcome.exitCode, 125, name)
  }

  const groups: readonly (readonly [step: StepBytes, flaws: readonly Flaw[]])[] = [
    [nothing, [...HEADER_FLAWS, ...STEP_FLAWS]],
    ...KIND_FLAWS,
  ]
  for (const [second, flaws] of groups) {
    const kind = second.op ?? 'syscall'
    machineTest(`without a flaw, the plan with a ${kind} is walked`, async () => {
      const outcome = await machine.start(bytesOf(second, { spoil: () => undefined })).outcome
      assert.equal(status(outcome), 0)
      assert.equal(outcome.output.toString(), 'x')
    })
    for (const each of flaws) {
      machineTest(`refused before its first step: ${each.name}`, async () => {
        refused(await machine.start(bytesOf(second, each)).outcome, each.step, each.name)
      })
    }
  }

  machineTest('refused: a plan that is cut off or has something behind it', async () => {
    const whole = encode(victim(nothing), machine.architecture)
    for (const length of [1, 31, 32, 100, whole.length - 1]) {
      refused(await machine.start(whole.subarray(0, length)).outcome, -1, `${length} bytes`)
    }
    refused(await machine.start(concat(whole, Uint8Array.of(0))).outcome, -1, 'one byte more')
  })

  machineTest('as many steps as are allowed, and one more', async () => {
    const on = (index: number): StepBytes => ({ op: 'jump', jumps: [[0, index + 1]] })
    const plan = (count: number): Uint8Array =>
      encode({ steps: [...Array.from({ length: count - 1 }, (_, index) => on(index)), exit(9)] }, machine.architecture)
    assert.equal(status(await machine.start(plan(4096)).outcome), 9)
    refused(await machine.start(plan(4097)).outcome, -1, '4097 steps')
  })

  machineTest('refused: no plan at all', async () => {
    refused(await machine.start(new Uint8Array(0)).outcome, -1, 'an empty file')
    const pipe = new Int32Array(2)
    syscall({ operation: 'make pipe' }, 'pipe2', pipe, 0x80000)
    refused(await machine.start(new Uint8Array(0), pipe[0]).outcome, -1, 'a pipe')
    for (const fd of pipe) syscall({ operation: 'close' }, 'close', fd)
  })
}
