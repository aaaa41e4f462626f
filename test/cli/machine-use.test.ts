// Working with a machine in the background: `tare exec`, `tare attach`, `tare logs`. Needs root, for owners that are
// mapped, and a cgroup hierarchy of version 2. Names are this process's own: all machines of a user are in one place.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { bootMachine, machine } from '../../src/index.ts'
import { getTermios, readCgroupLayout } from '../../src/linux/index.ts'
import { until } from '../until.ts'
import { NO_BUSYBOX, PASSWORD, makeBusybox } from './machine.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { NO_CONTAINERS, isRoot, startTare, tare } from './tare.ts'

const NEEDS =
  NO_CONTAINERS ||
  NO_BUSYBOX ||
  (isRoot ? false : 'needs root, to map owners') ||
  (readCgroupLayout().hierarchies.some(({ version }) => version === 2) ? false : 'needs cgroup v2')

let made = 0

const boot = async (t: TestContext): Promise<string> => {
  const name = `u${process.pid}-${(made += 1)}`
  await bootMachine(makeBusybox(), { name })
  t.after(() => tare(['poweroff', '--force', name]))
  return name
}

/** The power of a process, as /proc tells it: capabilities, filter, promise. */
const POWER = 'grep -E "^(Cap|NoNew|Seccomp)" /proc/$1/status'

test('a program in a machine: its status, its place, its power', { skip: NEEDS }, async (t) => {
  const name = await boot(t)
  const run = (...words: readonly string[]) => tare(['exec', name, ...words])
  assert.deepEqual(run('sh', '-c', 'echo out; echo err >&2; exit 7'), { status: 7, stdout: 'out\n', stderr: 'err\n' })
  assert.equal(run('sh', '-c', 'kill -9 $$').status, 137)
  const missing = run('nothere')
  assert.match(missing.stderr, /^tare: cannot find nothere in /)
  assert.deepEqual([missing.status, run('/etc/passwd').status], [127, 126])
  assert.equal(tare(['exec', '-i', name, 'cat'], { input: 'from here' }).stdout, 'from here')
  assert.equal(run('cat').stdout, '', 'nothing to be read without -i')

  assert.equal(run('cat', '/proc/1/comm').stdout, 'init\n')
  assert.equal(run('sh', '-c', 'cat /proc/self/cgroup | grep ^0::').stdout, '0::/tare-exec\n')
  const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'].map((kind) => `/proc/self/ns/${kind}`)
  const links = (pid: string): string =>
    run('sh', '-c', `for n in ${kinds.join(' ')}; do ls -l $\{n/self/${pid}}; done`).stdout.replaceAll(/.* -> /g, '')
  assert.equal(links('self').split('\n').length, 9)
  assert.equal(links('self'), links('1'))
  const power = (pid: string): string => run('sh', '-c', POWER, 'sh', pid).stdout
  assert.match(power('1'), /^CapEff:\t(?!0{16})/m)
  assert.equal(power('self'), power('1'))
  // Of another user than root: none, and of what it could come by no more than init has.
  assert.match(
    tare(['exec', '-u', '1000:1000', name, 'sh', '-c', POWER, 'sh', 'self']).stdout,
    /^CapPrm:\t0{16}\nCapEff:\t0{16}$/m,
  )
  const given = tare([
    'exec',
    '-u',
    'root',
    '-w',
    '/root',
    '-e',
    'ONE=1',
    '-e',
    'PWD',
    name,
    'sh',
    '-c',
    'echo $PWD$ONE',
  ])
  assert.equal(given.stdout, '/root1\n')
  assert.equal(run('sh', '-c', 'echo $HOME:$container:$PATH_INFO').stdout, '/root:tare:\n')
  for (const [args, said] of [
    [['-u', 'nobody-here', name, 'true'], /^tare: cannot use user nobody-here: /],
    [['-w', 'relative', name, 'true'], /^tare: cannot use workdir /],
    [['-dt', name, 'true'], /^tare: cannot use --detach with -i or -t: /],
    [['no-such-machine', 'true'], /^tare: cannot find machine no-such-machine: /],
  ] as const) {
    const refused = tare(['exec', ...args])
    assert.match(refused.stderr, said)
    assert.deepEqual([refused.status, refused.stdout], [125, ''])
  }
})

test('a program ends with tare, unless it is detached; and with the machine', { skip: NEEDS }, async (t) => {
  const name = await boot(t)
  const detached = tare(['exec', '-d', name, 'sleep', '1000'])
  assert.equal(detached.status, 0)
  const pid = Number(detached.stdout)
  // Descriptors are closed at an exec before the new command line is there.
  await until('there is a command line', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '')
  assert.equal(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), 'sleep\x001000\x00')
  const missing = tare(['exec', '-d', name, 'nothere'])
  assert.deepEqual([missing.status, missing.stdout], [127, ''])

  const child = startTare(['exec', name, 'sh', '-c', 'echo $$; sleep 1001'], ['ignore', 'pipe', 'inherit'])
  assert.ok(child.stdout)
  const [line]: unknown[] = await once(child.stdout, 'data')
  const look = (): number | null => tare(['exec', name, 'sh', '-c', `kill -0 ${Number(String(line))}`]).status
  assert.equal(look(), 0)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await until('it has ended with tare', () => look() === 1)
  assert.ok(existsSync(`/proc/${pid}`), 'the other goes on')
  assert.equal(tare(['poweroff', '--force', name]).status, 0)
  assert.ok(!existsSync(`/proc/${pid}`) || /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')))
})

