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

/** The plan as 32-bit words and as bytes: the same memory. All that runs Linux on these architectures is little-endian. */
interface Image {
  readonly words: Int32Array
  readonly bytes: Uint8Array
}

const writeOperand = (image: Image, at: number, index: number, operand: Operand): void => {
  const word = (at + 32 + index * 8) >>> 2
  if (typeof operand === 'number') {
    image.words[word] = operand
    image.words[word + 1] = Math.floor(operand / 2 ** 32)
    return
  }
  if (typeof operand === 'bigint') {
    image.words[word] = Number(BigInt.asIntN(32, operand))
    image.words[word + 1] = Number(BigInt.asIntN(32, operand >> 32n))
    return
  }
  switch (operand.kind) {
    case 'register':
      image.bytes[at + 2 + index] = KIND_REGISTER
      image.words[word] = operand.index
      return
    case 'data':
      image.bytes[at + 2 + index] = KIND_DATA
      image.words[word] = operand.offset
      return
    case 'named':
      writeOperand(image, at, index, operand.value)
      return
    case 'template':
      throw new TareError({ operation: 'encode', target: operand.text, reason: 'the stage knows no templates' })
  }
}

const writeStep = (image: Image, at: number, step: Step, architecture: Architecture): void => {
  const { words, bytes } = image
  bytes[at] = OPERATIONS[step.operation]
  bytes[at + 1] = step.result?.index ?? NO_REGISTER
  for (let index = 0; index < step.args.length; index++) writeOperand(image, at, index, step.args[index] ?? 0)
  if (step.call !== undefined) words[(at + 8) >>> 2] = syscallNumber(step.call, architecture)
  if (step.branches.length > MAX_BRANCHES)
    throw new TareError({
      operation: 'encode',
      target: step.what,
      reason: `a step has at most ${MAX_BRANCHES} branches`,
    })
  for (let index = 0; index < step.branches.length; index++) {
    const branch = step.branches[index]
    if (branch === undefined) continue
    words[(at + 16 + index * 4) >>> 2] = (branch.errno === 'any' ? ANY_ERRNO : branch.errno) | (branch.to.index << 16)
  }
}

/** Steps alone, as they stand in a plan: for plans that begin with the same. Pure. */
export const encodeSteps = (steps: readonly Step[], architecture: Architecture): Uint8Array => {
  const memory = new ArrayBuffer(steps.length * STEP_SIZE)
  const image: Image = { words: new Int32Array(memory), bytes: new Uint8Array(memory) }
  steps.forEach((step, index) => writeStep(image, index * STEP_SIZE, step, architecture))
  return image.bytes
}

/**
 * The bytes of a plan, as native/stage.c takes them. Pure.
 *
 * @param encoded what {@link encodeSteps} made of the first steps, if it was done before.
 */
export const encodePlan = (
  steps: readonly Step[],
  data: DataBuilder,
  architecture: Architecture,
  encoded: Uint8Array = new Uint8Array(0),
): Uint8Array => {
  const relocations = data.relocations
  const relocationsAt = HEADER_SIZE + steps.length * STEP_SIZE
  const dataAt = Math.ceil((relocationsAt + relocations.length * 4) / 8) * 8
  const size = dataAt + data.size
  const memory = new ArrayBuffer(Math.ceil(size / 4) * 4)
  const image: Image = { words: new Int32Array(memory), bytes: new Uint8Array(memory, 0, size) }
  image.words.set([MAGIC, VERSION, size, steps.length, relocations.length, dataAt, data.size, 0])
  image.bytes.set(encoded, HEADER_SIZE)
  for (let index = encoded.length / STEP_SIZE; index < steps.length; index++) {
    const step = steps[index]
    if (step !== undefined) writeStep(image, HEADER_SIZE + index * STEP_SIZE, step, architecture)
  }
  image.words.set(relocations, relocationsAt >>> 2)
  image.bytes.set(data.bytes, dataAt)
  return image.bytes
}
