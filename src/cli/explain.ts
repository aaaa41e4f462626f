import type { ExplainedPhase, ExplainedStep, Explanation, Mechanism } from '../index.ts'
import { explain as explainRun } from '../index.ts'
import { terminalOption } from './attach.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { RUN_OPTIONS } from './run-options.ts'
import { HOST_SOURCE } from './run-source.ts'
import type { Terminal } from './terminal.ts'
import { displayWidth, printable, wrap } from './text.ts'
import { toRunOptions } from './to-run-options.ts'

/** What each mechanism is for. */
const PURPOSE: Readonly<Record<Mechanism, string>> = {
  start: 'The process that becomes the container, and what connects it with Tare.',
  namespaces:
    'Views of its own: process and user ids, mounts, network, host name, message queues, clocks, control groups.',
  chroot: 'Another root directory, filled with all that the program needs and nothing else, and no way back.',
  cgroups: 'Limits on what it may use, and an account of what it has used.',
  capabilities: 'The power of root, cut into pieces, of which it keeps a few; and no way to gain more.',
  seccomp: 'A filter between the program and the kernel, which refuses the system calls that it has no business with.',
  process: 'Who the program runs as, with which limits, beside which PID 1; and last the program itself.',
}

const ACTOR: Readonly<Record<ExplainedPhase, string>> = {
  prepare: 'Tare, beforehand',
  start: 'Tare',
  grant: 'Tare, while the process waits',
  stage: 'the stage, in the new process',
}

interface Group {
  readonly mechanism: Mechanism
  readonly phase: ExplainedPhase
  readonly steps: readonly ExplainedStep[]
}

/** Consecutive steps of one mechanism, taken by one process. */
const groupSteps = (steps: readonly ExplainedStep[]): readonly Group[] => {
  const groups: { mechanism: Mechanism; phase: ExplainedPhase; steps: ExplainedStep[] }[] = []
  for (const step of steps) {
    const { mechanism, phase } = step
    const last = groups.at(-1)
    if (last?.mechanism === mechanism && last.phase === phase) last.steps.push(step)
    else groups.push({ mechanism, phase, steps: [step] })
  }
  return groups
}

const INDENT = 6

const hang = (text: string, width: number): string => wrap(printable(text), width, INDENT).slice(INDENT)

/** A text with more places to break it, if it has words that are wider than the page: flags, mostly. */
const breakable = (text: string, width: number): string =>
  text
    .split(' ')
    .map((word) => (displayWidth(word) > width ? word.replaceAll('|', '| ') : word))
    .join(' ')

/** The number and what is done, why, and dimmed below it the call. */
const stepText = ({ number, what, why, call, onError }: ExplainedStep, { columns, style }: Terminal): string => {
  const margin = String(number).padStart(INDENT - 2)
  const first = `${margin}  ${hang(why === '' ? what : `${what} — ${why}`, columns)}`
  const below = [call, ...onError].map((line) =>
    style.dim(wrap(breakable(printable(line), columns - INDENT), columns, INDENT)),
  )
  return [first, ...below].join('\n')
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

/** An explanation for people, set for the terminal's width. Each mechanism's purpose is told when it first appears. */
export const explanationText = ({ steps, counts }: Explanation, terminal: Terminal): string => {
  const { columns, style } = terminal
  const told = new Set<Mechanism>()
  const sections = groupSteps(steps).map((group) => {
    const purpose = told.has(group.mechanism) ? '' : `${wrap(PURPOSE[group.mechanism], columns)}\n`
    told.add(group.mechanism)
    const heading = `${style.bold(group.mechanism.toUpperCase())}  (${ACTOR[group.phase]})`
    return `${heading}\n${purpose}${group.steps.map((step) => stepText(step, terminal)).join('\n')}\n`
  })
  const total = `${plural(counts.steps, 'step')}, ${plural(counts.stageSystemCalls, 'system call')} by the stage.`
  return `${sections.join('\n')}\n${total}\n`
}

export const explain: Command = command({
  usage: ['[OPTION]... [--] COMMAND [ARGUMENT...]'],
  description:
    'Shows the plan of "tare run" with the same options: every step in order, what it does and why, and the system call. It starts nothing and changes nothing.\n\n' +
    'Steps go one after the other, unless an error is named that leads to another one. Any other error ends the start, and nothing is left behind. "$name" is what an earlier step returned.',
  options: [...RUN_OPTIONS, { long: 'json', description: 'Prints JSON: { command, steps, counts }.' }],
  operands: [{ name: 'COMMAND' }, { name: 'ARGUMENT', optional: true, repeatable: true }],
  stopAtOperand: true,
  examples: [
    { description: 'all that contains a program by default', command: 'tare explain true' },
    {
      description: 'the system calls alone',
      command: `tare explain --json -m 64m true | jq -r '.steps[].call'`,
    },
  ],
  run: async ({ options, operands, terminal }) => {
    const asked = toRunOptions(options, HOST_SOURCE)
    const explanation = explainRun(operands, options.tty === true ? { ...asked, tty: terminalOption() } : asked)
    terminal.print(options.json === true ? jsonText(explanation) : explanationText(explanation, terminal))
    return 0
  },
})
