// `tare cgroup top`, in a terminal and without one.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { hierarchyOf, readCgroupLayout } from '../../src/linux/index.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { isRoot, NODE_ARGS, PROGRAM, tare } from './tare.ts'

const layout = readCgroupLayout()
const NO_GROUPS = layout.kind === 'none' ? 'needs a cgroup hierarchy' : false
const NO_OTHER_MOUNTS = isRoot ? NO_GROUPS : 'needs root'
const groups = { skip: NO_GROUPS }
const terminal = { skip: NO_GROUPS || NO_TERMINAL, timeout: 60_000 }

test('without a terminal it prints tables, as many as asked for', groups, () => {
  const { status, stdout, stderr } = tare(['cgroup', 'top', '-n2', '-d0.2', '--depth=0', '--show=cpu,memory'])
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
  assert.match(
    stdout,
    /^(\d{4}-\S+Z\nGROUP +CPU% +HELD% +MEMORY +LIMIT\n\/( \+)? +\d+\.\d +\S+ +\S+iB +\S+iB\n){1}\n(\d{4}-\S+Z\nGROUP .*\n\/.*\n){1}$/,
  )
})

test('--json prints a line for each sample, with the same keys in each', groups, () => {
  const { status, stdout } = tare(['cgroup', 'top', '--json', '-n2', '-d0.2', '--depth=0', '--show=cpu'])
  assert.equal(status, 0)
  const samples = stdout
    .trimEnd()
    .split('\n')
    .map((line): { time: number; interval: number; groups: readonly object[] } => JSON.parse(line))
  assert.equal(samples.length, 2)
  for (const {
    time,
    interval,
    groups: [root = {}],
  } of samples) {
    assert.ok(time > 0 && interval >= 0.2)
    assert.deepEqual(Object.keys(root), ['name', 'level', 'collapsed', 'cpu', 'memory', 'io', 'pids', 'pressure'])
  }
})

test('what makes no sense is one error', groups, () => {
  const error = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = tare(['cgroup', 'top', ...args])
    assert.deepEqual({ status, stdout }, { status: 125, stdout: '' })
    return stderr
  }
  assert.match(error('--group=/tare-none'), /^tare: cannot find cgroup \/tare-none: there is no such group\n/)
  assert.match(error('-d', '0'), /^tare: cannot use --delay=0: it is not a number of seconds from 0\.1 to 86400\n$/)
  assert.match(error('-d', '1h'), /^tare: cannot use --delay=1h: it is not a number of seconds/)
  assert.match(error('-n', '0'), /^tare: cannot use --iterations=0: it is not a whole number from 1 up\n$/)
  assert.match(error('--depth=-1'), /^tare: cannot use --depth=-1: /)
  assert.match(error('--show=cpu,disk'), /^tare: cannot use --show=cpu,disk: it is not a list of cpu, memory, io/)
  assert.match(error('--show=cpu', '--sort=io'), /^tare: cannot use --sort=io: --show leaves that out\n$/)
})

test('what this host has no hierarchy for is one error', { skip: NO_OTHER_MOUNTS }, () => {
  const without = (hierarchies: string, ...args: readonly string[]): string => {
    const script = `umount ${hierarchies} && exec "$@"`
    const command = ['-m', 'sh', '-c', script, 'sh', PROGRAM, ...NODE_ARGS, 'cgroup', 'top', ...args]
    const { status, stdout, stderr } = spawnSync('unshare', command, { encoding: 'utf8' })
    assert.deepEqual({ status, stdout }, { status: 125, stdout: '' })
    return stderr
  }
  const mounts = layout.hierarchies.map(({ mountPoint }) => mountPoint)
  assert.match(without(mounts.join(' ')), /^tare: cannot find cgroup \/: no cgroup hierarchy is mounted here\n/)
  const io = hierarchyOf(layout, 'io')
  if (io?.version !== 1) return
  assert.match(
    without(io.mountPoint, '--show=io'),
    /^tare: cannot read the io of cgroups: no mounted cgroup hierarchy has the io controller\n/,
  )
})

test('in a terminal it draws, follows the size and the keys, and q gives the screen back', terminal, async (t) => {
  const session = new Session(['cgroup', 'top', '-d0.3'], { rows: 10, columns: 60 })
  t.after(() => session.close())
  await session.see(/\[\?1049h/)
  const drawn = await session.see(/\[\?2026h.\[H[^]*?.\[\?2026l/)
  assert.match(drawn, / by cpu, depth 2/)
  assert.match(drawn, /GROUP .*CPU%/)
  assert.doesNotMatch(drawn, /PSI-CPU/, 'too narrow for all columns')
  assert.ok(session.raw)
  session.resize(10, 160)
  await session.see(/PSI-CPU/)
  session.type('m')
  await session.see(/ by memory, /)
  session.type('--')
  await session.see(/depth 0[^]*\n\/ \+ /)
  session.type('q')
  await session.see(/\[\?25h.\[\?1049l/)
  assert.equal(await session.status, 0)
  assert.ok(!session.raw)
  assert.ok(!session.text.includes('tare:'), session.text)
})

test('however it is ended, the screen comes back', terminal, async (t) => {
  const ends: readonly (readonly [status: number, (session: Session) => void])[] = [
    [130, (session) => session.type('\x03')],
    [143, ({ pid }) => process.kill(pid, 'SIGTERM')],
    [129, ({ pid }) => process.kill(pid, 'SIGHUP')],
  ]
  for (const [status, end] of ends) {
    const session = new Session(['cgroup', 'top'])
    t.after(() => session.close())
    await session.see(/\[\?2026l/)
    end(session)
    await session.see(/\[\?25h.\[\?1049l/)
    assert.equal(await session.status, status)
    assert.ok(!session.raw)
  }
})

const state = (pid: number): string => /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1] ?? ''

test('^Z gives the screen back until it goes on', terminal, async (t) => {
  const session = new Session(['cgroup', 'top'])
  t.after(() => session.close())
  await session.see(/\[\?2026l/)
  session.type('\x1a')
  await session.see(/\[\?1049l/)
  for (let round = 0; state(session.pid) !== 'T' && round < 200; round++) await sleep(10)
  assert.equal(state(session.pid), 'T')
  assert.ok(!session.raw)
  process.kill(session.pid, 'SIGCONT')
  await session.see(/\[\?1049h[^]*GROUP/)
  session.type('q')
  assert.equal(await session.status, 0)
})
