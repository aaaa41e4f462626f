import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import type { RunOptions } from '../../src/engine/options.ts'
import { resolveContainer } from '../../src/engine/resolve.ts'
import { ERRNO, errnoName } from '../../src/linux/errno.ts'
import { TareError } from '../../src/linux/error.ts'
import { trySyscall } from '../../src/linux/syscall.ts'
import type { Step } from '../../src/plan/step.ts'
import type { Attachment } from '../../src/runtime/attachment.ts'
import type { Fault } from '../../src/runtime/fault.ts'
import { injectFault } from '../../src/runtime/inject.ts'
import { planContainer } from '../../src/runtime/plan.ts'
import type { ContainerPlan } from '../../src/runtime/plan/container-plan.ts'
import type { PlanHost } from '../../src/runtime/plan/context.ts'
import type { Ended, Running } from '../../src/runtime/running.ts'
import { startContainer } from '../../src/runtime/start.ts'
import { assertNothingLeft, snapshotHost } from './leaks.ts'

const { EIO = 5, ENOMEM = 12 } = ERRNO
const SIGKILL = 9
/** Longer than any start takes on a loaded machine, in milliseconds. */
const DEADLINE = 20_000

/** A container in which each step is made to fail. */
export interface Subject {
  readonly plan: ContainerPlan
  readonly host: PlanHost
  /** Makes its link to the host, where it has one. */
  readonly network?: () => Attachment
}

/** Plans `true` with these options. */
export const subject = (options: RunOptions): Subject => {
  const { spec, host } = resolveContainer(['true'], options)
  return { plan: planContainer(spec, host), host }
}

/** Which process takes a step: the one that sets up and then is the program, or PID 1, once it has cloned that. */
type Taker = 'program' | 'init'

const programOf = (step: Step): string | undefined => {
  const [file] = step.args
  return typeof file === 'object' && file.kind === 'data' ? String(JSON.parse(file.text)) : undefined
}

/** Where a step that succeeds, or fails as it does in every start, leads; undefined where its process stops walking. */
const leadsTo = (step: Step, index: number): number | undefined => {
  if (step.operation === 'jump' || step.call === 'recvfrom') return step.branches[0]?.to.index
  if (step.operation === 'fail' || step.operation === 'init') return undefined
  if (step.call !== 'execve') return index + 1
  const file = programOf(step)
  return file !== undefined && existsSync(file) ? undefined : step.branches[0]?.to.index
}

/** The steps that a start takes when nothing goes wrong, and who takes them. */
const usualSteps = (steps: readonly Step[]): ReadonlyMap<number, Taker> => {
  const usual = new Map<number, Taker>()
  const walk = (from: number, taker: Taker): void => {
    for (let index: number | undefined = from; index !== undefined;) {
      const step = steps[index]
      assert.ok(step !== undefined, 'the walk stays in the plan')
      usual.set(index, taker)
      if (step.operation === 'clone') walk(step.branches[0]?.to.index ?? -1, 'init')
      index = leadsTo(step, index)
    }
  }
  walk(0, 'program')
  return usual
}

/** Steps that are only taken when something has gone wrong are led to by a jump from the step before them. */
const leadTo = (steps: readonly Step[], usual: ReadonlyMap<number, Taker>, index: number): readonly Step[] => {
  if (usual.has(index)) return steps
  let from = index - 1
  while (usual.get(from) !== 'program') from -= 1
  return steps.map((step, at) =>
    at === from
      ? { ...step, operation: 'jump', call: undefined, args: [], branches: [{ errno: 0, to: { index } }] }
      : step,
  )
}

type Outcome = { readonly ended: Ended } | { readonly error: unknown }

