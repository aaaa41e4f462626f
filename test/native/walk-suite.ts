/** What each instruction of the stage does, on whichever machine. Needs no privilege. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { syscall } from '../../src/linux/syscall.ts'
import type { PlanBytes, StepBytes } from './plan-bytes.ts'
import { ANY_ERRNO, concat, data, dataOffset, encode, HEADER, register, STEP, text, words } from './plan-bytes.ts'
import type { Machine, Outcome, Running } from './stage.ts'
import { OUT } from './stage.ts'

const EBADF = 9
const EINVAL = 22
const ESRCH = 3
const SIGCHLD = 17
const SIGKILL = 9
const SIG_SETMASK = 2
const PR_SET_CHILD_SUBREAPER = 36
const ITIMER_REAL = 0
const SI_SIZE = 152

const exit = (status: number | ReturnType<typeof register>): StepBytes => ({ call: 'exit_group', args: [status] })
const write = (offset: number, length: number): StepBytes => ({ call: 'write', args: [OUT, data(offset), length] })
const badClose: StepBytes = { call: 'close', args: [-1] }

/** The program of a plan that forks: exits with a status that says where something went wrong. */
const fork = (result: number, parent: number): StepBytes => ({
  op: 'clone',
  call: 'clone',
  args: [SIGCHLD, 0, 0, 0, 0],
  result,
  jumps: [[0, parent]],
})

const status = (outcome: Outcome): number => {
  assert.deepEqual(outcome.reports, [])
  return outcome.exitCode ?? -(outcome.signal ?? 0)
}

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
  const machineTest = (name: string, body: (t: TestContext) => Promise<void>): void => {
    test(`${machine.name}: ${name}`, { timeout: 60_000 }, body)
  }

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

  testInit(machine, machineTest, start)
  testRefusals(machine, machineTest)
}

type MachineTest = (name: string, body: (t: TestContext) => Promise<void>) => void

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

