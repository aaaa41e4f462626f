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
  /** Its place among the steps of its phase, from 0; for the stage's, what it reports when one fails. */
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

/** What registers are called in the text. Two that hold a value at the same time never have the same name. */
class Names {
  readonly #held = new Map<number, string>()

  /** A step's result goes to the register. */
  define({ index, name }: Register): string {
    this.#held.delete(index)
    const taken = new Set(this.#held.values())
    const plain = variable(name)
    let unique = plain
    for (let count = 2; taken.has(unique); count++) unique = `${plain}_${count}`
    this.#held.set(index, unique)
    return unique
  }

  /** A register that no step before has set was set in another phase. */
  of({ index, name }: Register): string {
    return this.#held.get(index) ?? variable(name)
  }
}

/** Above it a number is a mask, which hexadecimal digits show best. */
const LARGE = 0x7fffffff

const numberText = (value: number | bigint): string => (value > LARGE ? `0x${value.toString(16)}` : String(value))

/** An argument as strace(1) would write it; `$name` for what an earlier step left. */
const operandText = (operand: Operand | undefined, names: Names): string => {
  if (typeof operand !== 'object') return numberText(operand ?? 0)
  switch (operand.kind) {
    case 'register':
      return names.of(operand)
    case 'data':
      return operand.text
    case 'named':
      return operand.text.endsWith(' fd') ? variable(operand.text) : operand.text
    case 'template':
      return JSON.stringify(operand.text.replaceAll('{pid}', '$pid'))
  }
}

const errnoText = (operand: Operand | undefined): string => (typeof operand === 'number' ? errnoName(operand) : '')

const place = (offset: Operand | undefined): string =>
  `data+0x${typeof offset === 'number' ? offset.toString(16) : '0'}`

/** What a step does to the registers and the data, or asks of the kernel, in one line. */
const callText = (step: Step, names: Names, target: (branch: Branch) => string): string => {
  const [first, second, third] = step.args
  const args = step.args.map((operand) => operandText(operand, names))
  const result = step.result === undefined ? '' : names.define(step.result)
  switch (step.operation) {
    case 'syscall':
    case 'clone': {
      const call = `${step.call ?? ''}(${args.join(', ')})`
      return result === '' ? call : `${call} = ${result}`
    }
    case 'store':
      return `${place(first)} = ${operandText(second, names)} (${operandText(third, names)} bytes)`
    case 'load':
      return `${result} = ${place(first)} (${operandText(third, names)} bytes)`
    case 'check':
      return `fail with ${errnoText(third)} unless ${operandText(first, names)} is ${operandText(second, names)}`
    case 'jump':
      return step.branches.map((branch) => `go on at step ${target(branch)}`).join('')
    case 'init':
      return `reap every child, pass on every signal, until ${operandText(first, names)} ends`
    case 'fail':
      return `fail with ${errnoText(first)}`
    case 'monitor':
      return `keep the console ${operandText(second, names)} until the process of ${operandText(first, names)} ends`
  }
}

/** What errors lead to, those with one end together. In a clone the branch is the parent's way. */
const branchTexts = ({ operation, branches }: Step, target: (branch: Branch) => string): readonly string[] => {
  if (operation === 'jump') return []
  const ends = new Map<string, string[]>()
  for (const branch of branches) {
    const cause =
      operation === 'clone' ? 'in the parent' : branch.errno === 'any' ? 'any error' : errnoName(branch.errno)
    const end = target(branch)
    ends.set(end, [...(ends.get(end) ?? []), cause])
  }
  return [...ends].map(([end, causes]) => `${causes.join(', ')}: go on at step ${end}`)
}

/** Where the first of some steps stands: its number among all, from 1, and its index in its phase, from 0. */
export interface ExplainedPlace {
  readonly number: number
  readonly index: number
}

/** Steps in words, without taking any. The steps that a jump leads to are numbered as these are. Pure. */
export const explainSteps = (
  steps: readonly Step[],
  phase: ExplainedPhase,
  first: ExplainedPlace,
): readonly ExplainedStep[] => {
  const names = new Names()
  const target = ({ to }: Branch): string => String(first.number + to.index)
  return steps.map((step, index): ExplainedStep => ({
    number: first.number + index,
    phase,
    index: first.index + index,
    mechanism: step.mechanism,
    operation: step.operation,
    call: callText(step, names, target),
    what: step.what,
    why: step.why,
    onError: branchTexts(step, target),
  }))
}
