/** What the tests of the stage have in common. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { register, StepBytes } from './plan-bytes.ts'
import { data } from './plan-bytes.ts'
import type { Machine, Outcome } from './stage.ts'
import { OUT } from './stage.ts'

type MachineTest = (name: string, body: (t: TestContext) => Promise<void>) => void

export const testOn =
  (machine: Machine): MachineTest =>
  (name, body) => {
    test(`${machine.name}: ${name}`, { timeout: 60_000 }, body)
  }

export const exit = (status: number | ReturnType<typeof register>): StepBytes => ({
  call: 'exit_group',
  args: [status],
})
export const write = (offset: number, length: number): StepBytes => ({
  call: 'write',
  args: [OUT, data(offset), length],
})
/** The exit code of a walk that reported nothing; a signal as a negative number. */
export const status = (outcome: Outcome): number => {
  assert.deepEqual(outcome.reports, [])
  return outcome.exitCode ?? -(outcome.signal ?? 0)
}
