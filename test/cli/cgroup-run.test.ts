// `tare cgroup run`, on whichever layout this host has. Needs root.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readCgroupLayout } from '../../src/linux/index.ts'
import type { Called } from './tare.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { NODE_ARGS, PROGRAM, ended, isRoot, startTare, tare } from './tare.ts'

const { hierarchies, kind } = readCgroupLayout()
const skip = !isRoot ? 'needs root' : kind === 'none' ? 'needs control groups' : false
const scratch = mkdtempSync(join(tmpdir(), 'tare-cgroup-run-'))
const name = `/tare-run-${process.pid}`

const run = (...words: readonly string[]): Called => tare(['cgroup', 'run', ...words])

const isThere = (group: string): boolean => hierarchies.some(({ mountPoint }) => existsSync(`${mountPoint}${group}`))

after(() => {
  if (isThere(name)) tare(['cgroup', 'rm', '--kill', name])
  rmSync(scratch, { recursive: true })
})

/** The group that a program sees itself in. */
const groupOf = (cgroups: string): string => {
  const [, group = ''] = /:(\/tare\S*)$/m.exec(cgroups) ?? []
  assert.match(group, /^\/tare\/[0-9a-f]{12}\.\d+$/)
  return group
}

test('a new group has the program from its start, its limits, and goes with it', { skip }, () => {
  const { status, stdout, stderr } = run('--new', 'pids=50', '--', 'sh', '-c', 'cat /proc/self/cgroup; exit 7')
  assert.equal(status, 7, stderr)
  assert.equal(stderr, '')
  assert.ok(!isThere(groupOf(stdout)))
})

test('what the program leaves running there is killed', { skip }, () => {
  const { status, stdout } = run('-n', 'sh', '-c', 'sleep 100 >/dev/null 2>&1 & echo $!; cat /proc/self/cgroup')
  assert.equal(status, 0)
  assert.ok(!isThere(groupOf(stdout)))
  // Whoever it was left to may not have waited for it yet.
  const stat = `/proc/${stdout.split('\n')[0]}/stat`
  assert.ok(!existsSync(stat) || / Z /.test(readFileSync(stat, 'utf8')))
})

test('--keep leaves the group, and says what it is called', { skip }, () => {
  const { stdout, stderr } = run('-n', '--keep', 'cat', '/proc/self/cgroup')
  const group = groupOf(stdout)
  assert.equal(stderr, `tare: the group is ${group}\n`)
  assert.ok(isThere(group))
  assert.equal(tare(['cgroup', 'rm', group]).status, 0)
})

test('--usage and --report say what was used', { skip }, () => {
  const report = join(scratch, 'report')
  const busy = 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; true | true'
  const { status, stderr } = run('-n', '-u', `--report=${report}`, 'sh', '-c', busy)
  assert.equal(status, 0, stderr)
  assert.match(stderr, /^time +\d.*\nprocessor time +\d.*\n(.*\n)*memory, at most +\d.*\nprocesses, at most +\d\n$/)
  const { group, exitStatus, wallTime, cpu, memory, pids } = JSON.parse(readFileSync(report, 'utf8'))
  assert.match(group, /^\/tare\//)
  assert.equal(exitStatus, 0)
  assert.ok(wallTime > 1 && cpu.usage > 1000 && memory.peak > 4096 && pids.peak >= 2)
})

test('out of memory is said, and counted', { skip }, () => {
  const words = [
    '-n',
    '--report=-',
    'memory=16MiB',
    'swap=0',
    'dd',
    'if=/dev/zero',
    'of=/dev/null',
    'bs=64M',
    'count=1',
  ]
  const { status, stderr } = run(...words)
  assert.equal(status, 137, stderr)
  assert.match(stderr, /^tare: the kernel killed a process: the limit on memory was reached\n/)
  assert.match(stderr, /"oomKills":1/)
})

test('in a group that is there settings stay, and so does the group', { skip }, () => {
  assert.equal(tare(['cgroup', 'create', '-q', name]).status, 0)
  const { stdout, status } = run(name, 'pids=33', '--', 'cat', '/proc/self/cgroup')
  assert.equal(status, 0)
  assert.match(stdout, new RegExp(`:${name}$`, 'm'))
  assert.equal(tare(['cgroup', 'get', '-r', name, 'pids']).stdout, '33\n')
})

test('signals go to the program, and the new group goes with it', { skip }, async () => {
  const child = startTare(['cgroup', 'run', '-n', 'sh', '-c', 'cat /proc/self/cgroup; exec sleep 100'], 'pipe')
  let out = ''
  child.stdout?.on('data', (data: Buffer) => (out += data.toString()))
  for (let wait = 0; !/\n0::.*\n/.test(out) && wait < 500; wait += 1) await sleep(20)
  child.kill('SIGTERM')
  assert.equal(await ended(child), 128 + 15)
  assert.ok(!isThere(groupOf(out)))
})

test(
  'after ^C the new group is removed, too, and tare ends by it as its program did',
  { skip: skip || NO_TERMINAL },
  async (t) => {
    const words = [...NODE_ARGS, 'cgroup', 'run', '-n', 'sh', '-c', 'cat /proc/self/cgroup; echo ready; exec sleep 100']
    const shell = ['sh', '-c', '"$@"; echo sta"tus" $?', 'sh', PROGRAM, ...words]
    const session = new Session(shell, undefined, [])
    t.after(() => session.close())
    const seen = await session.see(/[^]*ready\r\n/)
    session.type('\x03')
    await session.status
    assert.doesNotMatch(session.text, /status/)
    assert.ok(!isThere(groupOf(seen.replaceAll('\r', ''))))
  },
)

test('a program that is not there, a group that is not, nonsense', { skip }, () => {
  const fails = (status: number, message: RegExp, ...words: readonly string[]): void => {
    const called = run(...words)
    assert.match(called.stderr, message)
    assert.deepEqual([called.status, called.stdout], [status, ''])
  }
  fails(127, /^tare: cannot find no-such-program/, '-n', 'no-such-program')
  fails(126, /^tare: cannot /, '-n', '/etc/passwd')
  fails(125, /: there is no such group\n/, `${name}-other`, 'true')
  fails(125, /^tare: cannot use "1X" as memory/, '-n', 'memory=1X', 'true')
  fails(125, /COMMAND is missing\n/, '-n', 'memory=1m')
  fails(125, /^tare: cannot use --keep: GROUP stays anyway/, '--keep', name, 'true')
})
