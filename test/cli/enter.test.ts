// `tare enter` beside nsenter(1): the same options lead to the same place.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FACTS, normalize } from './namespace-facts.ts'
import type { CallOptions } from './tare.ts'
import { NOBODY, NODE_ARGS, NO_CONTAINERS, PROGRAM, isRoot, tare } from './tare.ts'

const NSENTER = '/usr/bin/nsenter'
const root = { skip: isRoot ? false : 'needs root', timeout: 120_000 }
const user = { skip: NO_CONTAINERS, timeout: 120_000 }
const asUser: CallOptions = isRoot ? { as: NOBODY, cwd: '/' } : { cwd: '/' }

const started: ChildProcess[] = []
after(() => {
  for (const child of started) child.kill('SIGKILL')
})

const childrenOf = (pid: number | undefined): string =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'ascii').trim()

/** A process in namespaces of its own, all eight of them; its id. */
const target = async ({ as }: CallOptions): Promise<string> => {
  const words = [
    '-mnuipCTrf',
    '--mount-proc',
    '--kill-child',
    'sh',
    '-c',
    'echo ready; cd /usr; export INSIDE=yes; exec sh -c "read line"',
  ]
  const child = spawn('/usr/bin/unshare', words, { stdio: ['pipe', 'pipe', 'inherit'], ...as })
  started.push(child)
  await once(child.stdout, 'data')
  for (let round = 0; round < 100; round++) {
    const pid = childrenOf(child.pid)
    if (readFileSync(`/proc/${pid}/environ`, 'utf8').includes('INSIDE=yes')) return pid
    await sleep(20)
  }
  throw new Error('the process in namespaces of its own did not come up')
}

interface Answer {
  readonly status: number | null
  readonly facts: readonly string[]
}

const ENV = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/tmp' }

const compare = (args: readonly string[], options: CallOptions, script = FACTS): void => {
  const words = [...args, 'sh', '-c', script]
  const other = spawnSync(NSENTER, words, { encoding: 'utf8', cwd: '/', env: ENV, ...options.as })
  const mine = tare(['enter', ...words], { cwd: '/', ...options })
  const answers: readonly Answer[] = [mine, other].map(({ status, stdout }) => ({ status, facts: normalize(stdout) }))
  assert.deepEqual(answers[0], answers[1], `${args.join(' ')}\n${mine.stderr}\n${other.stderr}`)
}

const AS_ROOT: readonly string[] = [
  '-m',
  '-u',
  '-i',
  '-n',
  '-p',
  '-C',
  '-T',
  '-U',
  '-a',
  '-m -p',
  '-p -F',
  '-U --preserve-credentials',
  '-U -n -S 0 -G 0',
  '-n -S 1000 -G 1000',
  '-r -w',
  '-m -r -w',
  '-m --wdns=/usr/share',
  '-n -w/tmp',
]

test('as root the same options lead to the same place', root, async () => {
  const pid = await target({})
  for (const line of AS_ROOT) compare(['-t', pid, ...line.split(' ')], {}, `${FACTS}\npwd`)
  for (const kind of ['net', 'uts', 'user', 'mnt'] as const) {
    const option = `--${kind === 'mnt' ? 'mount' : kind}=/proc/${pid}/ns/${kind}`
    compare([option], {})
  }
  compare(['-a', '-t', pid, '--net=/proc/self/ns/net'], {})
})

test('as the ordinary user who made them the same options lead to the same place', user, async () => {
  const pid = await target(asUser)
  for (const line of [
    '-U --preserve-credentials',
    '-U -n --preserve-credentials',
    '-a --preserve-credentials',
    '-U -m -p --preserve-credentials',
  ])
    compare(['-t', pid, ...line.split(' ')], asUser)
  // Where nsenter(1) fails, since setgroups is denied to both: whoever can't drop his groups keeps them.
  const { stdout, stderr } = tare(['enter', '-t', pid, '-a', 'id', '-u'], asUser)
  assert.equal(stdout, '0\n', stderr)
})

