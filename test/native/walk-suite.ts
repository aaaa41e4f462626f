/** What each instruction of the stage does, on whichever machine. Needs no privilege. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { PlanBytes, StepBytes } from './plan-bytes.ts'
import { ANY_ERRNO, concat, data, dataOffset, encode, register, text, words } from './plan-bytes.ts'
import type { Machine, Outcome, Running } from './stage.ts'
import { OUT } from './stage.ts'
import { exit, status, testOn, write } from './machine-test.ts'

const EBADF = 9
const EINVAL = 22
const ESRCH = 3
const SIGCHLD = 17
const SIGKILL = 9
const SIG_SETMASK = 2
const PR_SET_CHILD_SUBREAPER = 36
const ITIMER_REAL = 0
const SI_SIZE = 152

const badClose: StepBytes = { call: 'close', args: [-1] }

/** The program of a plan that forks: exits with a status that says where something went wrong. */
const fork = (result: number, parent: number): StepBytes => ({
  op: 'clone',
  call: 'clone',
  args: [SIGCHLD, 0, 0, 0, 0],
  result,
  jumps: [[0, parent]],
})

const failure = (outcome: Outcome): { readonly step: number; readonly error: number } => {
  assert.equal(outcome.exitCode, 125)
  assert.equal(outcome.reports.length, 1)
  const [report] = outcome.reports
  assert.equal(report?.kind, 'failed')
  return { step: report?.step ?? NaN, error: report?.error ?? NaN }
}