/** Starts a container, kills it after `during` if there is one, and waits for its end. Then nothing may be left of it. */
const outcomeOf = async (
  { plan, host, network }: Subject,
  fault: Fault | undefined,
  of: string,
  during?: (running: Running) => Promise<void>,
): Promise<Outcome> => {
  const before = snapshotHost()
  const nothing = openSync('/dev/null', 'r+')
  let outcome: Outcome
  try {
    const running = await startContainer(plan, {
      stdio: [nothing, nothing, nothing],
      host,
      fault,
      network: network?.(),
    })
    const ended = running.ended.then(
      (value): Outcome => ({ ended: value }),
      (error: unknown): Outcome => ({ error }),
    )
    if (during !== undefined)
      try {
        await during(running)
      } finally {
        running.kill()
      }
    const terminal = await running.terminalReady
    outcome = await ended
    if (terminal !== undefined) trySyscall('close', terminal)
  } catch (error) {
    outcome = { error }
  } finally {
    closeSync(nothing)
  }
  await assertNothingLeft(before, of)
  return outcome
}

const assertFailed = (outcome: Outcome, step: Step, code: string, reason: string, of: string): void => {
  assert.ok('error' in outcome, `${of}: it does not run`)
  const { error } = outcome
  assert.ok(error instanceof TareError, `${of}: ${String(error)}`)
  assert.equal(error.code, code, `${of}: ${error.message}`)
  assert.equal(error.message.split('\n')[0], `cannot ${step.what}: ${reason}`, of)
}

const reasonOf = (errno: number): string => new TareError({ operation: '', errno }).message.replace(/^cannot : /, '')

const untolerated = ({ branches }: Step): number => (branches.some(({ errno }) => errno === EIO) ? ENOMEM : EIO)

const waitFor = async (condition: () => boolean, what: string): Promise<void> => {
  for (const begin = performance.now(); !condition(); await sleep(1))
    assert.ok(performance.now() - begin < DEADLINE, `${what} within ${DEADLINE} ms`)
}

const stateOf = (pid: number): string | undefined => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.[0]

/** How many steps each way was tried on. */
export interface Tried {
  readonly failed: number
  /** Those that can't fail, and so aren't made to. */
  readonly infallible: number
  readonly killed: number
  readonly branches: number
}

/** Every step of Tare's own, before and after the clone, fails with an errno that it doesn't tolerate. */
export const failOwnSteps = async (each: Subject): Promise<Pick<Tried, 'failed' | 'infallible'>> => {
  let [failed, infallible] = [0, 0]
  const { prepare, grant, unshare } = each.plan
  for (const [phase, steps] of [
    ['prepare', prepare],
    ['grant', grant],
    ['unshare', [unshare.step]],
  ] as const)
    for (const [index, step] of steps.entries()) {
      // Writes a number into our own memory.
      if (step.operation === 'store') {
        infallible += 1
        continue
      }
      const of = `${phase} ${index} (${step.what}) failing`
      const errno = untolerated(step)
      const outcome = await outcomeOf(each, { kind: 'fail', phase, index, errno }, of)
      assertFailed(outcome, step, errnoName(errno), reasonOf(errno), of)
      failed += 1
    }
  return { failed, infallible }
}

/** Every step of the stage fails with an errno that it doesn't tolerate. */
export const failStageSteps = async ({
  plan,
  host,
  network,
}: Subject): Promise<Pick<Tried, 'failed' | 'infallible'>> => {
  const usual = usualSteps(plan.stage)
  let [failed, infallible] = [0, 0]
  for (const [index, step] of plan.stage.entries()) {
    // Being PID 1 never returns, so there is nothing that could be told.
    if (step.operation === 'init') {
      infallible += 1
      continue
    }
    const of = `step ${index} (${step.what}) failing`
    const errno = untolerated(step)
    const changed = { ...plan, stage: leadTo(plan.stage, usual, index) }
    const fault: Fault = { kind: 'fail', phase: 'stage', index, errno }
    const changedSubject = network === undefined ? { plan: changed, host } : { plan: changed, host, network }
    const outcome = await outcomeOf(changedSubject, fault, of)
    assertFailed(outcome, step, errnoName(errno), reasonOf(errno), of)
    failed += 1
  }
  return { failed, infallible }
}

