// `tare run` as it is started from a shell. Needs user namespaces; what needs more says so.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Called } from './tare.ts'
import { ended, isRoot, NO_CONTAINERS, NOBODY, NODE_ARGS, PROGRAM, startTare, tare } from './tare.ts'

const scratch = mkdtempSync(join(tmpdir(), 'tare-run-'))
after(() => rmSync(scratch, { recursive: true }))

const container = { skip: NO_CONTAINERS }

const outcome = ({ status, stdout, stderr }: Called): readonly unknown[] => [status, stdout, stderr]

test('the exit status is the command’s', container, () => {
  assert.deepEqual(outcome(tare(['run', 'true'])), [0, '', ''])
  assert.deepEqual(outcome(tare(['run', 'sh', '-c', 'exit 7'])), [7, '', ''])
  assert.deepEqual(outcome(tare(['run', 'sh', '-c', 'kill -TERM $$'])), [143, '', ''])
  assert.deepEqual(outcome(tare(['run', '--no-init', 'sh', '-c', 'exit 7'])), [7, '', ''])
})

test('126: there, and not executable; 127: not there', container, () => {
  const notFound = tare(['run', 'no-such-program'])
  assert.equal(notFound.status, 127)
  assert.match(notFound.stderr, /^tare: cannot find no-such-program in \/usr\/local\/sbin:.*: ENOENT .*\nGive its path/)
  assert.equal(notFound.stdout, '')
  const missing = tare(['run', '/no/such/program'])
  assert.deepEqual(outcome(missing), [
    127,
    '',
    'tare: cannot run /no/such/program: ENOENT (no such file or directory)\n' +
      'It is not there, or what it is run by is not: the loader that it names, or the interpreter of a script.\n',
  ])
  const denied = tare(['run', '/etc/passwd'])
  assert.equal(denied.status, 126)
  assert.match(denied.stderr, /^tare: cannot run \/etc\/passwd: EACCES /)
  const inPath = tare(['run', '-e', 'PATH=/etc', 'passwd'])
  assert.equal(inPath.status, 126)
  assert.match(inPath.stderr, /^tare: cannot run passwd: EACCES .*\nIt was found/)
  writeFileSync(join(scratch, 'data'), 'no program\n', { mode: 0o755 })
  const data = tare(['run', '-v', `${scratch}:/work:ro`, '/work/data'])
  assert.equal(data.status, 126)
  assert.match(data.stderr, /^tare: cannot run \/work\/data: ENOEXEC /)
})

test('standard input is empty without -i, and passed on with it', container, () => {
  assert.deepEqual(outcome(tare(['run', 'cat'], { input: 'hello\n' })), [0, '', ''])
  assert.deepEqual(outcome(tare(['run', '-i', 'cat'], { input: 'hello\n' })), [0, 'hello\n', ''])
})

test('output and errors stay apart', container, () => {
  assert.deepEqual(outcome(tare(['run', 'sh', '-c', 'echo out; echo err >&2'])), [0, 'out\n', 'err\n'])
})

test('what follows the command is the command’s', container, () => {
  assert.equal(tare(['run', '--rm', 'echo', '-i', '--memory', '--', '-h']).stdout, '-i --memory -- -h\n')
  assert.equal(tare(['run', '--', 'printf', '%s %s', '--help', '-m']).stdout, '--help -m')
})

test('options reach the container', container, () => {
  const script = 'hostname; pwd; umask; ulimit -n; echo $A:$CALLER:$SECRET; cat /proc/sys/net/ipv4/ip_forward; ls -A .'
  const args = ['run', '-h', 'box', '-w', '/work', '--umask=027', '--ulimit=nofile=64:64', '-e', 'A=1', '-e', 'CALLER']
  const more = ['--sysctl=net.ipv4.ip_forward=1', `--mount=type=bind,src=${scratch},dst=/work,ro`, 'sh', '-c', script]
  writeFileSync(join(scratch, 'listed'), '')
  const { status, stdout, stderr } = tare([...args, ...more], { env: { CALLER: 'yes', SECRET: 'no' } })
  assert.deepEqual([status, stderr], [0, ''])
  assert.match(stdout, /^box\n\/work\n0027\n64\n1:yes:\n1\n(?:.*\n)*listed\n$/)
})

