// `tare run -it` in a terminal. Needs user namespaces and setsid(1), which gives a process its controlling terminal.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { closeSync, existsSync, writeSync } from 'node:fs'
import { test } from 'node:test'
import { ReadStream } from 'node:tty'
import { setTimeout as sleep } from 'node:timers/promises'
import { getTermios, openPty, openPtyPeer, setWindowSize } from '../../src/linux/index.ts'
import { NODE_ARGS, NO_CONTAINERS, ROOT, ended, tare } from './tare.ts'

const SETSID = '/usr/bin/setsid'
const container = { skip: NO_CONTAINERS || (existsSync(SETSID) ? false : `needs ${SETSID}`), timeout: 60_000 }
const ICANON = 0o2

/** `tare` in a terminal of its own, and a person in front of it. */
class Session {
  readonly peer: number
  readonly status: Promise<number | string | null>
  readonly #master: number
  readonly #screen: ReadStream
  #text = ''

  constructor(args: readonly string[], size = { rows: 24, columns: 80 }) {
    this.#master = openPty().fd
    this.peer = openPtyPeer(this.#master)
    setWindowSize(this.#master, size)
    const { peer } = this
    const child = spawn(SETSID, ['--ctty', '--wait', process.execPath, ...NODE_ARGS, ...args], {
      stdio: [peer, peer, peer],
      cwd: ROOT,
    })
    this.status = ended(child)
    this.#screen = new ReadStream(this.#master)
    this.#screen.on('error', () => undefined)
    this.#screen.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString()
    })
  }

  get text(): string {
    return this.#text
  }

  resize(rows: number, columns: number): void {
    setWindowSize(this.#master, { rows, columns })
  }

  type(text: string): void {
    writeSync(this.#master, text)
  }

  /** Waits until something is to be seen that wasn't before; forgets what was. */
  async see(pattern: RegExp): Promise<string> {
    for (let round = 0; round < 400; round++) {
      const match = pattern.exec(this.#text)
      if (match !== null) {
        this.#text = this.#text.slice(match.index + match[0].length)
        return match[0]
      }
      await sleep(25)
    }
    throw new Error(`${String(pattern)} is not to be seen in ${JSON.stringify(this.#text)}`)
  }

  get raw(): boolean {
    return (getTermios(this.peer).lflag & ICANON) === 0
  }

  close(): void {
    closeSync(this.peer)
    this.#screen.destroy()
  }
}

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
