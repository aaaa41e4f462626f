import { TareError } from '../linux/error.ts'
import type { Argument } from '../linux/syscall.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { DataBuilder } from './data.ts'
import { stepError } from './failure.ts'
import type { Operand, Step } from './step.ts'

/** What Tare's own steps have left: register by index. */
export type Registers = Map<number, number>

/** Fails a step on purpose, for tests: returns the errno that step `index` is to fail with. */
export type Fault = (index: number) => number | undefined

const resolve = (operand: Operand, registers: Registers, data: DataBuilder, pid: number): Argument => {
  if (typeof operand !== 'object') return operand
  switch (operand.kind) {
    case 'register':
      return registers.get(operand.index) ?? -1
    case 'data':
      return data.bytes.subarray(operand.offset)
    case 'named':
      return operand.value
    case 'template':
      return operand.text.replaceAll('{pid}', String(pid))
  }
}

/**
 * Performs steps in this process: those which the stage can't do, since they need what it has given up. The same
 * rules as in the stage hold: forward jumps, a failure is a step and an errno. Throws {@link TareError}.
 *
 * A register whose name ends in `fd` holds a descriptor; whoever made the registers closes it.
 */
export const performSteps = (
  steps: readonly Step[],
  data: DataBuilder,
  registers: Registers,
  pid: number,
  fault?: Fault,
): void => {
  for (let index = 0; index < steps.length;) {
    const step = steps[index]
    if (step?.operation === 'store') {
      const [offset, value] = step.args
      data.setWord(Number(offset), Number(resolve(value ?? 0, registers, data, pid)))
      index += 1
      continue
    }
    if (step?.call === undefined)
      throw new TareError({
        operation: 'perform',
        target: step?.what,
        reason: 'only system calls are performed outside the stage',
      })
    const injected = fault?.(index)
    const args = step.args.map((operand) => resolve(operand, registers, data, pid))
    const result = injected === undefined ? trySyscall(step.call, ...args) : -injected
    if (result >= 0) {
      if (step.result !== undefined) registers.set(step.result.index, result)
      index += 1
      continue
    }
    const branch = step.branches.find(({ errno }) => errno === 'any' || errno === -result)
    if (branch === undefined) throw stepError(step, -result)
    index = branch.to.index
  }
}