export const testWalk = (machine: Machine): void => {
  const start = (plan: PlanBytes): Running => machine.start(encode(plan, machine.architecture))
  const run = (plan: PlanBytes): Promise<Outcome> => start(plan).outcome
  const machineTest = testOn(machine)

  machineTest('syscall: its result is in a register, and a register is an argument', async () => {
    const steps = [{ ...write(0, 3), result: 127 }, exit(register(127))]
    const outcome = await run({ steps, data: text('abc') })
    assert.equal(status(outcome), 3)
    assert.equal(outcome.output.toString(), 'abc')
  })

  machineTest('syscall: all six arguments arrive', async () => {
    const PROT_READ = 1
    const MAP_SHARED = 1
    const content = new Uint8Array(8192)
    const plan: PlanBytes = {
      steps: [
        { call: 'mmap', args: [0, 4096, PROT_READ, MAP_SHARED, 4, 4096], result: 3 },
        { call: 'write', args: [OUT, register(3), 4] },
        exit(0),
      ],
      data: content,
    }
    content.set(text('page'), 4096 - dataOffset(plan))
    const outcome = await run(plan)
    assert.equal(status(outcome), 0)
    assert.equal(outcome.output.toString(), 'page')
  })

  machineTest('syscall: registers are zero at first', async () => {
    assert.equal(status(await run({ steps: [exit(register(77))] })), 0)
  })

  machineTest('store: 4 or 8 bytes, no more', async () => {
    const outcome = await run({
      steps: [
        { op: 'store', args: [4, 0x0102030405060708n, 4] },
        { op: 'store', args: [16, -2, 8] },
        { call: 'getpid', result: 1 },
        { op: 'store', args: [24, register(1), 8] },
        write(0, 32),
        exit(0),
      ],
      data: words(-1, -1, 0, 0),
    })
    assert.equal(status(outcome), 0)
    assert.equal(
      outcome.output.subarray(0, 24).toString('hex'),
      `ffffffff08070605ffffffffffffffff${'feffffffffffffff'}`,
    )
    assert.ok(outcome.output.readBigUInt64LE(24) > 0n)
  })

  machineTest('load: 4 bytes without sign, or 8', async () => {
    const outcome = await run({
      steps: [
        { op: 'load', args: [0, 0, 4], result: 0 },
        { op: 'load', args: [8, 0, 8], result: 1 },
        { op: 'store', args: [16, register(0), 8] },
        { op: 'store', args: [24, register(1), 8] },
        write(16, 16),
        exit(0),
      ],
      data: words(-2, -3, 0, 0),
    })
    assert.equal(status(outcome), 0)
    assert.deepEqual(outcome.output, Buffer.from(words(0xfffffffe, -3)))
  })

  machineTest('check: equal values pass, others fail with its errno', async () => {
    const load: StepBytes = { op: 'load', args: [0, 0, 8], result: 0 }
    const check = (value: number): StepBytes => ({ op: 'check', args: [register(0), value, 71] })
    assert.equal(status(await run({ steps: [load, check(5), exit(4)], data: words(5) })), 4)
    assert.deepEqual(failure(await run({ steps: [load, check(6), exit(4)], data: words(5) })), { step: 1, error: 71 })
    const branching = { ...check(6), jumps: [[71, 3] as const] }
    assert.equal(status(await run({ steps: [load, branching, exit(4), exit(5)], data: words(5) })), 5)
  })

  machineTest('jump: goes on at its target', async () => {
    const steps: readonly StepBytes[] = [{ op: 'jump', jumps: [[0, 2]] }, write(0, 1), exit(6)]
    const outcome = await run({ steps, data: text('x') })
    assert.equal(status(outcome), 6)
    assert.equal(outcome.output.length, 0)
  })

  machineTest('a step that fails is reported with its errno, and nothing after it is done', async () => {
    const outcome = await run({ steps: [write(0, 1), badClose, write(1, 1), exit(0)], data: text('xy') })
    assert.deepEqual(failure(outcome), { step: 1, error: EBADF })
    assert.equal(outcome.output.toString(), 'x')
    assert.equal(outcome.plan.readUInt32LE(28), 1, 'the header tells the step, too')
  })

  machineTest('a jump on an errno: the first that matches, in order', async () => {
    const exits = [exit(1), exit(2), exit(3)]
    const on = (...jumps: readonly (readonly [number, number])[]): Promise<Outcome> =>
      run({ steps: [{ ...badClose, jumps }, ...exits] })
    assert.equal(status(await on([EBADF, 2])), 2)
    assert.equal(status(await on([2, 1], [3, 1], [4, 1], [EBADF, 3])), 3)
    assert.equal(status(await on([ANY_ERRNO, 3])), 3)
    assert.equal(status(await on([2, 1], [ANY_ERRNO, 2], [EBADF, 3])), 2)
    assert.equal(status(await on([EBADF, 3], [ANY_ERRNO, 2])), 3)
    assert.deepEqual(failure(await on([2, 1], [3, 2])), { step: 0, error: EBADF })
    assert.equal(status(await run({ steps: [{ ...write(0, 0), jumps: [[ANY_ERRNO, 2]] }, ...exits] })), 1)
  })

  machineTest('after a jump the register holds the errno, negative', async () => {
    const outcome = await run({
      steps: [
        { ...badClose, result: 9, jumps: [[EBADF, 1]] },
        { op: 'check', args: [register(9), -EBADF, 71] },
        exit(0),
      ],
    })
    assert.equal(status(outcome), 0)
  })

  machineTest('a value that is negative is no errno unless it is of a system call', async () => {
    const steps: readonly StepBytes[] = [
      { op: 'load', args: [0, 0, 8], result: 0 },
      { op: 'check', args: [register(0), -5, 71] },
      exit(0),
    ]
    assert.equal(status(await run({ steps, data: words(-5) })), 0)
  })

  machineTest('clone: the child goes on, the parent jumps, each with its result', async () => {
    const outcome = await run({
      steps: [
        fork(0, 4),
        { op: 'check', args: [register(0), 0, 71] },
        write(0, 1),
        exit(11),
        { call: 'wait4', args: [register(0), data(8), 0, 0], result: 1 },
        { op: 'check', args: [register(0), register(1), 72] },
        { op: 'load', args: [8, 0, 4], result: 2 },
        { op: 'check', args: [register(2), 11 << 8, 73] },
        write(1, 1),
        exit(12),
      ],
      data: concat(text('cp'), new Uint8Array(14)),
    })
    assert.equal(status(outcome), 12)
    assert.equal(outcome.output.toString(), 'cp')
  })

  machineTest('clone: an errno is looked up behind the place where the parent goes on', async () => {
    const CLONE_THREAD = 0x10000
    const failing = (jumps: StepBytes['jumps'] = []): readonly StepBytes[] => [
      { op: 'clone', call: 'clone', args: [CLONE_THREAD, 0, 0, 0, 0], jumps: [[0, 1], ...jumps] },
      exit(1),
      exit(2),
    ]
    assert.deepEqual(failure(await run({ steps: failing() })), { step: 0, error: EINVAL })
    assert.equal(status(await run({ steps: failing([[EINVAL, 2]]) })), 2)
  })

  machineTest('a child reports for itself', async () => {
    const outcome = await run({
      steps: [fork(0, 2), badClose, { call: 'wait4', args: [register(0), 0, 0, 0] }, exit(0)],
    })
    assert.equal(outcome.exitCode, 0)
    assert.deepEqual(outcome.reports, [{ kind: 'failed', step: 1, error: EBADF }])
  })

  machineTest('fail: behaves as a system call that failed', async () => {
    assert.deepEqual(failure(await run({ steps: [{ op: 'fail', args: [30] }, exit(0)] })), { step: 0, error: 30 })
    assert.equal(status(await run({ steps: [{ op: 'fail', args: [30], jumps: [[30, 2]] }, exit(0), exit(8)] })), 8)
  })

  machineTest('a plan that comes to its end has failed', async () => {
    const outcome = await run({ steps: [write(0, 1), write(0, 1)], data: text('x') })
    assert.deepEqual(failure(outcome), { step: 2, error: EINVAL })
    assert.equal(outcome.output.toString(), 'xx')
  })

  machineTest('a relocated word is an address, even if it is named twice', async () => {
    const plan: PlanBytes = {
      steps: [{ call: 'writev', args: [OUT, data(0), 2] }, exit(0)],
      data: concat(words(32, 3, 36, 2), text('one two')),
      relocations: [16, 0, 16],
    }
    const outcome = await run(plan)
    assert.equal(status(outcome), 0)
    assert.equal(outcome.output.toString(), 'onetw')
  })

  machineTest('it becomes the program', async () => {
    const outcome = await run({
      steps: [{ call: 'execve', args: [data(32), data(0), data(24)] }],
      data: concat(words(40, 43, 46, 0), text('/bin/sh\0'), text('sh\0-c\0echo out >&5; exit 9\0')),
      relocations: [0, 8, 16],
    })
    assert.equal(status(outcome), 9)
    assert.equal(outcome.output.toString(), 'out\n')
  })

  testInit(machine, start)
}

