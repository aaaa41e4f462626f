// `tare ns`: what it prints, and what it refuses.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { HostNamespaces, NamespaceComparison } from '../../src/index.ts'
import { NAMESPACE_KINDS, readNamespace } from '../../src/linux/index.ts'
import { NOBODY, isRoot, tare } from './tare.ts'

const NO_UNSHARE = spawnSync('unshare', ['bash', '-c', 'true']).status === 0 ? false : 'needs unshare and bash'
const NO_ROOT = isRoot ? NO_UNSHARE : 'needs root'
const NO_DOT = spawnSync('dot', ['-V']).status === 0 ? NO_ROOT : 'needs dot (graphviz)'

/** A process in a network namespace of its own, whose name is out to do harm. */
const start = async (t: TestContext): Promise<ChildProcess & { readonly pid: number }> => {
  const script = 'echo there; exec -a "evil \x1b]0;\x07\\"name\\"" sleep 1000'
  const child = spawn('unshare', ['--net', 'bash', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  const { pid } = child
  assert.ok(pid !== undefined)
  return Object.assign(child, { pid })
}

const netOf = (pid: number): number => readNamespace(pid, 'net')?.inode ?? 0

const ns = (...args: readonly string[]): string => {
  const { status, stdout } = tare(['ns', ...args])
  assert.equal(status, 0)
  return stdout
}

test('the list has a line for each namespace, by type or by process', { skip: NO_ROOT }, async (t) => {
  const { pid } = await start(t)
  const lines = ns('-t', 'net').trimEnd().split('\n')
  assert.match(lines[0] ?? '', /^NS +TYPE +NPROCS +PID +USER +OWNER/)
  assert.ok(lines.slice(1).every((line) => /^\d+ +net /.test(line)))
  const own = lines.find((line) => line.startsWith(`${netOf(pid)} `)) ?? ''
  assert.match(own, new RegExp(String.raw`^\d+ +net +1 +${pid} +root +\d+ .*evil \\x1b\]0;\\x07"name" 1000$`))
  const task = ns('--task', `${pid}`, '-t', 'net', '-t', 'uts').trimEnd().split('\n')
  assert.deepEqual(
    task.slice(1).map((line) => line.split(/ +/).slice(0, 2)),
    [
      [`${netOf(pid)}`, 'net'],
      [`${readNamespace(pid, 'uts')?.inode}`, 'uts'],
    ],
  )
})

test('the JSON is what the library returns', { skip: NO_ROOT }, async (t) => {
  const { pid } = await start(t)
  const { namespaces, sets, unreadable } = JSON.parse(ns('--json', '--type=net')) as HostNamespaces
  assert.deepEqual(new Set(namespaces.map(({ kind }) => kind)), new Set(['net']))
  assert.deepEqual(namespaces.find(({ inode }) => inode === netOf(pid))?.first?.pids, [pid])
  assert.deepEqual(sets.find(({ namespaces: { net } }) => net === netOf(pid))?.pids, [pid])
  assert.equal(typeof unreadable, 'number')
})

test('one namespace, by its number or its name', { skip: NO_ROOT }, async (t) => {
  const { pid } = await start(t)
  const text = ns(`${netOf(pid)}`)
  assert.match(
    text,
    new RegExp(String.raw`^net ${netOf(pid)}\nisolates +Interfaces.*\nowner +user \d+\nprocesses +${pid} `),
  )
  assert.equal(ns(`net:[${netOf(pid)}]`), text)
  assert.equal((JSON.parse(ns('--json', `${netOf(pid)}`)) as { inode: number }).inode, netOf(pid))
})

test('a process beside the host, and beside another', { skip: NO_ROOT }, async (t) => {
  const { pid } = await start(t)
  const text = ns(`${pid}`)
  const states = [...text.matchAll(/^([a-z]+) +(same|own) +\d+ +\d+ +[A-Z]/gm)].map((match) => match.slice(1, 3))
  assert.deepEqual(
    states,
    NAMESPACE_KINDS.map((kind) => [kind, kind === 'net' ? 'own' : 'same']),
  )
  assert.match(text, /\nIDS OF PID \d+\n +all user ids +are the same here\n/)
  const two = JSON.parse(ns('--json', `${pid}`, `${process.pid}`)) as NamespaceComparison
  assert.deepEqual([two.process.pid, two.other.pid, two.otherIs], [pid, process.pid, 'process'])
  assert.deepEqual(
    two.kinds.filter(({ same }) => !same),
    [{ kind: 'net', same: false, process: netOf(pid), other: netOf(process.pid), isolates: two.kinds[3]?.isolates }],
  )
})

test('graphviz takes the graph', { skip: NO_DOT }, async (t) => {
  const { pid } = await start(t)
  const svg = spawnSync('dot', ['-Tsvg'], { input: ns('--dot', '-t', 'net', '-t', 'user'), encoding: 'utf8' })
  assert.deepEqual([svg.status, svg.stderr], [0, ''])
  assert.ok(svg.stdout.includes(`>${netOf(pid)}<`))
  assert.ok(svg.stdout.includes('&quot;name&quot; 1000<'))
})

test('an ordinary user sees own processes, and is told of the others', { skip: NO_ROOT }, async (t) => {
  const { pid } = await start(t)
  const { status, stdout, stderr } = tare(['ns'], { as: NOBODY })
  assert.equal(status, 0)
  assert.match(stderr, /^tare: \d+ processes can not be looked at, .*: as root more is seen\n$/)
  for (const kind of NAMESPACE_KINDS) {
    assert.match(stdout, new RegExp(`^${readNamespace('self', kind)?.inode} +${kind} `, 'm'))
  }
  assert.ok(!stdout.includes(`${netOf(pid)}`))
  const refused = tare(['ns', `${process.pid}`], { as: NOBODY })
  assert.equal(refused.status, 125)
  assert.match(refused.stderr, /^tare: cannot .*: EACCES \(permission denied\)\n.*CAP_SYS_PTRACE.*\n$/)
})

test('what makes no sense is refused', () => {
  const ended = spawnSync('true').pid
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[`${ended}`], /^tare: cannot look at the namespaces of process \d+: ESRCH \(no such process\)\nIt has ended/],
    [['--task', `${ended}`], /^tare: cannot look at the namespaces of process \d+: ESRCH/],
    [['4026000000'], /^tare: cannot show namespace 4026000000: there is none of this number\n/],
    [['web'], /^tare: cannot use "web": it is no process id/],
    [['0'], /^tare: cannot use "0": it is no process id/],
    [['1', '99999999'], /^tare: cannot use "99999999": it is no process id/],
    [['--task=x'], /^tare: cannot use "x": it is no process id/],
    [['1', '2', '3'], /^tare: cannot use tare ns: "3" is one argument too many/],
    [['-t', 'disk'], /^tare: cannot use --type=disk of tare ns: there is no such choice\nIt takes cgroup, /],
    [['--tree', '--dot'], /^tare: cannot use tare ns: --tree and --dot do not go together\n/],
    [['--tree', '1'], /^tare: cannot use tare ns: --tree is for the list of all namespaces, not for "1"\n/],
    [['--sockets', '1'], /^tare: cannot use tare ns: --sockets is for namespaces, not for process 1\n/],
    [['-t', 'net', '1'], /^tare: cannot use tare ns: --type is for the list/],
  ]
  for (const [args, message] of cases) {
    const { status, stdout, stderr } = tare(['ns', ...args])
    assert.deepEqual([status, stdout], [125, ''], args.join(' '))
    assert.match(stderr, message)
  }
})
