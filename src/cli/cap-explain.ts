import type { CapabilityRisk } from '../index.ts'
import { CAPABILITY_RISKS } from '../index.ts'
import type { CapabilitySet } from '../linux/index.ts'
import {
  capabilityLabel,
  capabilityLabels,
  findCapabilityNumber,
  kernelCapabilities,
  lastCapability,
  parseCapabilityMask,
  parseCapabilityText,
} from '../linux/index.ts'
import { capabilityNumbers, capabilitySentence, riskCondition } from './cap-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import type { Style, Terminal } from './terminal.ts'
import { printable, wrap } from './text.ts'

/** Before the mask, where a line of /proc/PID/status comes as two words. */
const LABEL = /^Cap(?:Inh|Prm|Eff|Bnd|Amb):$/

/** What one word stands for. */
interface Meaning {
  readonly word: string
  readonly isMask: boolean
  readonly set: CapabilitySet
}

/** All that a text form (`cap_net_raw=ep`) names. */
const textSet = (text: string): CapabilitySet => {
  const { permitted, inheritable, effective } = parseCapabilityText(text)
  return permitted | inheritable | effective
}

/** Unlike for `tare cap run`, a number that this kernel doesn't know is worth a word. */
const listSet = (words: string): CapabilitySet =>
  words
    .split(',')
    .map((word) => (word.toLowerCase() === 'all' ? kernelCapabilities() : 1n << BigInt(findCapabilityNumber(word))))
    .reduce((all, set) => all | set, 0n)

const meaningOf = (word: string): Meaning => {
  const mask = parseCapabilityMask(word)
  if (mask !== undefined) return { word, isMask: true, set: mask }
  return { word, isMask: false, set: word.includes('=') ? textSet(word) : listSet(word) }
}

const risksOf = (number: number): readonly CapabilityRisk[] =>
  CAPABILITY_RISKS.filter(({ capability }) => capability.toLowerCase() === capabilityLabel(number))

const riskText = (risk: CapabilityRisk): string => {
  const condition = riskCondition(risk)
  return `${risk.gain}${condition === '' ? '' : ` (${condition})`}: ${risk.how}`
}

const colourOf = ({ gain }: CapabilityRisk, { red, yellow, dim }: Style): ((text: string) => string) =>
  gain === 'takeover' ? red : gain === 'tamper' ? yellow : dim

/** Colours the first word. */
const coloured = (text: string, gain: string, style: (text: string) => string): string =>
  text.replace(gain, () => style(gain))

const block = (number: number, { style, lineWidth }: Terminal): string => {
  const paragraph = (text: string, indent: number): string =>
    lineWidth === undefined ? `${' '.repeat(indent)}${text}` : wrap(text, lineWidth, indent)
  const known = number <= lastCapability() ? '' : ', which this kernel does not know'
  const risks = risksOf(number)
  const lines = [
    `${style.bold(capabilityLabel(number))} ${style.dim(`${number}${known}`)}`,
    paragraph(capabilitySentence(number), 4),
    ...(risks.length === 0 ? [] : [style.dim('    Out of a container:')]),
    ...risks.map((risk) => coloured(paragraph(riskText(risk), 6), risk.gain, colourOf(risk, style))),
  ]
  return `${lines.join('\n')}\n`
}

const maskLine = ({ word, set }: Meaning): string =>
  `${printable(word.trim())} = ${capabilityLabels(set).join(',') || 'none'}\n`

const json = (number: number): object => ({
  name: capabilityLabel(number),
  number,
  known: number <= lastCapability(),
  allows: capabilitySentence(number),
  leadsOut: risksOf(number).map(({ gain, how, needs, and, held }) => ({
    gain,
    how,
    needs,
    and: and?.toLowerCase() ?? null,
    held,
  })),
})

export const capExplain: Command = command({
  description:
    'Explains capabilities: what each allows, and how it leads out of a container whose other walls are up. They are given by ' +
    'name, by number, as a mask of the kernel, such as a line of /proc/PID/status has, or in the text form that files have. ' +
    'Without an operand, all of them.\n\n' +
    'takeover: root of the host. tamper: something of the host is changed. read: something of it is overheard. ' +
    'disturb: it is slowed down, misled or stopped. Where it does not say otherwise, a way is open only to a process in the ' +
    "host's own user namespace.",
  options: [
    {
      long: 'json',
      description:
        'Prints JSON: a list of { name, number, known, allows, leadsOut: [{ gain, how, needs, and, held }] }.',
    },
  ],
  operands: [{ name: 'CAPABILITY', optional: true, repeatable: true }],
  examples: [
    { description: 'one', command: 'tare cap explain net_admin' },
    { description: 'what a container has', command: 'tare cap explain 0x00000000a80425fb' },
    { description: 'what a process has in force', command: 'tare cap explain $(grep CapEff /proc/1/status)' },
  ],
  run: async ({ options, operands, terminal }) => {
    const words = operands.filter((word) => !LABEL.test(word))
    const meanings = (words.length === 0 ? ['all'] : words).map(meaningOf)
    const numbers = capabilityNumbers(meanings.reduce((all, { set }) => all | set, 0n))
    if (options.json === true) {
      terminal.print(jsonText(numbers.map(json)))
      return 0
    }
    const masks = meanings.filter(({ isMask }) => isMask).map(maskLine)
    terminal.print([...masks, ...numbers.map((number) => block(number, terminal))].join('\n'))
    return 0
  },
})