/** Waits until whoever takes step `index` waits there, and kills the container. */
const killAt = async (
  each: Subject,
  fault: Fault,
  index: number,
  usual: ReadonlyMap<number, Taker>,
  of: string,
): Promise<void> => {
  if (usual.get(index) === 'init') {
    // Where PID 1 is after the clone, nobody is told: the program's steps are. It waits for the kill as the program
    // goes on to its end, so the container has started, and was killed.
    const program = Math.max(...[...usual].filter(([, taker]) => taker === 'program').map(([at]) => at))
    const outcome = await outcomeOf(each, fault, of, (running) =>
      waitFor(() => running.step === program && stateOf(running.pid) === 'S', of),
    )
    const status = { kind: 'killed', signal: SIGKILL, coreDumped: false }
    assert.deepEqual('ended' in outcome ? outcome.ended.status : outcome.error, status, of)
    return
  }
  const step = each.plan.stage[index]
  assert.ok(step !== undefined, of)
  const outcome = await outcomeOf(each, fault, of, (running) => waitFor(() => running.step === index, of))
  assertFailed(outcome, step, 'ERR_TARE_KILLED', 'the process that was to do it was killed by SIGKILL', of)
}

/** The process is killed at every step of the stage. */
export const killAtStageSteps = async ({ plan, host }: Subject): Promise<Pick<Tried, 'killed'>> => {
  const usual = usualSteps(plan.stage)
  const [first] = plan.stage
  assert.ok(first !== undefined)
  const before: Fault = { kind: 'kill', phase: 'unshare', index: 0 }
  const unready = await outcomeOf({ plan, host }, before, 'before the stage', (running) =>
    waitFor(() => stateOf(running.pid) === 'S', 'the process to wait'),
  )
  assertFailed(unready, first, 'ERR_TARE_KILLED', 'the process that was to do it was killed by SIGKILL', 'before')
  let killed = 0
  for (const [index, step] of plan.stage.entries()) {
    const of = `step ${index} (${step.what}) killed`
    const changed = { ...plan, stage: leadTo(plan.stage, usual, index) }
    const fault: Fault = { kind: 'kill', phase: 'stage', index }
    await killAt({ plan: changed, host }, fault, index, usual, of)
    killed += 1
  }
  return { killed }
}

/** Where a step leads that fails as it may. The first branch of a clone is the way of the parent. */
const tolerated = ({ operation, branches }: Step): Step['branches'] =>
  operation === 'clone' ? branches.slice(1) : operation === 'syscall' ? branches : []

/** Every errno that a step of the stage tolerates leads where its branch says; there the process is killed. */
export const takeStageBranches = async ({ plan, host }: Subject): Promise<Pick<Tried, 'branches'>> => {
  const usual = usualSteps(plan.stage)
  let branches = 0
  for (const [index, step] of plan.stage.entries()) {
    for (const { errno, to } of tolerated(step)) {
      assert.ok(errno !== 'any', 'a branch for any errno needs a test of its own')
      const of = `step ${index} (${step.what}) failing with ${errnoName(errno)}, which it tolerates`
      const waiting = injectFault(leadTo(plan.stage, usual, index), { kind: 'kill', phase: 'stage', index: to.index })
      const fault: Fault = { kind: 'fail', phase: 'stage', index, errno }
      await killAt({ plan: { ...plan, stage: waiting }, host }, fault, to.index, usual, of)
      branches += 1
    }
  }
  return { branches }
}

/** All of it; asserts that each step was tried each way. */
export const tryEveryFault = async (each: Subject): Promise<Tried> => {
  const { prepare, grant, stage } = each.plan
  const own = await failOwnSteps(each)
  const failed = await failStageSteps(each)
  const killed = await killAtStageSteps(each)
  const taken = await takeStageBranches(each)
  const tried = {
    failed: own.failed + failed.failed,
    infallible: own.infallible + failed.infallible,
    killed: killed.killed,
    branches: taken.branches,
  }
  const stores = [...prepare, ...grant].filter(({ operation }) => operation === 'store').length
  const inits = stage.filter(({ operation }) => operation === 'init').length
  assert.equal(tried.infallible, stores + inits)
  assert.equal(tried.failed + tried.infallible, prepare.length + grant.length + 1 + stage.length, 'each step failed')
  assert.equal(tried.killed, stage.length, 'the stage was killed at each step')
  assert.equal(tried.branches, stage.flatMap(tolerated).length, 'each branch was taken')
  return tried
}