test('a shell with a terminal of its own', { skip: NEEDS || NO_TERMINAL }, async (t) => {
  const name = await boot(t)
  const session = new Session(['exec', '-it', '-e', 'PS1=> ', name, 'sh'], { rows: 33, columns: 99 })
  t.after(() => session.close())
  await session.see(/> /)
  session.type('tty; stty size\r')
  await session.see(/\/dev\/pts\/\d+\r\n33 99\r\n/)
  // Only then is it sure that the shell has given it the terminal.
  session.type(`sh -c 'echo aw"ake"; exec sleep 100'\r`)
  await session.see(/awake\r\n/)
  session.type('\x03')
  await session.see(/> /)
  session.type('exit 3\r')
  assert.equal(await session.status, 3)
})

test('the console is attached to, by two at once, and left', { skip: NEEDS || NO_TERMINAL }, async (t) => {
  const name = await boot(t)
  const first = new Session(['attach', name], { rows: 31, columns: 91 })
  t.after(() => first.close())
  const before = getTermios(first.peer)
  await first.see(/login: /)
  first.type('root\r')
  await first.see(/Password: /)
  first.type(`${PASSWORD}\r`)
  await first.see(/> /)
  first.type('stty size\r')
  await first.see(/31 91\r\n/)

  const second = new Session(['attach', name])
  t.after(() => second.close())
  await second.see(/> /)
  second.type('echo to-"both"\r')
  await second.see(/to-both\r\n/)
  await first.see(/to-both\r\n/)
  second.type('\x1d\x1d\x1d')
  assert.equal(await second.status, 0)
  // More than the terminal takes at once: none of it is lost.
  first.type('echo re"ady"; cat >/root/long\r')
  await first.see(/ready\r\n/)
  const line = `${'x'.repeat(70)}\r`
  for (let sent = 0; sent < 300; sent++) {
    first.type(line)
    await first.see(/x{70}\r\n/)
  }
  first.type('\x04')
  await first.see(/> /)
  first.type('cat /root/long | wc -c || ls -l /root/long\r')
  await first.see(/21300/)
  first.type('poweroff\r')
  assert.equal(await first.status, 0)
  assert.deepEqual(getTermios(first.peer), before, 'the settings of the terminal are what they were')
})

test('what the console says is kept, and followed until its end', { skip: NEEDS }, async (t) => {
  const name = await boot(t)
  const box = await machine(name)
  const follower = startTare(['logs', '-f', name], ['ignore', 'pipe', 'inherit'])
  let followed = ''
  follower.stdout?.on('data', (chunk: Buffer) => {
    followed += chunk.toString()
  })
  // What comes after that comes from here alone.
  await until('the login is followed', () => followed.includes('login: '))
  for (let number = 0; number < 3; number++)
    assert.equal(tare(['exec', name, 'sh', '-c', `echo line-${number} >/dev/console`]).status, 0)
  await until('the lines are followed', () => followed.includes('line-2\r\n'))
  assert.equal(tare(['logs', '-n', '2', name]).stdout, 'line-1\r\nline-2\r\n')
  assert.equal(tare(['logs', '--tail=0', name]).stdout, '')

  // Far more than is kept.
  const much = 'i=0; while [ $i -lt 40000 ]; do echo much-$i-abcdefghijklmnopqrstuvwxyz; i=$((i+1)); done >/dev/console'
  const result = await box.exec(['sh', '-c', much])
  assert.equal(result.exitCode, 0)
  await until('all is followed', () => followed.includes('much-39999-abcdefghijklmnopqrstuvwxyz\r\n'))
  const whole = tare(['logs', name]).stdout
  assert.equal(whole.length, 1 << 20)
  assert.ok(whole.endsWith('much-39999-abcdefghijklmnopqrstuvwxyz\r\n'))
  const numbers = [...whole.matchAll(/much-(\d+)-abcdefghijklmnopqrstuvwxyz\r\n/g)].map(([, number]) => Number(number))
  assert.ok(numbers.length > 20_000 && numbers.every((number, index) => number === 40_000 - numbers.length + index))
  assert.ok(readFileSync(`/run/tare/machines/${name}.log`).length <= (1 << 20) + 64, 'the file has not grown further')

  assert.equal(tare(['reboot', name]).status, 0)
  assert.equal(tare(['poweroff', name]).status, 0)
  const [status] = await once(follower, 'exit')
  assert.equal(status, 0)
  assert.match(followed, /The system is going down/)
})
