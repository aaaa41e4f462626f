import type { Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { getWindowSize, isTerminal } from '../linux/index.ts'
import { EscapeKey } from './escape.ts'
import { typeRaw } from './raw-mode.ts'

/** The console of a machine: what is written to it, what it writes, and its size. */
export interface ConsoleSide {
  readonly stdin: Writable | undefined
  readonly stdout: Readable | undefined
  readonly resize: (columns: number, rows: number) => void
}

/** What becomes of it apart from what is typed. */
export interface ConsoleEvents {
  /** ^] was typed three times within a second. */
  readonly escaped: () => void
  /** Nobody sees any more what it writes. */
  readonly lost: () => void
}

/** The size of our terminal, if there is one and somebody has sized it. */
export const consoleSize = (): { readonly columns: number; readonly rows: number } | undefined => {
  const fd = [0, 1, 2].find(isTerminal)
  if (fd === undefined) return undefined
  const { columns, rows } = getWindowSize(fd)
  return columns > 0 && rows > 0 ? { columns, rows } : undefined
}

/**
 * Our standard input and output as a place for the consoles of machines, one after the other: in raw mode where input is
 * a terminal, so that every key is the machine's.
 */
export class Console {
  readonly #events: ConsoleEvents
  readonly #escape = new EscapeKey()
  readonly #restore: () => void
  #side: ConsoleSide | undefined
  #lost = false

  constructor(events: ConsoleEvents) {
    this.#events = events
    this.#restore = typeRaw()
    process.on('SIGWINCH', this.#resize)
    process.stdin.on('data', this.#type)
    process.stdin.on('error', () => undefined)
    process.stdout.on('error', this.#lose)
  }

  /** Connects a machine; resolves when all that it wrote is written. */
  async show(side: ConsoleSide): Promise<void> {
    this.#side = side
    const { stdin, stdout } = side
    stdin?.on('error', () => undefined)
    // What it was before its terminal was there.
    stdout?.once('data', this.#resize)
    if (this.#lost) stdout?.resume()
    else stdout?.pipe(process.stdout, { end: false })
    // One that was never started has its streams destroyed: its promise says why.
    if (stdout !== undefined) await finished(stdout, { writable: false }).catch(() => undefined)
    this.#side = undefined
  }

  /** Gives our terminal back its settings, and lets go of our standard input. */
  close(): void {
    process.off('SIGWINCH', this.#resize)
    process.stdin.off('data', this.#type)
    process.stdin.destroy()
    this.#restore()
  }

  /** The machine goes on writing to its console: that is thrown away, since it waits for room else. */
  readonly #lose = (): void => {
    this.#lost = true
    this.#side?.stdout?.unpipe()
    this.#side?.stdout?.resume()
    this.#events.lost()
  }

  readonly #resize = (): void => {
    const size = consoleSize()
    if (size !== undefined) this.#side?.resize(size.columns, size.rows)
  }

  readonly #type = (chunk: Uint8Array): void => {
    if (isTerminal(0) && this.#escape.typedIn(chunk, performance.now())) this.#events.escaped()
    const stdin = this.#side?.stdin
    if (stdin === undefined || stdin.write(chunk)) return
    process.stdin.pause()
    stdin.once('drain', () => process.stdin.resume())
    stdin.once('close', () => process.stdin.resume())
  }
}
