import { finished } from 'node:stream/promises'
import type { Readable, Writable } from 'node:stream'
import type { Program, RunOptions } from '../index.ts'
import { getWindowSize, isTerminal } from '../linux/index.ts'
import { typeRaw } from './raw-mode.ts'

/** What a program's standard streams are to be. */
export interface Wanted {
  readonly interactive: boolean
  readonly tty: boolean
}

/** The terminal that tells the size, if one of our streams is one. */
const terminalOf = (): number | undefined => [0, 1, 2].find(isTerminal)

/** The size of our terminal, in characters; undefined where there is none, or it has none. */
export const windowSize = (): { readonly columns: number; readonly rows: number } | undefined => {
  const fd = terminalOf()
  if (fd === undefined) return undefined
  const { columns, rows } = getWindowSize(fd)
  // A terminal that nobody has sized says 0.
  return columns > 0 && rows > 0 ? { columns, rows } : undefined
}

/** A terminal for a program, of the size of ours. */
export const terminalOption = (): NonNullable<RunOptions['tty']> => windowSize() ?? true

/** What of a running program is connected with our streams. */
export type Attachable = Pick<Program, 'stdin' | 'stdout' | 'stderr' | 'kill' | 'resize'>

/**
 * How a program's standard streams are connected with ours.
 *
 * It gets our own descriptors, but for a terminal: whoever has a terminal can also read what is typed there, and change
 * its settings. For that reason the bytes go through a pipe then, or through a terminal of its own.
 */
export const streamOptions = ({ interactive, tty }: Wanted): RunOptions => {
  if (tty) return { tty: terminalOption(), buffer: false }
  return {
    stdin: !interactive ? 'ignore' : isTerminal(0) ? process.stdin : 'inherit',
    stdout: isTerminal(1) ? 'pipe' : 'inherit',
    stderr: isTerminal(2) ? 'pipe' : 'inherit',
    buffer: false,
  }
}

/** The connection of a running program with our streams. */
export interface Attachment {
  /** Resolves when all that it wrote is written; with the error, if some of it could not be. */
  readonly drained: Promise<NodeJS.ErrnoException | undefined>
  /** Gives our terminal back its settings, and lets go of our standard input. */
  readonly detach: () => void
}

/** Copies all of a stream; resolves when it has ended. An error of the sink ends the program. */
const copy = async (
  source: Readable | undefined,
  sink: () => Writable,
  program: Attachable,
): Promise<NodeJS.ErrnoException | undefined> => {
  if (source === undefined) return undefined
  let lost: NodeJS.ErrnoException | undefined
  const to = sink()
  to.on('error', (error: NodeJS.ErrnoException) => {
    lost ??= error
    program.kill('SIGKILL')
    source.unpipe(to)
    source.resume()
  })
  source.pipe(to, { end: false })
  // A program that was never started has its streams destroyed: its promise says why.
  await finished(source, { writable: false }).catch(() => undefined)
  return lost
}

const END_OF_FILE = '\x04'

/** Types our standard input into the program's terminal. A file's end is typed too, as ^D. */
const type = (terminal: Writable): (() => void) => {
  const input = process.stdin
  let last: number | undefined
  const take = (chunk: Uint8Array): void => {
    last = chunk.at(-1)
    if (!terminal.write(chunk)) {
      input.pause()
      terminal.once('drain', () => input.resume())
    }
  }
  // After an unfinished line the first only ends that.
  const end = (): void => void terminal.write(last === undefined || last === 10 ? END_OF_FILE : END_OF_FILE.repeat(2))
  terminal.on('error', () => undefined)
  input.on('data', take)
  input.on('end', end)
  // A terminal that is hung up: SIGHUP says so too.
  input.on('error', () => undefined)
  return () => {
    input.off('data', take)
    input.off('end', end)
    input.destroy()
  }
}

const attachTerminal = (program: Attachable, interactive: boolean): (() => void) => {
  const resize = (): void => {
    const size = windowSize()
    if (size !== undefined) program.resize(size.columns, size.rows)
  }
  process.on('SIGWINCH', resize)
  // What it was before its terminal was there.
  program.stdout?.once('data', resize)
  const stopTyping = interactive && program.stdin !== undefined ? type(program.stdin) : () => undefined
  const restore = interactive ? typeRaw() : () => undefined
  return () => {
    process.off('SIGWINCH', resize)
    restore()
    stopTyping()
  }
}

/** Connects a program that was started with {@link streamOptions}. To be called at once. */
export const attach = (program: Attachable, { interactive, tty }: Wanted): Attachment => {
  const detach = tty ? attachTerminal(program, interactive) : () => undefined
  const copies = Promise.all([
    copy(program.stdout, () => process.stdout, program),
    copy(program.stderr, () => process.stderr, program),
  ])
  return { drained: copies.then(([one, other]) => one ?? other), detach }
}
