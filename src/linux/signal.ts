import { InputError } from './error.ts'

/** The signals by number, from 1 to 31, on x86-64 and arm64 (signal(7)). */
const NAMES = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGKILL',
  'SIGUSR1',
  'SIGSEGV',
  'SIGUSR2',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  'SIGSTKFLT',
  'SIGCHLD',
  'SIGCONT',
  'SIGSTOP',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
  'SIGPROF',
  'SIGWINCH',
  'SIGIO',
  'SIGPWR',
  'SIGSYS',
] as const

const ALIASES: Readonly<Record<string, number>> = { SIGIOT: 6, SIGCLD: 17, SIGPOLL: 29, SIGUNUSED: 31 }

/** Real-time signals as the C libraries count them: they keep 32 and 33 to themselves. */
export const SIGRTMIN = 34
export const SIGRTMAX = 64

/** The name of a signal below the real-time ones. */
export type StandardSignal = (typeof NAMES)[number]

/** Numbers of the standard signals by name. */
export const SIGNALS: ReadonlyMap<StandardSignal, number> = new Map(NAMES.map((name, index) => [name, index + 1]))

/**
 * The number of a signal, from what a person writes: `TERM`, `SIGTERM`, `sigterm`, `15`, `SIGRTMIN+3`, `RTMAX-1`.
 * Throws {@link InputError} for anything else, 0 included.
 */
export const signalNumber = (signal: string | number): number => {
  const text = String(signal).toUpperCase()
  const name = text.startsWith('SIG') ? text : `SIG${text}`
  const number = /^[0-9]{1,2}$/.test(text) ? Number(text) : (standard(name) ?? realTime(name))
  if (number !== undefined && number >= 1 && number <= SIGRTMAX) return number
  throw new InputError({
    operation: 'use signal',
    target: String(signal),
    reason: 'there is none of that name',
    hint: 'Signals are numbers from 1 to 64, names such as TERM or SIGTERM, or SIGRTMIN+3 (signal(7)).',
  })
}

const standard = (name: string): number | undefined => {
  const index = NAMES.findIndex((each) => each === name)
  return index < 0 ? ALIASES[name] : index + 1
}

const realTime = (name: string): number | undefined => {
  const match = /^SIGRT(?:(MIN)(?:\+([0-9]{1,2}))?|(MAX)(?:-([0-9]{1,2}))?)$/.exec(name)
  if (match === null) return undefined
  const number = match[1] === undefined ? SIGRTMAX - Number(match[4] ?? 0) : SIGRTMIN + Number(match[2] ?? 0)
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined
}

/** The name of a signal: `SIGTERM`, `SIGRTMIN+3`; a number without a name is given back in digits. */
export const signalName = (number: number): string => {
  const name = NAMES[number - 1]
  if (name !== undefined) return name
  if (number === SIGRTMIN) return 'SIGRTMIN'
  return number > SIGRTMIN && number <= SIGRTMAX ? `SIGRTMIN+${number - SIGRTMIN}` : `${number}`
}
