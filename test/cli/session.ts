// What the tests of the command line in a terminal share: a pseudoterminal with a program in it.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, writeSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { setTimeout as sleep } from 'node:timers/promises'
import { getTermios, openPty, openPtyPeer, setWindowSize } from '../../src/linux/index.ts'
import { ended, NODE_ARGS, PROGRAM, ROOT } from './tare.ts'

/** setsid(1) gives a process its controlling terminal. */
const SETSID = '/usr/bin/setsid'

/** Why there can be no {@link Session} here. For `test`'s option `skip`. */
export const NO_TERMINAL: string | false = existsSync(SETSID) ? false : `needs ${SETSID}`

/** How long something may take to be seen, in ms: a machine boots meanwhile, on a host that does other things too. */
const PATIENCE = 30_000

const ICANON = 0o2

/** A program, `tare` by default, in a terminal of its own, and a person in front of it. */
export class Session {
  readonly peer: number
  /** Of the program itself. */
  readonly pid: number
  readonly status: Promise<number | string | null>
  readonly #master: number
  readonly #screen: ReadStream
  #text = ''

  constructor(
    args: readonly string[],
    size = { rows: 24, columns: 80 },
    program: readonly string[] = [PROGRAM, ...NODE_ARGS],
  ) {
    this.#master = openPty().fd
    this.peer = openPtyPeer(this.#master)
    setWindowSize(this.#master, size)
    const { peer } = this
    const child = spawn(SETSID, ['--ctty', '--wait', ...program, ...args], {
      stdio: [peer, peer, peer],
      cwd: ROOT,
    })
    this.pid = child.pid ?? 0
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
    for (const late = performance.now() + PATIENCE; performance.now() < late;) {
      const match = pattern.exec(this.#text)
      if (match !== null) {
        this.#text = this.#text.slice(match.index + match[0].length)
        return match[0]
      }
      await sleep(25)
    }
    throw new Error(`${String(pattern)} is not to be seen in ${JSON.stringify(this.#text)}`)
  }

  /** Its exit status, once it has ended by itself; fails if it takes longer than `limit` ms. */
  async end(limit: number = PATIENCE): Promise<number | string | null> {
    const late = Symbol('late')
    const timer = new AbortController()
    const status = await Promise.race([this.status, sleep(limit, late, { signal: timer.signal })])
    timer.abort()
    if (typeof status === 'symbol') throw new Error(`it does not end; seen since: ${JSON.stringify(this.#text)}`)
    return status
  }

  get raw(): boolean {
    return (getTermios(this.peer).lflag & ICANON) === 0
  }

  close(): void {
    closeSync(this.peer)
    this.#screen.destroy()
  }
}