const testInit = (machine: Machine, machineTest: MachineTest, start: (plan: PlanBytes) => Running): void => {
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

interface Flaw {
  readonly name: string
  /** The step that is to blame, -1 for the rest of the plan. */
  readonly step: number
  /** Changes a plan that is right. */
  readonly spoil: (view: DataView) => void
}

/** The plan that gets the flaws: its first step would be seen, and its second has whatever operation is asked for. */
const victim = (second: StepBytes): PlanBytes => ({
  steps: [write(0, 1), second, exit(0), exit(0)],
  data: words(0x78, 0, 0),
  relocations: [8],
})

const at = (offset: number): number => HEADER + STEP + offset
const inArg = (index: number): number => at(32 + index * 8)
const RELOCATION = HEADER + 4 * STEP
const DATA_AT = RELOCATION + 8
const DATA_SIZE = 24

const flaw = (name: string, step: number, spoil: (view: DataView) => void): Flaw => ({ name, step, spoil })
const word = (name: string, offset: number, value: number): Flaw =>
  flaw(name, offset >= HEADER && offset < RELOCATION ? 1 : -1, (view) => view.setUint32(offset, value, true))
const byte = (name: string, offset: number, value: number): Flaw =>
  flaw(name, 1, (view) => view.setUint8(at(offset), value))
const jump = (name: string, index: number, errno: number, target: number): Flaw =>
  flaw(name, 1, (view) => {
    view.setUint16(at(16 + index * 4), errno, true)
    view.setUint16(at(18 + index * 4), target, true)
  })
const operand = (name: string, index: number, kind: number, value: bigint): Flaw =>
  flaw(name, 1, (view) => {
    view.setUint8(at(2 + index), kind)
    view.setBigUint64(inArg(index), value, true)
  })

const nothing: StepBytes = { call: 'getpid' }
const HEADER_FLAWS: readonly Flaw[] = [
  word('another magic', 0, 0x45524155),
  word('another version', 4, 2),
  word('a size too small', 8, DATA_AT + DATA_SIZE - 1),
  word('a size too large', 8, DATA_AT + DATA_SIZE + 1),
  word('no steps', 12, 0),
  word('more steps than there is room for', 12, 5),
  word('more steps than are allowed', 12, 4097),
  word('more steps than 32 bits can count the bytes of', 12, 0xffffffff),
  word('more relocations than there is room for', 16, 4),
  word('more relocations than 32 bits can count the bytes of', 16, 0x40000001),
  word('data that begins among the relocations', 20, RELOCATION),
  word('data that is not aligned', 20, DATA_AT + 4),
  word('data that begins too late', 20, DATA_AT + 8),
  word('data of a wrong size', 24, DATA_SIZE + 8),
  word('a mark that is set', 28, 1),
  word('a relocation that is not aligned', RELOCATION, 4),
  word('a relocation behind the data', RELOCATION, DATA_SIZE),
  word('a relocation far behind the data', RELOCATION, 0xfffffff8),
  word('a relocated word that leads behind the data', DATA_AT + 8, DATA_SIZE + 1),
  flaw('a relocated word with its top bit set', -1, (view) => view.setUint32(DATA_AT + 12, 0x80000000, true)),
]

const STEP_FLAWS: readonly Flaw[] = [
  byte('an unknown operation', 0, 8),
  byte('the last of all operations', 0, 255),
  byte('a result in a register that is not there', 1, 128),
  byte('a result in the last but one', 1, 254),
  word('something where nothing may be', at(12), 1),
  byte('an unknown kind of argument', 2, 3),
  byte('an unknown kind of the last argument', 7, 255),
  operand('a register that is not there', 0, 1, 128n),
  operand('a register far away', 5, 1, 1n << 63n),
  operand('data behind the data', 0, 2, BigInt(DATA_SIZE + 1)),
  operand('data far behind the data', 5, 2, (1n << 64n) - 8n),
  jump('a jump to itself', 0, 9, 1),
  jump('a jump back', 0, 9, 0),
  jump('a jump behind the last step', 0, 9, 4),
  jump('a jump far behind the last step', 3, ANY_ERRNO, 0xffff),
  jump('a target without an errno', 0, 0, 2),
  jump('a target without an errno in the last place', 3, 0, 2),
]

const KIND_FLAWS: readonly (readonly [step: StepBytes, flaws: readonly Flaw[]])[] = [
  [
    { op: 'jump', jumps: [[0, 2]] },
    [
      jump('a jump without a target', 0, 0, 0),
      jump('a jump to itself', 0, 0, 1),
      jump('a jump behind the last step', 0, 0, 4),
      jump('a jump with an errno', 0, 9, 2),
    ],
  ],
  [
    { op: 'clone', call: 'getpid', jumps: [[0, 2]] },
    [
      jump('a clone without a place for the parent', 0, 0, 0),
      jump('a clone whose parent goes back', 0, 0, 1),
      jump('a clone whose parent goes behind the last step', 0, 0, 4),
      jump('a clone whose parent waits for an errno', 0, 9, 2),
    ],
  ],
  ...(['store', 'load'] as const).map((op): readonly [StepBytes, readonly Flaw[]] => [
    { op, args: [16, 0, 8] },
    [
      operand(`a ${op} at a register`, 0, 1, 0n),
      operand(`a ${op} at an address`, 0, 2, 16n),
      operand(`a ${op} of as many bytes as a register says`, 2, 1, 8n),
      operand(`a ${op} of 3 bytes`, 2, 0, 3n),
      operand(`a ${op} of no bytes`, 2, 0, 0n),
      operand(`a ${op} of 16 bytes`, 2, 0, 16n),
      operand(`a ${op} across the end of the data`, 0, 0, 20n),
      operand(`a ${op} behind the data`, 0, 0, 24n),
      operand(`a ${op} before the data`, 0, 0, (1n << 64n) - 8n),
      operand(`a ${op} that is not aligned`, 0, 0, 12n),
    ],
  ]),
  [
    { op: 'check', args: [0, 0, 22] },
    [
      operand('a check with an errno of 0', 2, 0, 0n),
      operand('a check with an errno too large', 2, 0, 4096n),
      operand('a check with an errno in a register', 2, 1, 0n),
    ],
  ],
  [
    { op: 'fail', args: [22], jumps: [[22, 2]] },
    [
      operand('a failure with an errno of 0', 0, 0, 0n),
      operand('a failure with an errno too large', 0, 0, 4096n),
      operand('a failure with an errno in a register', 0, 1, 0n),
    ],
  ],
]

const testRefusals = (machine: Machine, machineTest: MachineTest): void => {
  const bytesOf = (second: StepBytes, { spoil }: Pick<Flaw, 'spoil'>): Uint8Array => {
    const bytes = encode(victim(second), machine.architecture)
    spoil(new DataView(bytes.buffer))
    return bytes
  }
  const refused = (outcome: Outcome, step: number, name: string): void => {
    assert.equal(outcome.output.toString(), '', `${name}: a step was taken`)
    assert.deepEqual(outcome.reports, [{ kind: 'refused', step, error: EINVAL }], name)
    assert.equal(outcome.exitCode, 125, name)
  }

  const groups: readonly (readonly [step: StepBytes, flaws: readonly Flaw[]])[] = [
    [nothing, [...HEADER_FLAWS, ...STEP_FLAWS]],
    ...KIND_FLAWS,
  ]
  for (const [second, flaws] of groups) {
    const kind = second.op ?? 'syscall'
    machineTest(`without a flaw, the plan with a ${kind} is walked`, async () => {
      const outcome = await machine.start(bytesOf(second, { spoil: () => undefined })).outcome
      assert.equal(status(outcome), 0)
      assert.equal(outcome.output.toString(), 'x')
    })
    for (const each of flaws) {
      machineTest(`refused before its first step: ${each.name}`, async () => {
        refused(await machine.start(bytesOf(second, each)).outcome, each.step, each.name)
      })
    }
  }

  machineTest('refused: a plan that is cut off or has something behind it', async () => {
    const whole = encode(victim(nothing), machine.architecture)
    for (const length of [1, 31, 32, 100, whole.length - 1]) {
      refused(await machine.start(whole.subarray(0, length)).outcome, -1, `${length} bytes`)
    }
    refused(await machine.start(concat(whole, Uint8Array.of(0))).outcome, -1, 'one byte more')
  })

  machineTest('as many steps as are allowed, and one more', async () => {
    const on = (index: number): StepBytes => ({ op: 'jump', jumps: [[0, index + 1]] })
    const plan = (count: number): Uint8Array =>
      encode({ steps: [...Array.from({ length: count - 1 }, (_, index) => on(index)), exit(9)] }, machine.architecture)
    assert.equal(status(await machine.start(plan(4096)).outcome), 9)
    refused(await machine.start(plan(4097)).outcome, -1, '4097 steps')
  })

  machineTest('refused: no plan at all', async () => {
    refused(await machine.start(new Uint8Array(0)).outcome, -1, 'an empty file')
    const pipe = new Int32Array(2)
    syscall({ operation: 'make pipe' }, 'pipe2', pipe, 0x80000)
    refused(await machine.start(new Uint8Array(0), pipe[0]).outcome, -1, 'a pipe')
    for (const fd of pipe) syscall({ operation: 'close' }, 'close', fd)
  })
}