test('a read-only volume can be read and not written', container, () => {
  const target = join(scratch, 'volume')
  writeFileSync(target, 'content\n')
  const { status, stdout } = tare(['run', '-v', `${target}:/data:ro`, 'sh', '-c', 'cat /data; echo changed >/data'])
  assert.notEqual(status, 0)
  assert.equal(stdout, 'content\n')
  assert.equal(readFileSync(target, 'utf8'), 'content\n')
})

test('a timeout ends everything with status 137, and says so', container, () => {
  const began = performance.now()
  assert.deepEqual(outcome(tare(['run', '--timeout=300ms', 'sh', '-c', 'trap "" TERM; sleep 50 & sleep 50'])), [
    137,
    '',
    'tare: timed out after 300ms: everything in the container was killed\n',
  ])
  assert.ok(performance.now() - began < 20_000)
})

test('the report tells how it ended', container, () => {
  const path = join(scratch, 'report.json')
  const read = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
  assert.equal(tare(['run', `--report=${path}`, 'sh', '-c', 'exit 3']).status, 3)
  const { usage, ...rest } = read(readFileSync(path, 'utf8'))
  assert.deepEqual(rest, { exitStatus: 3, exitCode: 3, signal: null, timedOut: false, oomKilled: false })
  assert.deepEqual(Object.keys(usage as object), ['userTime', 'systemTime', 'peakMemory', 'wallTime'])

  const { status, stdout, stderr } = tare(['run', '--report=-', 'sh', '-c', 'echo out; kill -KILL $$'])
  assert.deepEqual([status, stdout], [137, 'out\n'])
  const { exitStatus, exitCode, signal } = read(stderr)
  assert.deepEqual([exitStatus, exitCode, signal], [137, null, 'SIGKILL'])

  assert.equal(tare(['run', `--report=${path}`, 'no-such-program']).status, 127)
  const failed = read(readFileSync(path, 'utf8'))
  assert.equal(failed['exitStatus'], 127)
  assert.match(JSON.stringify(failed['error']), /^\{"code":"ENOENT","message":"cannot find no-such-program in /)
})

test('bad input is one clear error, status 125, and nothing is started', () => {
  const mark = join(scratch, 'started')
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['--memroy=64m'], /^cannot use --memroy of tare run: there is no such option\nDid you mean --memory\?/],
    [['-m', '64q'], /^cannot use "64q" as memory: it is not a size\nWrite a number of bytes/],
    [['--timeout=5'], /^cannot use "5" as timeout: it has no unit\nWrite numbers with units/],
    [['--cpus=many'], /^cannot use "many" as cpus: it is not a number of processors\n/],
    [
      ['--network=bridge'],
      /^cannot use --network=bridge of tare run: there is no such choice\nIt takes none, host or veth\./,
    ],
    [
      ['-v', '/no/such/directory:/x'],
      /^cannot use \/no\/such\/directory as the source of a mount: it does not exist\n/,
    ],
    [['--rootfs=/no/such/root'], /^cannot use \/no\/such\/root as the root: it does not exist\n/],
    [['-v', '.:x'], /^cannot mount at "x": a target is an absolute path in the container\n?/],
    [['--env-file=/no/such/file'], /^cannot read \/no\/such\/file as the file of variables: ENOENT\n/],
    [['--report=/no/such/directory/report'], /^cannot use --report=\/no\/such\/directory\/report: ENOENT/],
    [['--uidmap=0:0:1', '--gidmap=0:0:1', '-u', '7'], /^cannot run as user 7: the id is not mapped in the container\n/],
    [['--cap-add=cap_net_amdin'], /^cannot use capability cap_net_amdin: there is none of that name\n/],
    [['--ulimit=nofile=x'], /^cannot read the limit /],
    [['--sysctl=kernel.panic=1'], /^cannot set the sysctl kernel.panic: it belongs to the whole host\n/],
    [['--hostname=a b'], /^cannot use host name "a b": /],
    [['-d'], /^cannot use --detach: /],
    [['--privileged'], /^cannot use --privileged: /],
  ]
  for (const [args, message] of cases) {
    const { status, stdout, stderr } = tare(['run', ...args, '-v', `${scratch}:/out`, 'touch', '/out/started'])
    assert.deepEqual([status, stdout], [125, ''], `${args.join(' ')}: ${stderr}`)
    assert.match(stderr, /^tare: /)
    assert.match(stderr.slice('tare: '.length), message)
    assert.ok(stderr.trimEnd().split('\n').length <= 2, stderr)
    assert.equal(existsSync(mark), false, args.join(' '))
  }
  const { status, stderr } = tare(['run'])
  assert.deepEqual([status, stderr], [125, 'tare: cannot use tare run: COMMAND is missing\nSee "tare run --help".\n'])
})

