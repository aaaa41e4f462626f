import type { CapabilityView } from '../index.ts'
import { inspectCapabilities } from '../index.ts'
import { CAPABILITIES, capabilityLabel, kernelCapabilities, securebitLabel, suggest } from '../linux/index.ts'
import type { Command, CommandEntry } from './command.ts'
import { command } from './command.ts'
import {
  CAPABILITY_SETS,
  capabilityLetters,
  capabilityNumbers,
  capabilitySentence,
  capabilitySetsJson,
  capabilitySetText,
  realmText,
  termLines,
} from './cap-text.ts'
import { jsonText } from './json.ts'
import { parsePid } from './pid.ts'
import type { Terminal } from './terminal.ts'

const securebitsText = ({ securebits }: CapabilityView): string => {
  if (securebits === undefined) return 'can be known only by the process itself'
  return securebits.length === 0 ? 'none' : securebits.map(securebitLabel).join(', ')
}

const headLines = (view: CapabilityView): readonly (readonly [string, string])[] => [
  ['process', `${view.pid} ${view.name}`],
  ['user', `${view.uid}`],
  ['user namespace', realmText(view.realm)],
  ['no new privileges', view.noNewPrivs ? 'yes: it gains none from the files that it executes' : 'no'],
  ['securebits', securebitsText(view)],
  ...(view.threads.length === 0
    ? []
    : [['threads', `with other sets: ${view.threads.map(({ tid }) => tid).join(', ')}`] as const]),
]

const LABELS = 20

/** A capability a line: which sets hold it, and what it allows. */
const matrix = ({ sets }: CapabilityView, terminal: Terminal): string => {
  const any = CAPABILITY_SETS.reduce((all, [name]) => all | sets[name], 0n)
  const numbers = capabilityNumbers(any | kernelCapabilities() | ((1n << BigInt(CAPABILITIES.length)) - 1n))
  const label = (number: number): string => `${capabilityLabel(number).padEnd(23)} ${capabilityLetters(sets, number)}`
  const lines = termLines(
    numbers.map((number) => [label(number), capabilitySentence(number)]),
    terminal,
    32,
  )
  const legend = CAPABILITY_SETS.map(([name, letter]) => `${letter} ${name}`).join(', ')
  return `${terminal.style.dim(`${' '.repeat(24)}${legend}`)}\n${lines}`
}

const text = (view: CapabilityView, verbose: boolean, terminal: Terminal): string => {
  const head = termLines(headLines(view), terminal, LABELS)
  if (verbose) return `${head}\n${matrix(view, terminal)}`
  const sets = CAPABILITY_SETS.map(([name]) => [name, capabilitySetText(view.sets[name])] as const)
  return `${head}\n${termLines(sets, terminal, LABELS)}`
}

const json = ({ sets, threads, realm, securebits, ...rest }: CapabilityView): object => ({
  ...rest,
  userNamespace: realm ?? null,
  securebits: securebits ?? null,
  ...capabilitySetsJson(sets),
  threads: threads.map(({ tid, sets: own }) => ({ tid, ...capabilitySetsJson(own) })),
})

/** For a word that is no process id: the command that was likely meant. */
const meant = (word: string, subcommands: readonly CommandEntry[]): string | undefined => {
  const near = suggest(
    word,
    subcommands.map(({ name }) => name),
  )
  return near === undefined ? undefined : `Did you mean "tare cap ${near}"?`
}

export const cap: Command = command({
  description:
    'Shows the capabilities of processes: the five sets of each, and what decides over what becomes of them. ' +
    'Without a process id those that tare itself has, and so every program that is started from where it was called.\n\n' +
    'Permitted is what a process may use, effective what is in force now. Inheritable and ambient are handed on to programs ' +
    'that it executes: inheritable only to those whose files ask for it, ambient to all. Bounding is the most that it can ' +
    'ever gain by executing a file. Capabilities count in the user namespace of the process, and those below it.',
  options: [
    { long: 'verbose', short: 'v', description: 'Shows every capability on a line, with what it allows.' },
    {
      long: 'json',
      description:
        'Prints JSON: a list of { pid, name, uid, userNamespace, noNewPrivs, securebits, permitted, effective, inheritable, bounding, ambient, threads }.',
    },
  ],
  operands: [{ name: 'PID', isProcess: true, optional: true, repeatable: true }],
  examples: [
    { description: 'what this shell has', command: 'tare cap $$' },
    { description: 'all capabilities, and which of them the first process has', command: 'tare cap -v 1' },
    {
      description: 'a program that may bind to port 80 as an ordinary user',
      command: 'tare cap set cap_net_bind_service=ep ./server',
    },
  ],
  run: async ({ options, operands, terminal, subcommands = [] }) => {
    const pids = operands.map((word) => parsePid(word, meant(word, subcommands)))
    const views = pids.length === 0 ? [inspectCapabilities()] : pids.map((pid) => inspectCapabilities(pid))
    if (options.json === true) terminal.print(jsonText(views.map(json)))
    else terminal.print(views.map((view) => text(view, options.verbose === true, terminal)).join('\n'))
    return 0
  },
})
