import { writeSync } from 'node:fs'
import { getWindowSize, isTerminal } from '../linux/index.ts'
import { signalStatus } from './exit-status.ts'
import type { Terminal } from './terminal.ts'

/** Alternate screen, no cursor, no wrapping of long lines; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'

/** Terminals that know synchronized output show all between these at once; others ignore them. */
const BEGIN = '\x1b[?2026h\x1b[H'
const END = '\x1b[J\x1b[?2026l'

const CTRL_C = '\x03'
const CTRL_Z = '\x1a'

const SIGINT = 2
/** Signals that end a program unless it takes them. */
const ENDING = [
  ['SIGINT', SIGINT],
  ['SIGQUIT', 3],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const

export interface ScreenSize {
  readonly rows: number
  readonly columns: number
}

/** What happens while a screen is open. */
export interface ScreenEvents {
  /** A key other than q, ^C and ^Z; a special key is its escape sequence. */
  onKey(key: string): void
  /** The size has changed, or the screen was hidden for a while: draw again. */
  onRedraw(): void
  /** The person wants to leave, or a signal says so. `status` is the exit status for it. */
  onLeave(status: number): void
}

/** A terminal's size; one that nobody has sized is taken for 80 by 24. */
const sizeOf = (): ScreenSize => {
  const { rows, columns } = getWindowSize(1)
  return { rows: rows || 24, columns: columns || 80 }
}

/** A key, or the sequence that a special key sends. */
// oxlint-disable-next-line no-control-regex -- keys are control characters
const KEYS = /\x1b\[[0-9;]*[A-Za-z~]|[^]/gu

/**
 * The whole terminal, to be drawn on; what was on it before comes back when it is closed, however that happens. Standard
 * output must be a terminal. Keys are read if standard input is one, too.
 */
export class Screen {
  readonly #terminal: Terminal
  readonly #events: ScreenEvents
  readonly #hasKeys: boolean = isTerminal(0)
  readonly #signals: readonly (readonly [NodeJS.Signals, () => void])[]
  #open = false

  constructor(terminal: Terminal, events: ScreenEvents) {
    this.#terminal = terminal
    this.#events = events
    this.#signals = ENDING.map(([name, number]) => [name, () => events.onLeave(signalStatus(number))])
  }

  get size(): ScreenSize {
    return sizeOf()
  }

  open(): void {
    for (const [name, listener] of this.#signals) process.on(name, listener)
    process.on('SIGWINCH', this.#redraw)
    process.on('exit', this.#leave)
    if (this.#hasKeys) process.stdin.on('data', this.#take)
    this.#enter()
  }

  /** Shows lines, each no wider than the screen; those too many are left out. */
  draw(lines: readonly string[]): void {
    if (!this.#open) return
    const shown = lines.slice(0, this.size.rows)
    this.#terminal.print(`${BEGIN}${shown.map((line) => `${line}\x1b[K`).join('\n')}${END}`)
  }

  close(): void {
    for (const [name, listener] of this.#signals) process.off(name, listener)
    process.off('SIGWINCH', this.#redraw)
    process.off('exit', this.#leave)
    this.#leave()
    if (!this.#hasKeys) return
    process.stdin.off('data', this.#take)
    process.stdin.destroy()
  }

  readonly #redraw = (): void => this.#events.onRedraw()

  readonly #enter = (): void => {
    if (this.#hasKeys) process.stdin.setRawMode(true)
    this.#terminal.print(ENTER)
    this.#open = true
  }

  /** At once, since this process may be about to end. */
  readonly #leave = (): void => {
    if (!this.#open) return
    this.#open = false
    if (this.#hasKeys) process.stdin.setRawMode(false)
    try {
      writeSync(1, LEAVE)
    } catch {
      // A terminal that is gone has nothing to be restored.
    }
  }

  readonly #take = (chunk: Buffer): void => {
    for (const [key] of chunk.toString().matchAll(KEYS)) {
      if (key === 'q' || key === 'Q') this.#events.onLeave(0)
      else if (key === CTRL_C) this.#events.onLeave(signalStatus(SIGINT))
      else if (key === CTRL_Z) this.#stop()
      else this.#events.onKey(key)
    }
  }

  /** As ^Z does to other programs. Goes on when a shell brings us back. */
  #stop(): void {
    this.#leave()
    process.once('SIGCONT', () => {
      this.#enter()
      this.#events.onRedraw()
    })
    process.kill(process.pid, 'SIGSTOP')
  }
}
