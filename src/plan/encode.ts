import { TareError } from '../linux/error.ts'
import type { Architecture } from '../linux/syscall-table.ts'
import { syscallNumber } from '../linux/syscall.ts'
import type { DataBuilder } from './data.ts'
import type { Operand, Operation, Step } from './step.ts'

/** native/plan.h, which says what each number means. */
const MAGIC = 0x45524154
const VERSION = 1
const HEADER_SIZE = 32
const STEP_SIZE = 80
const NO_REGISTER = 255
const ANY_ERRNO = 0xffff
const MAX_BRANCHES = 4
const OPERATIONS: Readonly<Record<Operation, number>> = {
  syscall: 0,
  clone: 1,
  store: 2,
  load: 3,
  check: 4,
  jump: 5,
  init: 6,
  fail: 7,
}

const KIND_REGISTER = 1
const KIND_DATA = 2

const writeOperand = (view: DataView, at: number, index: number, operand: Operand): void => {
  const value = at + 32 + index * 8
  if (typeof operand === 'bigint') {
    view.setBigInt64(value, BigInt.asIntN(64, operand), true)
    return
  }
  if (typeof operand === 'number') {
    view.setInt32(value, operand | 0, true)
    view.setInt32(value + 4, Math.floor(operand / 2 ** 32), true)
    return
  }
  switch (operand.kind) {
    case 'register':
      view.setUint8(at + 2 + index, KIND_REGISTER)
      view.setUint32(value, operand.index, true)
      return
    case 'data':
      view.setUint8(at + 2 + index, KIND_DATA)
      view.setUint32(value, operand.offset, true)
      return
    case 'named':
      writeOperand(view, at, index, operand.value)
      return
    case 'template':
      throw new TareError({ operation: 'encode', target: operand.text, reason: 'the stage knows no templates' })
  }
}

const writeStep = (view: DataView, at: number, step: Step, architecture: Architecture): void => {
  view.setUint8(at, OPERATIONS[step.operation])
  view.setUint8(at + 1, step.result?.index ?? NO_REGISTER)
  step.args.forEach((operand, index) => writeOperand(view, at, index, operand))
  if (step.call !== undefined) view.setUint32(at + 8, syscallNumber(step.call, architecture), true)
  if (step.branches.length > MAX_BRANCHES)
    throw new TareError({
      operation: 'encode',
      target: step.what,
      reason: `a step has at most ${MAX_BRANCHES} branches`,
    })
  step.branches.forEach((branch, index) => {
    view.setUint16(at + 16 + index * 4, branch.errno === 'any' ? ANY_ERRNO : branch.errno, true)
    view.setUint16(at + 18 + index * 4, branch.to.index, true)
  })
}

/** The bytes of a plan, as native/stage.c takes them. Pure. */
export const encodePlan = (steps: readonly Step[], data: DataBuilder, architecture: Architecture): Uint8Array => {
  const relocations = data.relocations
  const relocationsAt = HEADER_SIZE + steps.length * STEP_SIZE
  const dataAt = Math.ceil((relocationsAt + relocations.length * 4) / 8) * 8
  const bytes = new Uint8Array(dataAt + data.size)
  const view = new DataView(bytes.buffer)
  const header = [MAGIC, VERSION, bytes.length, steps.length, relocations.length, dataAt, data.size, 0]
  header.forEach((word, index) => view.setUint32(index * 4, word, true))
  steps.forEach((step, index) => writeStep(view, HEADER_SIZE + index * STEP_SIZE, step, architecture))
  relocations.forEach((offset, index) => view.setUint32(relocationsAt + index * 4, offset, true))
  bytes.set(data.bytes, dataAt)
  return bytes
}
