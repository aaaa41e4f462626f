import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ERRNO } from '../linux/errno.ts'
import { StepBuilder } from './builder.ts'
import { DataBuilder } from './data.ts'
import { explainSteps } from './explain.ts'
import { named } from './step.ts'

const { ENOENT = 2, EPIPE = 32 } = ERRNO
const FIRST = { number: 1, index: 0 }

const build = (): { readonly steps: StepBuilder; readonly data: DataBuilder } => {
  const data = new DataBuilder()
  return { steps: new StepBuilder(data), data }
}

test('a system call is written as strace writes it, with results by name', () => {
  const { steps, data } = build()
  steps.mechanism('chroot')
  const tree = steps.callFor('tree /usr fd', { what: 'open /usr', why: 'as a mount' }, 'open_tree', [
    named(-100, 'AT_FDCWD'),
    data.string('/usr'),
    named(1, 'OPEN_TREE_CLONE'),
  ])
  steps.call({ what: 'restrict it' }, 'mount_setattr', [
    tree,
    data.string(''),
    named(0x1000, 'AT_EMPTY_PATH'),
    data.add(new Uint8Array(32), '{MOUNT_ATTR_RDONLY}'),
    32,
  ])
  steps.call({ what: 'close the rest' }, 'close_range', [3, 0xffffffff, named(4, 'CLOSE_RANGE_CLOEXEC')])
  steps.call({ what: 'join' }, 'write', [named(6, 'cgroup memory fd'), data.string('0'), 1])
  steps.call({ what: 'open a map' }, 'openat', [
    named(-100, 'AT_FDCWD'),
    { kind: 'template', text: '/proc/{pid}/x' },
    1n,
  ])
  assert.deepEqual(
    explainSteps(steps.steps, 'stage', FIRST).map(({ call }) => call),
    [
      'open_tree(AT_FDCWD, "/usr", OPEN_TREE_CLONE) = $tree_/usr',
      'mount_setattr($tree_/usr, "", AT_EMPTY_PATH, {MOUNT_ATTR_RDONLY}, 32)',
      'close_range(3, 0xffffffff, CLOSE_RANGE_CLOEXEC)',
      'write($cgroup_memory, "0", 1)',
      'openat(AT_FDCWD, "/proc/$pid/x", 1)',
    ],
  )
})

test('a step keeps its words, its mechanism and its place', () => {
  const { steps } = build()
  steps.mechanism('process').call({ what: 'begin a session', why: 'of its own' }, 'setsid', [])
  assert.deepEqual(explainSteps(steps.steps, 'stage', { number: 40, index: 7 }), [
    {
      number: 40,
      phase: 'stage',
      index: 7,
      mechanism: 'process',
      operation: 'syscall',
      call: 'setsid()',
      what: 'begin a session',
      why: 'of its own',
      onError: [],
    },
  ])
})

test('jumps and branches name the step that they lead to by its number', () => {
  const { steps, data } = build()
  const [next, end] = [steps.label(), steps.label()]
  steps.call(
    { what: 'make it' },
    'mkdirat',
    [3, data.string('x'), 0o755],
    [
      { errno: ENOENT, to: end },
      { errno: EPIPE, to: next },
      { errno: 'any', to: end },
    ],
  )
  steps.place(next)
  steps.jump({ what: 'go on' }, end)
  steps.place(end)
  steps.call({ what: 'enter it' }, 'chdir', [data.string('x')])
  const explained = explainSteps(steps.steps, 'stage', { number: 10, index: 0 })
  assert.deepEqual(
    explained.map(({ call, onError }) => [call, onError]),
    [
      ['mkdirat(3, "x", 493)', ['ENOENT, any error: go on at step 12', 'EPIPE: go on at step 11']],
      ['go on at step 12', []],
      ['chdir("x")', []],
    ],
  )
})

test('what the stage does besides system calls is said too', () => {
  const { steps } = build()
  const [value, child] = [steps.register('value'), steps.register('child')]
  const parent = steps.label()
  steps.loadInto(value, { what: 'take it' }, 16, 4)
  steps.store({ what: 'put it' }, 255, value, 8)
  steps.check({ what: 'see it' }, value, 1, EPIPE)
  steps.clone({ what: 'clone' }, 'clone', [17, 0, 0, 0, 0], child, parent)
  steps.fail({ what: 'find it' }, ENOENT)
  steps.place(parent)
  steps.init({ what: 'be PID 1' }, child, 5)
  const explained = explainSteps(steps.steps, 'stage', FIRST)
  assert.deepEqual(
    explained.map(({ call }) => call),
    [
      '$value = data+0x10 (4 bytes)',
      'data+0xff = $value (8 bytes)',
      'fail with EPIPE unless $value is 1',
      'clone(17, 0, 0, 0, 0) = $child',
      'fail with ENOENT',
      'reap every child, pass on every signal, until $child ends',
    ],
  )
  assert.deepEqual(explained[3]?.onError, ['in the parent: go on at step 6'])
})

test('registers that hold a value at the same time have different names', () => {
  const { steps, data } = build()
  const make = (type: string) => steps.callFor('tmpfs', { what: `make ${type}` }, 'fsopen', [data.string(type), 0])
  const [root, dev] = [make('root'), make('dev')]
  steps.call({ what: 'mount it' }, 'move_mount', [dev, data.string(''), root, data.string('dev'), 4])
  steps.release(dev)
  make('again')
  assert.deepEqual(
    explainSteps(steps.steps, 'stage', FIRST).map(({ call }) => call),
    [
      'fsopen("root", 0) = $tmpfs',
      'fsopen("dev", 0) = $tmpfs_2',
      'move_mount($tmpfs_2, "", $tmpfs, "dev", 4)',
      'fsopen("again", 0) = $tmpfs_2',
    ],
  )
})

test('numbers and indices run on, wherever they begin, and every jump leads forward', () => {
  const plan = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(plan, fc.nat(1000), fc.nat(1000), (jumps, before, index) => {
      const { steps } = build()
      for (const [at, distance] of jumps.entries())
        steps.jump({ what: `jump ${at}` }, { index: Math.min(at + distance, jumps.length) })
      const explained = explainSteps(steps.steps, 'grant', { number: before + 1, index })
      for (const [at, step] of explained.entries()) {
        assert.deepEqual([step.number, step.index], [before + 1 + at, index + at])
        assert.ok(Number(/^go on at step (\d+)$/.exec(step.call)?.[1]) > step.number)
      }
    }),
  )
})