test("a container of Tare's own is entered, by its PID 1 and by its program", user, async () => {
  for (const { as } of isRoot ? [{}, asUser] : [asUser]) {
    const words = [...NODE_ARGS, 'run', 'sh', '-c', 'echo ready; exec sleep 60']
    const child = spawn(PROGRAM, words, { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/', env: ENV, ...as })
    started.push(child)
    await once(child.stdout, 'data')
    const first = childrenOf(child.pid)
    for (const pid of [first, childrenOf(Number(first))]) {
      const script = 'id -u; cat /proc/1/status | head -1; readlink /proc/self/ns/net'
      const { stdout, stderr } = tare(['enter', '-t', pid, '-a', 'sh', '-c', script], { cwd: '/', ...(as && { as }) })
      const [id, name, net] = stdout.split('\n')
      assert.deepEqual([id, name?.startsWith('Name:\tmemfd:')], ['0', true], stderr)
      assert.notEqual(net, readlinkSync('/proc/self/ns/net'))
    }
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
})

test('a process is entered by its number and the inode of its pidfd', root, async (t) => {
  const pid = await target({})
  const wrong = tare(['enter', '-t', `${pid}:1`, '-n', 'true'])
  assert.equal(wrong.status, 125)
  if (/takes Linux 6\.9/.test(wrong.stderr)) return t.skip('needs Linux 6.9')
  const inode = /it is another process: its inode is (\d+)\n/.exec(wrong.stderr)?.[1]
  const right = tare(['enter', '-t', `${pid}:${inode}`, '-n', 'readlink', '/proc/self/ns/net'])
  assert.equal(right.stdout.trim(), readlinkSync(`/proc/${pid}/ns/net`), right.stderr)
})

test('more than nsenter of old: the parent, a socket, groups, the ids of the process', root, async () => {
  const pid = await target({})
  const above = tare([
    'enter',
    '-t',
    pid,
    '--uts',
    '--user-parent',
    'readlink',
    '/proc/self/ns/uts',
    '/proc/self/ns/user',
  ])
  assert.deepEqual(
    above.stdout.trim().split('\n'),
    [readlinkSync(`/proc/${pid}/ns/uts`), readlinkSync(`/proc/${pid}/ns/user`)],
    above.stderr,
  )
  const own = tare(['enter', '-t', pid, '--user', '--user-parent', '-n', 'readlink', '/proc/self/ns/user'])
  assert.equal(own.stdout.trim(), readlinkSync('/proc/self/ns/user'), own.stderr)

  const script =
    "const s = require('net').createServer().listen(0, '127.0.0.1', () => console.log(s._handle.fd)); s.unref; setTimeout(() => {}, 60000)"
  const server = spawn(
    '/usr/bin/unshare',
    ['-n', 'sh', '-c', 'ip link set lo up; exec "$0" -e "$1"', process.execPath, script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  started.push(server)
  const [said]: unknown[] = await once(server.stdout, 'data')
  const socket = tare(['enter', '-t', String(server.pid), '-N', String(said).trim(), 'readlink', '/proc/self/ns/net'])
  assert.equal(socket.stdout.trim(), readlinkSync(`/proc/${server.pid}/ns/net`), socket.stderr)
  const none = tare(['enter', '-t', String(server.pid), '-N', '0', 'true'])
  assert.match(none.stderr, /^tare: cannot open the network namespace of socket 0 of process \d+: .*/)

  const followed = tare(['enter', '-t', pid, '-a', '-S', 'follow', '-G', 'follow', 'id', '-u'])
  assert.equal(followed.stdout, '0\n', followed.stderr)
  const kept = tare(['enter', '-t', pid, '-U', '--keep-caps', 'grep', 'CapAmb', '/proc/self/status'])
  assert.match(kept.stdout, /CapAmb:\t0+1[f]+\n/, kept.stderr)
  const theirs = tare(['enter', '-t', pid, '-n', '-e', 'sh', '-c', 'echo $INSIDE ${OUTSIDE-no}'], {
    env: { OUTSIDE: 'yes' },
  })
  assert.equal(theirs.stdout, 'yes no\n', theirs.stderr)
  const joined = tare(['enter', '-t', pid, '-c', '-n', 'cat', '/proc/self/cgroup'])
  assert.equal(joined.stdout, readFileSync(`/proc/${pid}/cgroup`, 'utf8'), joined.stderr)
})

test('those who are entered get no secrets and no way out', root, async () => {
  const pid = await target({})
  const env = { SECRET: 'x', LC_ALL: 'C', TERM: 'dumb' }
  const has = (...args: readonly string[]): string =>
    tare(['enter', '-t', pid, ...args, 'sh', '-c', 'echo ${SECRET-none} $LC_ALL $TERM'], { env }).stdout
  for (const option of ['-m', '-p', '-U', '-a', '-r']) assert.equal(has(option), 'none C dumb\n', option)
  assert.equal(has('-n'), 'x C dumb\n')
  assert.equal(has('-a', '--keep-env'), 'x C dumb\n')
  // nsenter(1) leaves the working directory outside of the root.
  const words = ['enter', '-t', pid, '--root=/usr/lib', '-n', '/proc/self/exe']
  assert.equal(tare(words).status, 127)
  const inRoot = tare(['enter', `--root=/usr`, '-t', pid, '-n', '/bin/pwd'])
  assert.equal(inRoot.stdout, '/\n', inRoot.stderr)
  const open = tare(['enter', '-t', pid, '-n', 'ls', '/proc/self/fd'])
  assert.equal(open.stdout, '0\n1\n2\n3\n')
})

const ended = (): string => {
  const { pid } = spawnSync('true')
  assert.ok(!existsSync(`/proc/${pid}`))
  return String(pid)
}

test('what can not be entered is told in one error', user, async () => {
  const pid = await target({})
  const gone = ended()
  const cases: readonly (readonly [args: string, said: RegExp, options?: CallOptions])[] = [
    [
      `-t ${gone} -a true`,
      new RegExp(
        `^tare: cannot enter the namespaces of process ${gone}: ESRCH \\(no such process\\)\\nIt has ended\\.`,
      ),
    ],
    ['-t 0 -a true', /^tare: cannot use "0": it is no process id\n/],
    ['-t x -a true', /^tare: cannot use "x": it is no process id\n/],
    ['-a true', /^tare: cannot use --all: it is not said of which process\nGive --target=PID/],
    ['-n true', /^tare: cannot use --net: it is not said of which process\n/],
    ['--root true', /^tare: cannot use --root: it is not said of which process\n/],
    [
      '--net=/proc/self/ns/uts true',
      /^tare: cannot enter the net namespace \/proc\/self\/ns\/uts: it is a uts namespace\n/,
    ],
    ['--net=/etc/passwd true', /^tare: cannot enter the net namespace \/etc\/passwd: it is no namespace\n/],
    ['--net=/no/such true', /^tare: cannot open the namespace \/no\/such: ENOENT/],
    ['-Z -n true', /^tare: cannot use --follow-context: tare sets no SELinux contexts\n/],
    [`-t ${pid} -w -W / true`, /^tare: cannot use --wd with --wdns: there is one working directory\n/],
    [`-t ${pid} --setuid=me true`, /^tare: cannot use --setuid=me: it is no whole number from 0/],
    [`-t ${pid} -n --root=/no/such true`, /^tare: cannot open \/no\/such: ENOENT/],
    ['-S follow -n=/proc/self/ns/net true', /^tare: cannot use --setuid=follow: it is not said of which process\n/],
  ]
  for (const [args, said, options] of cases) {
    const { status, stdout, stderr } = tare(['enter', ...args.split(' ')], options)
    assert.deepEqual([status, stdout], [125, ''], `${args}: ${stderr}`)
    assert.match(stderr, said, args)
    assert.ok(stderr.trim().split('\n').length <= 2, stderr)
  }
})

test('a process that has ended, but was not waited for, has nothing that could be entered', user, async () => {
  const script = 'import os, time\npid = os.fork()\nif pid == 0: os._exit(0)\nprint(pid, flush=True)\ntime.sleep(60)'
  const parent = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  started.push(parent)
  const [said]: unknown[] = await once(parent.stdout, 'data')
  const pid = String(said).trim()
  for (let round = 0; !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); round++) {
    assert.ok(round < 100)
    await sleep(20)
  }
  for (const option of ['-a', '-n', '-r', '-w']) {
    const { status, stderr } = tare(['enter', '-t', pid, option, 'true'])
    assert.equal(status, 125, option)
    assert.match(stderr, /^tare: cannot .* process \d+: (?:ESRCH|ENOENT) .*\nIt has ended\./, option)
  }
})

test('whose namespaces they are decides who enters, and the error says so', root, async () => {
  const pid = await target({})
  const { status, stderr } = tare(['enter', '-t', pid, '-n', 'true'], asUser)
  assert.equal(status, 125)
  assert.match(stderr, /^tare: cannot read the \w+ namespace of process \d+: EACCES.*\n.*CAP_SYS_PTRACE/)
  const own = tare(['enter', '--net=/proc/self/ns/net', 'true'], asUser)
  assert.equal(own.status, 125)
  assert.match(
    own.stderr,
    /^tare: cannot enter the net namespace of \/proc\/self\/ns\/net: EPERM.*\nIt takes CAP_SYS_ADMIN in/,
  )
})
