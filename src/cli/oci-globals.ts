import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Command, CommandText, Context } from './command.ts'
import { command } from './command.ts'
import { wordsOf } from './error-words.ts'
import type { OptionSpec } from './options.ts'
import type { Terminal } from './terminal.ts'

/** What stands before the verb, and holds for all of them. */
export interface OciGlobals {
  readonly root: string
  readonly log?: string | undefined
  readonly logFormat: 'text' | 'json'
  readonly systemdCgroup: boolean
}

/** All ids are there, and are themselves: root here is the host's. */
const isHostRoot = (): boolean =>
  process.geteuid?.() === 0 && /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'ascii'))

/** Where containers keep their state, unless --root says otherwise. */
export const defaultRoot = (): string => {
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? ''
  if (runtime === '' || isHostRoot()) return '/run/tare/oci'
  return `${runtime}/tare/oci`
}

/** An error in one line: what failed, and behind it what to do about it. */
const lineOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, '. ').replaceAll(':. ', ': ')

/** A line of a log, in the form in which runc writes it, which engines read. */
const logLine = (format: OciGlobals['logFormat'], level: string, message: string, time: string): string =>
  format === 'json'
    ? `${JSON.stringify({ level, msg: message, time })}\n`
    : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}\n`

const writeLog = ({ log, logFormat }: OciGlobals, message: string, level = 'error'): void => {
  if (log === undefined || log === '') return
  const fd = openSync(log, 'a', 0o644)
  try {
    writeSync(fd, logLine(logFormat, level, message, new Date().toISOString()))
  } finally {
    closeSync(fd)
  }
}

/** Tells of what went wrong without anything following from it. */
export const warner =
  (globals: OciGlobals, terminal: Terminal) =>
  (error: Error): void => {
    writeLog(globals, lineOf(error), 'warning')
    terminal.warn(wordsOf(error))
  }

/** What a verb of the runtime is written as. */
export interface OciVerbSpec<O extends readonly OptionSpec[]> extends CommandText {
  readonly options: O
  /** The exit status where it fails; 1 as with other runtimes. */
  readonly failure?: number
  run(context: Context<O>, globals: OciGlobals): Promise<number> | number
}

/** A verb, once it is known what stands before it. */
export type OciVerb = (globals: OciGlobals) => Command

/** Go's flags take one dash as well as two: `-bundle` for `--bundle`. What follows the options stays as it is. */
export const withTwoDashes = (
  argv: readonly string[],
  { options, stopAtOperand }: Pick<CommandText, 'options' | 'stopAtOperand'>,
): readonly string[] => {
  const words: string[] = []
  let rest = argv
  for (let [word] = rest; word !== undefined && word !== '--'; [word] = rest) {
    if (!word.startsWith('-') && stopAtOperand === true) break
    const [, name, equals] = /^-{1,2}([a-z][a-z-]+)(=?)/.exec(word) ?? []
    const option = options.find(({ long }) => long === name)
    const takesNext = option?.argument !== undefined && equals === ''
    words.push(option !== undefined && !word.startsWith('--') ? `-${word}` : word)
    if (takesNext) words.push(...rest.slice(1, 2))
    rest = rest.slice(takesNext ? 2 : 1)
  }
  return [...words, ...rest]
}

/** For a verb with nothing before it. */
export const noGlobals = (): OciGlobals => ({ root: defaultRoot(), logFormat: 'text', systemdCgroup: false })

/**
 * Makes a verb of what is written about it. What fails is told as engines expect it: in their log, and on standard error;
 * the exit status is 1.
 */
export const ociVerb =
  <const O extends readonly OptionSpec[]>(spec: OciVerbSpec<O>): OciVerb =>
  (globals) => {
    const made = command({
      ...spec,
      run: async (context) => {
        try {
          return await spec.run(context, globals)
        } catch (error) {
          writeLog(globals, lineOf(error))
          context.terminal.warn(wordsOf(error))
          return spec.failure ?? 1
        }
      },
    })
    return {
      ...made,
      run: async (argv, invocation) => {
        try {
          return await made.run(withTwoDashes(argv, spec), invocation)
        } catch (error) {
          writeLog(globals, lineOf(error))
          throw error
        }
      },
    }
  }
