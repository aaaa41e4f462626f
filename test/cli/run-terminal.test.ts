// `tare run -it` in a terminal. Needs user namespaces and setsid(1), which gives a process its controlling terminal.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getTermios } from '../../src/linux/index.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { NO_CONTAINERS, tare } from './tare.ts'

const container = { skip: NO_CONTAINERS || NO_TERMINAL, timeout: 60_000 }

test('a shell in a terminal: size, resizing, interrupts, job control, status', container, async (t) => {
  const session = new Session(['run', '-it', '-e', 'PS1=> ', 'sh', '-i'], { rows: 31, columns: 97 })
  t.after(() => session.close())
  const before = getTermios(session.peer)
  await session.see(/> /)
  assert.equal(session.raw, true, 'bytes go through as they are typed')

  session.type('tty; stty size\r')
  await session.see(/\/dev\/pts\/0\r\n31 97\r\n/)
  session.resize(40, 111)
  // The change takes its way through a signal and two terminals.
  session.type('while [ "$(stty size)" != "40 111" ]; do sleep 0.02; done; echo re"sized"\r')
  await session.see(/resized\r\n/)

  session.type('echo wait"ing"; sleep 100\r')
  await session.see(/waiting\r\n/)
  session.type('\x03')
  await session.see(/> /)
  session.type('echo "status $?"\r')
  await session.see(/status 130\r\n/)

  session.type('echo wait"ing"; sleep 100\r')
  await session.see(/waiting\r\n/)
  session.type('\x1a')
  await session.see(/Stopped|Suspended/)
  session.type('jobs\r')
  await session.see(/(?:Stopped|Suspended).*sleep 100/)
  session.type('fg\r')
  await session.see(/sleep 100\r\n/)
  session.type('\x03')
  await session.see(/> /)
  session.type('exit 5\r')
  assert.equal(await session.status, 5)
  assert.deepEqual(getTermios(session.peer), before, 'the settings of the terminal are what they were')
})

test('the terminal is given back on every way out', container, async (t) => {
  const cases: readonly (readonly [args: readonly string[], status: number, said: RegExp])[] = [
    [['run', '-it', 'true'], 0, /^/],
    [['run', '-it', '/no/such/program'], 127, /cannot run \/no\/such\/program: ENOENT/],
    [['run', '-it', '--timeout=200ms', 'sleep', '50'], 137, /timed out after 200ms/],
    [['run', '-it', 'sh', '-c', 'kill -TERM $$'], 143, /^/],
  ]
  for (const [args, status, said] of cases) {
    const session = new Session(args)
    t.after(() => session.close())
    const before = getTermios(session.peer)
    assert.equal(await session.status, status, args.join(' '))
    assert.deepEqual(getTermios(session.peer), before, args.join(' '))
    await session.see(said)
  }
})

test('without -t a program has no terminal, though tare has one', container, async (t) => {
  const session = new Session(['run', '-i', 'sh', '-c', 'for fd in 0 1 2; do test -t $fd && echo $fd; done; cat'])
  t.after(() => session.close())
  session.type('typed\n\x04')
  assert.equal(await session.status, 0)
  // Once echoed by the terminal, once written by cat.
  await session.see(/^typed\r\ntyped\r\n$/)
  assert.equal(session.raw, false)
})

test('with -t and no -i nothing that is typed is read', container, async (t) => {
  const session = new Session(['run', '-t', 'sh', '-c', 'timeout --foreground 1 cat; echo "got $?"'])
  t.after(() => session.close())
  assert.equal(session.raw, false)
  session.type('typed\n')
  assert.equal(await session.status, 0)
  await session.see(/got 124\r+\n/)
})

test('-t works where there is no terminal', container, () => {
  assert.deepEqual(tare(['run', '-t', 'sh', '-c', 'test -t 0 && test -t 1 && test -t 2 && echo yes']), {
    status: 0,
    stdout: 'yes\r\n',
    stderr: '',
  })
  // The terminal echoes what is typed into it; after it, a file's end is typed too.
  assert.equal(tare(['run', '-it', 'cat'], { input: 'hello\n' }).stdout.replaceAll('^D\b\b', ''), 'hello\r\nhello\r\n')
  assert.equal(tare(['run', '-it', 'wc', '-c'], { input: 'hello' }).status, 0)
})

test('a terminal that is hung up ends the program, and tare with its status', container, async () => {
  const session = new Session(['run', '-it', 'sh', '-c', 'echo rea"dy"; exec sleep 100'])
  await session.see(/ready\r\n/)
  session.close()
  // 128 and SIGHUP, which the terminal's end sends.
  assert.equal(await session.status, 129)
})
