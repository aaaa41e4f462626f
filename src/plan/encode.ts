import { TareError } from '../linux/error.ts'
import type { Architecture } from '../linux/syscall-table.ts'
import { syscallNumber } from '../linux/syscall.ts'
import { DataBuilder } from './data.ts'
import type { Operand, Operation, Step } from './step.ts'

/** native/plan.h, which says what each number means. */
export const PLAN_MAGIC = 0x45524154
/** Where in the header it stands at which offset the data begins. */
export const PLAN_DATA_AT = 20
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
  monitor: 8,
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

/** Where the parts of a plan lie in it, and how long it is. */
const layoutOf = (steps: number, relocations: number, data: number) => {
  const relocationsAt = HEADER_SIZE + steps * STEP_SIZE
  const dataAt = Math.ceil((relocationsAt + relocations * 4) / 8) * 8
  return { relocationsAt, dataAt, size: dataAt + data }
}

const imageOf = (size: number): Image => {
  const memory = new ArrayBuffer(Math.ceil(size / 4) * 4)
  return { words: new Int32Array(memory), bytes: new Uint8Array(memory) }
}

/** The bytes of a plan, as native/stage.c takes them. Pure. */
export const encodePlan = (steps: readonly Step[], data: DataBuilder, architecture: Architecture): Uint8Array =>
  new PlanPrefix([], new DataBuilder(0, 0), architecture).encode(steps, data)

/** A text that stands in the data of a prefix, and differs from plan to plan; all as long as each other. */
export interface Patch {
  readonly offsets: readonly number[]
  readonly text: string
}

/** What many plans begin with, encoded once. */
export class PlanPrefix {
  readonly #architecture: Architecture
  readonly #steps: Uint8Array
  readonly #count: number
  readonly #data: DataBuilder
  /** The last plan: the next one overwrites it. */
  #image: Image = imageOf(0)

  constructor(steps: readonly Step[], data: DataBuilder, architecture: Architecture) {
    const image = imageOf(steps.length * STEP_SIZE)
    steps.forEach((step, index) => writeStep(image, index * STEP_SIZE, step, architecture))
    this.#architecture = architecture
    this.#steps = image.bytes
    this.#count = steps.length
    this.#data = data
  }

  /**
   * The plan of the prefix and these steps, whose data begins at or after the prefix's. Valid until the next call.
   *
   * @param patches what differs in the prefix's own data.
   */
  encode(steps: readonly Step[], data: DataBuilder, patches: readonly Patch[] = []): Uint8Array {
    const count = this.#count + steps.length
    const relocations = this.#data.relocations.length + data.relocations.length
    const { relocationsAt, dataAt, size } = layoutOf(count, relocations, data.size)
    if (this.#image.bytes.length < size) this.#image = imageOf(2 * size)
    const image = this.#image
    const { words, bytes } = image
    bytes.fill(0, HEADER_SIZE + this.#steps.length, size)
    words.set([PLAN_MAGIC, VERSION, size, count, relocations, dataAt, data.size, 0])
    bytes.set(this.#steps, HEADER_SIZE)
    for (let index = 0; index < steps.length; index++) {
      const step = steps[index]
      if (step !== undefined)
        writeStep(image, HEADER_SIZE + (this.#count + index) * STEP_SIZE, step, this.#architecture)
    }
    words.set(this.#data.relocations, relocationsAt >>> 2)
    words.set(data.relocations, (relocationsAt >>> 2) + this.#data.relocations.length)
    bytes.set(this.#data.bytes, dataAt)
    for (const { offsets, text } of patches)
      for (const offset of offsets)
        for (let index = 0; index < text.length; index++) bytes[dataAt + offset + index] = text.charCodeAt(index)
    bytes.set(data.bytes, dataAt + data.base)
    return bytes.subarray(0, size)
  }
}