test('a limit that this host cannot set is refused', { ...container }, (t) => {
  if (!existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes')) {
    t.skip('needs the memory controller on cgroup version 1')
    return
  }
  const { status, stdout, stderr } = tare(['run', '--cgroup=memory.high=1m', 'true'])
  assert.deepEqual([status, stdout], [125, ''])
  assert.match(
    stderr,
    /^tare: cannot write "1m" to memory.high: this host has the memory controller on cgroup version 1\n/,
  )
})

test('the memory limit kills, and that is said', container, (t) => {
  const there = ['/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/cgroup.controllers'].some(existsSync)
  if (!isRoot || !there) {
    t.skip('needs root and a memory cgroup')
    return
  }
  const { status, stdout, stderr } = tare(['run', '-m', '16m', 'tail', '/dev/zero'])
  assert.deepEqual(
    [status, stdout, stderr],
    [137, '', 'tare: the kernel killed a process: the memory limit of 16m was reached\n'],
  )
})

test('an ordinary user can do it too', container, (t) => {
  if (!isRoot) {
    t.skip('needs root, to become another user; all the tests of this file do it as an ordinary one')
    return
  }
  const script = 'id -u; cat /proc/self/uid_map'
  const { status, stdout, stderr } = tare(['run', 'sh', '-c', script], { as: NOBODY, cwd: '/' })
  assert.deepEqual([status, stdout.replaceAll(/ +/g, ' '), stderr], [0, `0\n 0 ${NOBODY.uid} 1\n`, ''])
})

test('signals go to the program', container, async () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const) {
    const name = signal.slice(3)
    const script = `trap 'echo got ${name}; exit 9' ${name}; echo ready; while :; do sleep 0.05; done`
    const child = startTare(['run', 'sh', '-c', script], ['ignore', 'pipe', 'inherit'])
    const output: string[] = []
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk.toString()))
    assert.ok(child.stdout)
    await once(child.stdout, 'data')
    child.kill(signal)
    assert.equal(await ended(child), 9, signal)
    assert.equal(output.join(''), `ready\ngot ${name}\n`)
  }
})

test('a program without a handler is ended by the signal', container, async () => {
  const child = startTare(['run', 'sh', '-c', 'echo ready; exec sleep 50'], ['ignore', 'pipe', 'inherit'])
  assert.ok(child.stdout)
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  assert.equal(await ended(child), 130)
})

test('if tare is killed, so is everything in the container', container, async () => {
  const child = startTare(['run', 'sh', '-c', 'sleep 50 & echo ready; sleep 50'], ['ignore', 'pipe', 'inherit'])
  assert.ok(child.stdout)
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  // The streams close when the last process that has them is gone.
  assert.equal(await ended(child), 'SIGKILL')
})

test('when nobody reads on, the program ends', container, () => {
  for (const options of [[], ['-t']]) {
    const script = '"$@" | head -n 2; exit ${PIPESTATUS[0]}'
    const words = [PROGRAM, ...NODE_ARGS, 'run', ...options, 'yes']
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' })
    assert.deepEqual([status, stdout.replaceAll('\r', ''), stderr], [141, 'y\ny\n', ''], options.join(' '))
  }
})

test('output that can’t be written is not lost in silence', container, async () => {
  const full = openSync('/dev/full', 'w')
  const child = startTare(['run', '-t', 'echo', 'hello'], ['ignore', full, 'pipe'])
  const errors: string[] = []
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk.toString()))
  assert.equal(await ended(child), 125)
  assert.equal(errors.join(''), 'tare: cannot write what the program wrote: ENOSPC\n')
})
