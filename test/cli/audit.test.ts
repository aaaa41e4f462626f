import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRoot, NOBODY, NO_CONTAINERS, startTare, tare } from './tare.ts'

const needsRoot = isRoot ? false : 'needs root'

/** Calls `look` with the pid of PID 1 of a container of `tare run`. */
const inContainer = async (options: readonly string[], look: (pid: number) => void): Promise<void> => {
  const child = startTare(
    ['run', ...options, 'sh', '-c', 'echo ready; sleep 1000; true'],
    ['ignore', 'pipe', 'inherit'],
  )
  const closed = once(child, 'close')
  await once(child.stdout ?? child, 'data')
  // Its only child is the container's PID 1.
  const found = spawnSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' })
  const pid = Number(found.stdout.trim())
  try {
    look(pid)
  } finally {
    process.kill(pid, 'SIGKILL')
    await closed
  }
}

const LIMITS = ['--memory=64m', '--pids-limit=20'] as const

test('the exit status is the verdict', { skip: needsRoot || NO_CONTAINERS }, async () => {
  await inContainer(LIMITS, (pid) => {
    const { status, stdout } = tare(['audit', String(pid)])
    assert.match(stdout, /\nverdict: contained \(/)
    assert.equal(status, 0)
    assert.doesNotMatch(stdout, /dangerous calls/)
    assert.match(
      tare(['audit', '-v', '--filter', String(pid)]).stdout,
      /seccomp: the filter refuses all \d+ dangerous calls/,
    )
  })
  await inContainer([], (pid) => {
    const { status, stdout } = tare(['audit', String(pid)])
    assert.match(
      stdout,
      /^process \d+: sh -c echo ready; sleep 1000; true, in the container of Tare that process \d+ keeps\n\nWALL +STATE +FOUND\n/,
    )
    assert.match(stdout, /\nlimits +weak +no limit on memory, and 1 more\n/)
    assert.match(stdout, /\nWEAKNESSES\n {2}limits: no limit on memory\n/)
    assert.match(stdout, /\nverdict: contained, with gaps \(2 weaknesses, /)
    assert.equal(status, 1)
    assert.equal(tare(['audit', '--fail-on=escape', String(pid)]).status, 0)
    assert.equal(tare(['audit', '--except=limits', String(pid)]).status, 0)
    assert.equal(tare(['audit', String(pid), String(process.pid)]).status, 2, 'the gravest of all')
  })
  const { status, stdout } = tare(['audit', String(process.pid)])
  assert.match(stdout, /\nWAYS OUT\n/)
  assert.match(stdout, /\nverdict: not contained \(/)
  assert.equal(status, 2)
  assert.equal(tare(['audit', '--fail-on=never', String(process.pid)]).status, 0)
})

test(
  'a container by the id that its control group has, promised and found',
  { skip: needsRoot || NO_CONTAINERS },
  async () => {
    await inContainer(['--memory=64m'], (pid) => {
      const program = readFileSync(`/proc/${pid}/task/${pid}/children`, 'ascii').trim()
      const cgroup = readFileSync(`/proc/${program}/cgroup`, 'ascii')
      const id = /\/tare\/([0-9a-f]{12})\.\d+$/m.exec(cgroup)?.[1] ?? ''
      const { stdout } = tare(['audit', id.slice(0, 8)])
      assert.match(stdout, new RegExp(`^process ${program}: sh `))
      assert.match(stdout, /\nWALL +PROMISE +PROMISED +FOUND\nnamespaces +kept +its own cgroup, /)
      assert.match(stdout, /\nlimits +kept +memory: 64MiB +64MiB\n/)
      assert.doesNotMatch(stdout, / broken /)
    })
  },
)

test('JSON has all that was found', () => {
  const { status, stdout } = tare(['audit', '--json', '--fail-on=never', String(process.pid)])
  assert.equal(status, 0)
  const [found, ...more]: Record<string, unknown>[] = JSON.parse(stdout)
  assert.deepEqual(more, [])
  assert.deepEqual(Object.keys(found ?? {}), ['pid', 'name', 'command', 'verdict', 'findings', 'container'])
  assert.equal(found?.['pid'], process.pid)
})

test('an ordinary user audits its own processes, and no others', { skip: needsRoot }, async (t) => {
  const child = spawn('sleep', ['1000'], { ...NOBODY, stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  const own = tare(['audit', '--fail-on=never', String(child.pid)], { as: NOBODY, cwd: '/' })
  assert.equal(own.stderr, '')
  assert.match(own.stdout, /\nverdict: not contained/)
  const others = tare(['audit', String(process.pid)], { as: NOBODY, cwd: '/' })
  assert.equal(others.status, 125)
  assert.equal(others.stdout, '')
  assert.match(others.stderr, /^tare: cannot audit process \d+: EACCES \(permission denied\)\n.*CAP_SYS_PTRACE\.\n$/)
})

test('bad input is one clear error', () => {
  const gone = spawnSync('true').pid
  for (const [words, message] of [
    [['nginx'], /cannot audit "nginx": no container of that name or id is running\n.*tare ps/],
    [['99999999999'], /cannot audit "99999999999": no container/],
    [['4194305'], /cannot use "4194305": it is no process id\n/],
    [['0'], /cannot use "0": it is no process id\n/],
    [[String(gone)], /cannot audit process \d+: ESRCH \(no such process\)\n/],
    [[String(process.pid), String(gone)], /cannot audit process \d+: ESRCH \(no such process\)\n/],
    [[], /PID\|CONTAINER is missing/],
    [['--except=walls', '1'], /there is no such choice/],
    [['--fail-on=weaknes', '1'], /Did you mean weakness\?/],
  ] as const) {
    const { status, stdout, stderr } = tare(['audit', ...words])
    assert.equal(status, 125, words.join(' '))
    assert.match(stderr, message)
    assert.equal(stdout, '', 'nothing half done')
  }
})

test('what a process calls itself can not drive the terminal', async (t) => {
  const child = spawn('bash', ['-c', "exec -a $'evil\\x1b[2J\\nverdict: contained' sleep 1000"], { stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  const name = (): string => spawnSync('cat', [`/proc/${child.pid}/cmdline`], { encoding: 'utf8' }).stdout
  while (!name().startsWith('evil')) await sleep(10)
  const { stdout } = tare(['audit', String(child.pid)])
  assert.match(stdout, /^process \d+: evil\\x1b\[2J\\x0averdict: contained 1000\n/)
})