/** Steps of a plan whose parent is init for the child; `child` starts with all signals unblocked. */
const initPlan = (
  child: readonly StepBytes[],
  before: readonly StepBytes[] = [],
  content: Uint8Array = new Uint8Array(0),
): PlanBytes => {
  const first = before.length + 1
  return {
    steps: [
      { call: 'rt_sigprocmask', args: [SIG_SETMASK, data(0), 0, 8] },
      ...before,
      fork(0, first + 2 + child.length),
      { call: 'rt_sigprocmask', args: [SIG_SETMASK, data(8), 0, 8] },
      ...child,
      { op: 'init', args: [register(0), OUT] },
    ],
    data: concat(words(-1, 0), content),
  }
}

/** The steps of {@link initPlan} come this many before its `child`. */
const BEFORE_CHILD = 3

const testInit = (machine: Machine, start: (plan: PlanBytes) => Running): void => {
  const machineTest = testOn(machine)
  const lastWords = (outcome: Outcome): { readonly exitCode: number; readonly word: number } => {
    assert.deepEqual(outcome.reports, [])
    const ended = outcome.output.subarray(-SI_SIZE)
    assert.equal(ended.length, SI_SIZE)
    assert.equal(ended.readUInt32LE(4), 0)
    return { exitCode: outcome.exitCode ?? -1, word: ended.readUInt32LE(0) }
  }

  machineTest('init: ends as its child does, and writes its status', async () => {
    const outcome = await start(initPlan([exit(7)])).outcome
    assert.deepEqual(lastWords(outcome), { exitCode: 7, word: 7 << 8 })
  })

  machineTest('init: writes what its child used', async () => {
    // The vector is at 16, behind the two words of initPlan, and the strings are behind the vector.
    const content = concat(words(56, 59, 62, 0), text('/bin/sh\0'), text('sh\0-c\0:\0'))
    const plan = initPlan([{ call: 'execve', args: [data(48), data(16), data(40)] }], [], content)
    const outcome = await start({ ...plan, relocations: [16, 24, 32] }).outcome
    assert.equal(lastWords(outcome).exitCode, 0)
    // struct rusage: the times of user and system, of two words each, then the peak of memory in KiB.
    const peak = outcome.output.readBigUInt64LE(8 + 4 * 8)
    assert.ok(peak > 200n && peak < 1_000_000n, `${peak} KiB`)
  })

  machineTest('init: a child that a signal killed', async () => {
    const steps: readonly StepBytes[] = [
      { call: 'getpid', result: 1 },
      { call: 'kill', args: [register(1), SIGKILL] },
      exit(0),
    ]
    const outcome = await start(initPlan(steps)).outcome
    assert.deepEqual(lastWords(outcome), { exitCode: 128 + SIGKILL, word: SIGKILL })
  })

  const sleep = (offset: number): StepBytes => ({ call: 'nanosleep', args: [data(offset), 0] })

  machineTest('init: passes on a signal', async () => {
    const running = start(
      initPlan([write(16, 1), sleep(24), exit(0)], [], concat(text('r'), new Uint8Array(7), words(50, 0))),
    )
    await running.outputs(1)
    process.kill(running.pid, 'SIGTERM')
    assert.deepEqual(lastWords(await running.outcome), { exitCode: 128 + 15, word: 15 })
  })

  machineTest('init: keeps a signal of the kernel to itself', async () => {
    const timer: StepBytes = { call: 'setitimer', args: [ITIMER_REAL, data(32), 0] }
    const content = concat(words(0, 300_000_000), words(0, 0, 0, 50_000))
    const outcome = await start(initPlan([sleep(16), exit(5)], [timer], content)).outcome
    assert.deepEqual(lastWords(outcome), { exitCode: 5, word: 5 << 8 })
  })

  machineTest('init: without a child it stays, whatever signal comes', async () => {
    const block: StepBytes = { call: 'rt_sigprocmask', args: [SIG_SETMASK, data(0), 0, 8] }
    const running = start({ steps: [block, write(0, 1), { op: 'init', args: [0, -1] }], data: words(-1) })
    await running.outputs(1)
    process.kill(running.pid, 'SIGTERM')
    await delay(100)
    process.kill(running.pid, 'SIGKILL')
    const { signal, reports } = await running.outcome
    assert.deepEqual({ signal, reports }, { signal: SIGKILL, reports: [] })
  })

  machineTest('init: reaps orphans, and stays for its child', async (t) => {
    if (machine.noSubreaper !== undefined) return t.skip(machine.noSubreaper)
    const subreaper: StepBytes = { call: 'prctl', args: [PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0] }
    const base = BEFORE_CHILD + 1
    // The child forks one that forks another and ends: the last is an orphan, and its pid comes through a pipe whose
    // end also says that it has ended. A process that is gone can't be sent a signal; one that isn't reaped can.
    const child: readonly StepBytes[] = [
      { call: 'pipe2', args: [data(16), 0] },
      { op: 'load', args: [16, 0, 4], result: 2 },
      { op: 'load', args: [20, 0, 4], result: 3 },
      fork(1, base + 9),
      fork(4, base + 6),
      exit(0),
      { op: 'store', args: [24, register(4), 8] },
      { call: 'write', args: [register(3), data(24), 8] },
      exit(0),
      { call: 'close', args: [register(3)] },
      { call: 'wait4', args: [register(1), 0, 0, 0] },
      { call: 'read', args: [register(2), data(32), 8], result: 5 },
      { op: 'check', args: [register(5), 8, 71] },
      { call: 'read', args: [register(2), data(40), 8], result: 5 },
      { op: 'check', args: [register(5), 0, 72] },
      sleep(48),
      { op: 'load', args: [32, 0, 8], result: 6 },
      { call: 'kill', args: [register(6), 0], jumps: [[ESRCH, base + 19]] },
      exit(1),
      exit(33),
    ]
    const outcome = await start(initPlan(child, [subreaper], concat(words(0, 0, 0, 0), words(0, 300_000_000)))).outcome
    assert.deepEqual(lastWords(outcome), { exitCode: 33, word: 33 << 8 })
  })
}
