// Programs of the host in the foreground: who gets which signal, and what the exit status is.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { getTermios } from '../../src/linux/index.ts'
import { NO_TERMINAL, Session } from './session.ts'

const PROGRAM = fileURLToPath(new URL('foreground-program.js', import.meta.url))
const ECHO = 0o10
const terminal = { skip: NO_TERMINAL, timeout: 60_000 }

/** In a terminal so wide that no shell breaks what is typed, wherever the checkout lies. */
const start = ([program = '', ...args]: readonly string[]): Session =>
  new Session(args, { rows: 24, columns: 400 }, [program])

const foreground = (...command: readonly string[]): readonly string[] => [process.execPath, PROGRAM, ...command]

test("the exit status is the program's", () => {
  for (const [script, status] of [
    ['exit 0', 0],
    ['exit 41', 41],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
  ] as const) {
    const [node = '', ...args] = foreground('sh', '-c', script)
    assert.equal(spawnSync(node, args).status, status, script)
  }
})

test('streams are ours', () => {
  const [node = '', ...args] = foreground('sh', '-c', 'cat; echo error >&2')
  const { stdout, stderr } = spawnSync(node, args, { input: 'typed', encoding: 'utf8' })
  assert.deepEqual([stdout, stderr], ['typed', 'error\n'])
})

test('signals that are sent to us reach the program', async () => {
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const) {
    const script = `trap 'echo got ${signal}; exit 7' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`
    const [node = '', ...args] = foreground('sh', '-c', script)
    const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += String(chunk)
      if (said === 'ready\n') child.kill(signal)
    })
    const [status]: unknown[] = await once(child, 'close')
    assert.deepEqual([said, status], [`ready\ngot ${signal}\n`, 7])
  }
})

test('^C reaches the program once, and we end by it as it did', terminal, async (t) => {
  const script = `trap 'echo once; trap - INT' INT; echo ready; while :; do sleep 0.05; done`
  const session = start(['sh', '-c', '"$@"; echo sta"tus" $?', 'sh', ...foreground('sh', '-c', script)])
  t.after(() => session.close())
  await session.see(/ready\r\n/)
  session.type('\x03')
  await session.see(/once\r\n/)
  session.type('\x03')
  // The shell that waits ends as well: it was interrupted, and sees that the program took it so.
  await session.status
  assert.doesNotMatch(session.text, /once|status/)
})

test('what the program sets of the terminal stays', terminal, async (t) => {
  const session = start(foreground('stty', '-echo'))
  t.after(() => session.close())
  assert.equal(await session.status, 0)
  assert.equal(getTermios(session.peer).lflag & ECHO, 0)
})

test('a shell with job control: ^C, ^Z, fg, and suspend', terminal, async (t) => {
  const session = start(['bash', '--norc', '--noprofile', '-i'])
  t.after(() => session.close())
  await session.see(/[$#] $/)
  session.type(`PS1='outer> '\r`)
  await session.see(/outer> $/)
  // A program in our process group: ^Z stops both.
  session.type(`${foreground('sleep', '100').join(' ')}\r`)
  await session.see(/sleep 100\r\n/)
  // It says nothing that could be waited for.
  await sleep(300)
  session.type('\x1a')
  await session.see(/Stopped[^]*outer> $/)
  session.type('fg\r')
  await session.see(/sleep 100\r\n/)
  session.type('\x03')
  await session.see(/outer> $/)
  session.type('echo sta"tus" $?\r')
  await session.see(/status 130\r\n[^]*outer> $/)
  // A shell of its own process group: it stops alone, and we follow.
  session.type(`${foreground('bash', '--norc', '--noprofile', '-i').join(' ')}\r`)
  await session.see(/[$#] $/)
  session.type(`PS1='inner> '\r`)
  await session.see(/inner> $/)
  session.type('sleep 100\r')
  await session.see(/sleep 100\r\n/)
  session.type('\x03')
  await session.see(/inner> $/)
  session.type('suspend\r')
  await session.see(/Stopped[^]*outer> $/)
  session.type('fg\r')
  await session.see(/foreground-program[^]*\r\n/)
  session.type('\r')
  await session.see(/inner> $/)
  session.type('exit 9\r')
  await session.see(/outer> $/)
  session.type('exit $?\r')
  assert.equal(await session.status, 9)
})
