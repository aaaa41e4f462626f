// `tare explain`: needs no privilege, and starts nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Explanation } from '../../src/index.ts'
import { explain } from '../../src/index.ts'
import { NOBODY, isRoot, tare } from './tare.ts'

const explanationOf = (...args: readonly string[]): Explanation => {
  const { status, stdout, stderr } = tare(['explain', '--json', ...args])
  assert.deepEqual([status, stderr], [0, ''])
  // What the command prints is what the library returns.
  return JSON.parse(stdout) as Explanation
}

const callsOf = (explanation: Explanation): readonly string[] => explanation.steps.map(({ call }) => call)

const has = (explanation: Explanation, call: string): boolean =>
  callsOf(explanation).some((text) => text.includes(call))

test('the JSON has every step in order, with its place, its words and its system call', () => {
  const { command, steps, counts } = explanationOf('ls', '-l')
  assert.deepEqual(command, ['ls', '-l'])
  assert.deepEqual(
    steps.map(({ number }) => number),
    steps.map((_, index) => index + 1),
  )
  for (const step of steps) {
    assert.deepEqual(Object.keys(step).toSorted(), [
      'call',
      'index',
      'mechanism',
      'number',
      'onError',
      'operation',
      'phase',
      'what',
      'why',
    ])
    assert.notEqual(step.what, '')
    assert.notEqual(step.call, '')
    for (const text of step.onError) {
      const target = Number(/: go on at step (\d+)$/.exec(text)?.[1])
      assert.ok(target > step.number && target <= steps.length, text)
    }
  }
  for (const phase of ['prepare', 'start', 'grant', 'stage'] as const) {
    const indices = steps.filter((step) => step.phase === phase).map(({ index }) => index)
    assert.deepEqual(indices, [...indices.keys()], phase)
    assert.equal(counts[phase], indices.length)
  }
  assert.equal(counts.steps, steps.length)
  assert.equal(
    counts.stageSystemCalls,
    steps.filter(({ phase, operation }) => phase === 'stage' && (operation === 'syscall' || operation === 'clone'))
      .length,
  )
  assert.deepEqual([...new Set(steps.map(({ mechanism }) => mechanism))].toSorted(), [
    'capabilities',
    'cgroups',
    'chroot',
    'namespaces',
    'process',
    'seccomp',
    'start',
  ])
})

test('the way of the process: cloned, mapped, made root, the stage, the new root, the program', () => {
  const calls = callsOf(explanationOf('ls'))
  const at = (text: string): number => {
    const index = calls.findIndex((call) => call.includes(text))
    assert.ok(index >= 0, text)
    return index
  }
  const way = [
    'clone3({flags=CLONE_NEWPID|CLONE_NEWUSER|',
    '"/proc/$pid/uid_map"',
    'setresuid(0, 0, 0)',
    'unshare(CLONE_NEWNS|',
    'write($plan, ',
    'execveat($stage',
    'pivot_root(".", ".")',
    'PR_CAPBSET_DROP, CAP_SYS_ADMIN',
    'PR_SET_NO_NEW_PRIVS',
    'seccomp(SECCOMP_SET_MODE_FILTER',
    'execve("/usr/bin/ls", ["ls"]',
  ].map(at)
  assert.deepEqual(
    way,
    way.toSorted((a, b) => a - b),
  )
})

test('each option changes the plan as it should', () => {
  const plain = explanationOf('true')
  assert.equal(has(plain, 'CLONE_NEWNET'), true)
  assert.equal(has(explanationOf('--network=host', 'true'), 'CLONE_NEWNET'), false)
  const whats = (of: typeof plain): readonly string[] => of.steps.map(({ what }) => what)
  assert.equal(whats(plain).includes('be PID 1'), true)
  assert.equal(whats(explanationOf('--no-init', 'true')).includes('be PID 1'), false)
  assert.equal(whats(explanationOf('--no-init', 'true')).includes('be PID 1 outside'), true)
  assert.equal(has(explanationOf('--security-opt=seccomp=unconfined', 'true'), 'seccomp('), false)
  assert.equal(has(explanationOf('--security-opt=no-new-privileges=false', 'true'), 'PR_SET_NO_NEW_PRIVS'), false)
  assert.equal(has(explanationOf('--cap-add=all', 'true'), 'PR_CAPBSET_DROP'), false)
  assert.equal(has(explanationOf('-h', 'box', 'true'), 'sethostname("box", 3)'), true)
  assert.equal(has(explanationOf('-t', 'true'), 'TIOCSCTTY'), true)
  assert.equal(
    explanationOf('-v', '.:/there:ro', 'true').steps.some(({ what }) => what.endsWith(' at /there')),
    true,
  )
})

