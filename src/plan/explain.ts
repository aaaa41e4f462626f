import { errnoName } from '../linux/errno.ts'
import type { Branch, Mechanism, Operand, Operation, Register, Step } from './step.ts'

/**
 * Who takes a step, and when: Tare before there is a process (`prepare`), Tare as it makes one (`start`), Tare while
 * that process waits (`grant`), or the stage in that process (`stage`).
 */
export type ExplainedPhase = 'prepare' | 'start' | 'grant' | 'stage'

/** One step of a plan in words. */
export interface ExplainedStep {
  /** Its place among all steps, from 1; `onError` refers to it. */
  readonly number: number
  readonly phase: ExplainedPhase
  /** Its place among the steps of its phase, from 0: what a failure reports. */
  readonly index: number
  readonly mechanism: Mechanism
  readonly operation: Operation
  /** The system call as strace(1) would write it, `$name` for the result of an earlier one; else what the stage does. */
  readonly call: string
  /** What it does, as an infinitive. */
  readonly what: string
  /** Why, or empty where `what` says it all. */
  readonly why: string
  /** What follows an error other than failure, or in a clone the return in the parent: `ENOENT: go on at step 12`. */
  readonly onError: readonly string[]
}

const variable = (name: string): string => `$${name.replace(/ fd$/, '').replaceAll(/\s+/g, '_')}`

const registerText = ({ name }: Register): string => variable(name)

/** Above it a number is a mask, which hexadecimal digits show best. */
const LARGE = 0x7fffffff

const numberText = (value: number | bigint): string => (value > LARGE ? `0x${value.toString(16)}` : String(value))

/** An argument as strace(1) would write it; `$name` for what an earlier step left. */
const operandText = (operand: Operand): string => {
  if (typeof operand !== 'object') return numberText(operand)
  switch (operand.kind) {
    case 'register':
      return registerText(operand)
    case 'data':
      return operand.text
    case 'named':
      return / fd$/.test(operand.text) ? variable(operand.text) : operand.text
    case 'template':
      return JSON.stringify(operand.text.replaceAll('{pid}', '$pid'))
  }
}

const errnoOperand = (operand: Operand | undefined): string =>
  typeof operand === 'number' ? errnoName(operand) : operand === undefined ? '0' : operandText(operand)

const place = (offset: Operand | undefined): string =>
  `data+${typeof offset === 'number' ? `0x${offset.toString(16)}` : offset === undefined ? '0' : operandText(offset)}`

/** What a step does to the registers and the data, or asks of the kernel, in one line. */
const callText = (step: Step, target: (branch: Branch) => string): string => {
  const [first, second, third] = step.args
  const result = step.result === undefined ? '' : registerText(step.result)
  switch (step.operation) {
    case 'syscall':
    case 'clone': {
      const call = `${step.call ?? ''}(${step.args.map(operandText).join(', ')})`
      return result === '' ? call : `${call} = ${result}`
    }
    case 'store':
      return `${place(first)} = ${operandText(second ?? 0)} (${operandText(third ?? 0)} bytes)`
    case 'load':
      return `${result} = ${place(first)} (${operandText(third ?? 0)} bytes)`
    case 'check':
      return `fail with ${errnoOperand(third)} unless ${operandText(first ?? 0)} is ${operandText(second ?? 0)}`
    case 'jump':
      return step.branches.map((branch) => `go on at step ${target(branch)}`).join('')
    case 'init':
      return `reap every child, pass on every signal, until ${operandText(first ?? 0)} ends`
    case 'fail':
      return `fail with ${errnoOperand(first)}`
  }
}

const branchText = ({ operation }: Step, branch: Branch, target: string): string => {
  if (operation === 'clone') return `in the parent: go on at step ${target}`
  return `${branch.errno === 'any' ? 'any error' : errnoName(branch.errno)}: go on at step ${target}`
}

/**
 * Steps in words, without taking any. `first`: the number of the first one, from 1; the steps that a jump leads to are
 * numbered the same way. Pure.
 */
export const explainSteps = (
  steps: readonly Step[],
  phase: ExplainedPhase,
  first: number,
): readonly ExplainedStep[] => {
  const target = ({ to }: Branch): string => String(first + to.index)
  return steps.map((step, index): ExplainedStep => ({
    number: first + index,
    phase,
    index,
    mechanism: step.mechanism,
    operation: step.operation,
    call: callText(step, target),
    what: step.what,
    why: step.why,
    onError: step.operation === 'jump' ? [] : step.branches.map((branch) => branchText(step, branch, target(branch))),
  }))
}
