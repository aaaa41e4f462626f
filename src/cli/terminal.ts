import { fstatSync, writeSync } from 'node:fs'
import { EXIT_STATUS, signalStatus } from './exit-status.ts'

/** Colours and weights for text that a person reads; each returns the text unchanged where colour is off. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
}

/** Where a command's words go. Data goes to `print`, all the rest to `warn`. */
export interface Terminal {
  /** Whether standard output is a terminal: only then progress is shown. */
  readonly interactive: boolean
  /** The width of standard output, in cells; 80 where it is no terminal. */
  readonly columns: number
  /** The most cells that a line of a table may take; undefined where standard output is no terminal. */
  readonly lineWidth: number | undefined
  /** Colours for standard output. */
  readonly style: Style
  /** Writes to standard output, as it is. */
  print(text: string): void
  /** Writes to standard error, with a newline at the end. */
  warn(text: string): void
}

type Environment = Readonly<Record<string, string | undefined>>

/** What of `process.stdout` and `process.stderr` is used here. */
export interface TerminalStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown
}

const sgr =
  (on: number, off: number) =>
  (text: string): string =>
    `\x1b[${on}m${text}\x1b[${off}m`

const COLOURED: Style = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  red: sgr(31, 39),
  green: sgr(32, 39),
  yellow: sgr(33, 39),
}

const same = (text: string): string => text

const PLAIN: Style = { bold: same, dim: same, red: same, green: same, yellow: same }

/**
 * Whether to colour: `FORCE_COLOR` (0 and false say no, anything else yes) goes before `NO_COLOR` (yes if not empty,
 * https://no-color.org), and that before what the stream is. `TERM=dumb` has no colour.
 */
export const wantsColour = (env: Environment, isTerminal: boolean): boolean => {
  const force = env['FORCE_COLOR']
  if (force !== undefined) return force !== '0' && force !== 'false'
  if ((env['NO_COLOR'] ?? '') !== '') return false
  return isTerminal && env['TERM'] !== 'dumb'
}

/** The widest that text is set on a wide screen, in cells: longer lines are hard to read. */
const WIDEST = 120
const NARROWEST = 40

const widthOf = (stream: TerminalStream, env: Environment): number => {
  const width = stream.columns ?? Number(env['COLUMNS'] ?? 80)
  return Number.isFinite(width) ? Math.min(WIDEST, Math.max(NARROWEST, Math.trunc(width))) : 80
}

const SIGPIPE = 13

/**
 * What to do when standard output can't be written: go quietly where its reader went (as by SIGPIPE, which Node
 * ignores), else say why and fail, since the data is lost.
 */
const giveUp = (error: unknown): never => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  if (code === 'EPIPE') process.exit(signalStatus(SIGPIPE))
  process.stderr.write(`tare: cannot write to standard output: ${code}\n`)
  process.exit(EXIT_STATUS.failure)
}

/** What the terminal is made of. The streams are functions, since Node takes a while to make one. */
export interface TerminalSource {
  readonly env: Environment
  readonly stdout: () => TerminalStream
  readonly stderr: () => TerminalStream
}

/** The device number of /dev/null. */
const NULL_DEVICE = 0x103

/**
 * Standard output where that is a file, a pipe or /dev/null: written as any program writes it. Node's own stream for it
 * takes longer to load than some commands run.
 */
const plainOutput = (): TerminalStream => ({
  on: () => undefined,
  write: (text) => {
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length;) {
      try {
        at += writeSync(1, bytes, at)
      } catch (error) {
        // A pipe that somebody else has made not to block.
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
        return process.stdout.write(bytes.subarray(at))
      }
    }
    return true
  },
})

const isPlainOutput = (): boolean => {
  const stat = fstatSync(1)
  return stat.isFile() || stat.isFIFO() || (stat.isCharacterDevice() && stat.rdev === NULL_DEVICE)
}

const HOST: TerminalSource = {
  env: process.env,
  stdout: () => (isPlainOutput() ? plainOutput() : process.stdout),
  stderr: () => process.stderr,
}

/** The terminal of this process. Touches the streams only when one is first used. */
export const openTerminal = (source: TerminalSource = HOST): Terminal => {
  let opened: TerminalStream | undefined
  const stdout = (): TerminalStream => {
    if (opened === undefined) {
      opened = source.stdout()
      opened.on('error', giveUp)
    }
    return opened
  }
  return {
    get interactive() {
      return stdout().isTTY === true
    },
    get columns() {
      return widthOf(stdout(), source.env)
    },
    get lineWidth() {
      return stdout().isTTY === true ? stdout().columns : undefined
    },
    get style() {
      return wantsColour(source.env, stdout().isTTY === true) ? COLOURED : PLAIN
    },
    print: (text) => {
      try {
        stdout().write(text)
      } catch (error) {
        giveUp(error)
      }
    },
    warn: (text) => {
      const stderr = source.stderr()
      stderr.on('error', () => {})
      stderr.write(text.endsWith('\n') ? text : `${text}\n`)
    },
  }
}
