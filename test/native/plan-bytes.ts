/** Plans written byte by byte, from native/plan.h alone: so that the stage is tested against that, not our encoder. */
import type { Architecture, SyscallName } from '../../src/linux/syscall-table.ts'
import { syscallNumber } from '../../src/linux/syscall.ts'

export const HEADER = 32
export const STEP = 80
export const ANY_ERRNO = 0xffff

const OPS = { syscall: 0, clone: 1, store: 2, load: 3, check: 4, jump: 5, init: 6, fail: 7 } as const

interface Register {
  readonly register: number
}
interface DataOffset {
  readonly data: number
}
export type Operand = number | bigint | Register | DataOffset

export const register = (index: number): Register => ({ register: index })
export const data = (offset: number): DataOffset => ({ data: offset })

export interface StepBytes {
  readonly op?: keyof typeof OPS
  readonly call?: SyscallName
  readonly args?: readonly Operand[]
  readonly result?: number
  /** Pairs of errno and target; of clone and jump the first has no errno. */
  readonly jumps?: readonly (readonly [errno: number, target: number])[]
}

export interface PlanBytes {
  readonly steps: readonly StepBytes[]
  readonly data?: Uint8Array
  readonly relocations?: readonly number[]
}

const writeStep = (view: DataView, at: number, step: StepBytes, architecture: Architecture): void => {
  view.setUint8(at, OPS[step.op ?? 'syscall'])
  view.setUint8(at + 1, step.result ?? 255)
  view.setUint32(at + 8, step.call === undefined ? 0 : syscallNumber(step.call, architecture), true)
  for (const [index, [errno, target]] of (step.jumps ?? []).entries()) {
    view.setUint16(at + 16 + index * 4, errno, true)
    view.setUint16(at + 18 + index * 4, target, true)
  }
  for (const [index, operand] of (step.args ?? []).entries()) {
    const isNumber = typeof operand === 'number' || typeof operand === 'bigint'
    const value = isNumber ? operand : 'register' in operand ? operand.register : operand.data
    view.setUint8(at + 2 + index, isNumber ? 0 : 'register' in operand ? 1 : 2)
    view.setBigUint64(at + 32 + index * 8, BigInt.asUintN(64, BigInt(value)), true)
  }
}

export const dataOffset = ({ steps, relocations = [] }: PlanBytes): number =>
  Math.ceil((HEADER + steps.length * STEP + relocations.length * 4) / 8) * 8

export const encode = (plan: PlanBytes, architecture: Architecture): Uint8Array => {
  const { steps, data: content = new Uint8Array(0), relocations = [] } = plan
  const start = dataOffset(plan)
  const bytes = new Uint8Array(start + content.length)
  const view = new DataView(bytes.buffer)
  const header = [0x45524154, 1, bytes.length, steps.length, relocations.length, start, content.length, 0]
  for (const [index, word] of header.entries()) view.setUint32(index * 4, word, true)
  for (const [index, step] of steps.entries()) writeStep(view, HEADER + index * STEP, step, architecture)
  for (const [index, at] of relocations.entries()) view.setUint32(HEADER + steps.length * STEP + index * 4, at, true)
  bytes.set(content, start)
  return bytes
}

/** Little-endian 64-bit words, as data. */
export const words = (...values: readonly (number | bigint)[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(values, (value) => BigInt.asUintN(64, BigInt(value))).buffer)

export const text = (value: string): Uint8Array => new TextEncoder().encode(value)

export const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts))