test('the text has a heading for each mechanism, fits the width, and ends with the numbers', () => {
  const { status, stdout, stderr } = tare(['explain', 'ls'], { env: { COLUMNS: '80' } })
  assert.deepEqual([status, stderr], [0, ''])
  for (const name of ['START', 'NAMESPACES', 'CHROOT', 'CGROUPS', 'CAPABILITIES', 'SECCOMP', 'PROCESS'])
    assert.match(stdout, new RegExp(`^${name}  \\((?:Tare|the stage)`, 'm'))
  for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line)
  const { counts } = explain(['ls'])
  assert.match(
    stdout,
    new RegExp(`\n${counts.steps} steps, ${counts.stageSystemCalls} system calls by the stage\\.\n$`),
  )
  assert.match(stdout, /^ +\d+ {2}make the new root the root — unlike with chroot\(2\)/m)
})

test('colour comes when it is forced', () => {
  assert.equal(tare(['explain', 'ls'], { env: { FORCE_COLOR: '1' } }).stdout.includes('\u001b[2m'), true)
  assert.equal(tare(['explain', 'ls']).stdout.includes('\u001b'), false)
})

test('what run refuses, explain refuses with the same words', () => {
  for (const args of [
    ['-m', '64q', 'true'],
    ['-v', '/no/such:/x', 'true'],
    ['--uidmap=0:0:1', '-u', '7', 'true'],
    ['-d', 'true'],
  ]) {
    const { status, stdout, stderr } = tare(['explain', ...args])
    assert.deepEqual([status, stdout], [125, ''])
    assert.equal(stderr, tare(['run', ...args]).stderr)
  }
})

test('root’s plan maps a range of ids, an ordinary user’s only its own', (t) => {
  if (!isRoot) {
    t.skip('needs root, to become another user')
    return
  }
  assert.match(callsOf(explanationOf('true')).join('\n'), /write\(\$uid_map, "0 +\d+ 65536\\n"/)
  const { status, stdout } = tare(['explain', '--json', 'true'], { as: NOBODY, cwd: '/' })
  assert.equal(status, 0)
  const calls = callsOf(JSON.parse(stdout) as Explanation)
  assert.ok(calls.some((call) => /^write\(\$uid_map, "0 +65534 1\\n"/.test(call)))
  assert.ok(calls.some((call) => call.startsWith('write($setgroups, "deny"')))
})

test('control groups are made and limited before the clone, and joined by the stage', (t) => {
  if (!isRoot) {
    t.skip('needs root, whom every host lets set limits')
    return
  }
  const { steps } = explanationOf('--pids-limit=32', 'true')
  const prepared = steps.filter(({ phase, mechanism }) => phase === 'prepare' && mechanism === 'cgroups')
  assert.match(
    prepared[0]?.call ?? '',
    /^mkdirat\(AT_FDCWD, "\/sys\/fs\/cgroup.*\/tare\/[0-9a-f]{12}\.[0-9]+", 0755\)$/,
  )
  assert.match(prepared[1]?.call ?? '', /^write\("\/sys\/fs\/cgroup.*\/pids.max", "32"\)$/)
  assert.equal(prepared.length, 3)
})

test('the library explains without the command line, and refuses what isn’t an option', () => {
  assert.equal(explain(['true']).counts.steps, explainedSteps())
  assert.throws(() => explain([]), { code: 'ERR_TARE_INPUT', message: /^cannot run: there is no command/ })
  // @ts-expect-error: what a caller without types may pass
  assert.throws(() => explain(['true'], { memroy: '64m' }), {
    code: 'ERR_TARE_INPUT',
    message: /Did you mean memory\?/,
  })
})

const explainedSteps = (): number => explanationOf('true').counts.steps
