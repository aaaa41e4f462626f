import type { CapabilityView } from '../index.ts'
import { inspectCapabilities } from '../index.ts'
import { capabilityLabel } from '../linux/index.ts'
import { capabilityLetters, capabilityNumbers, CAPABILITY_SETS, realmText } from './cap-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { parsePid } from './pid.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'

/** What is compared besides the sets, in words. */
const FACTS: readonly (readonly [name: string, key: string, of: (view: CapabilityView) => string])[] = [
  ['user', 'uid', ({ uid }) => `${uid}`],
  ['user namespace', 'userNamespace', ({ realm }) => realmText(realm)],
  ['no new privileges', 'noNewPrivs', ({ noNewPrivs }) => (noNewPrivs ? 'yes' : 'no')],
]

const differing = ({ sets: a }: CapabilityView, { sets: b }: CapabilityView): readonly number[] =>
  capabilityNumbers(CAPABILITY_SETS.reduce((all, [name]) => all | (a[name] ^ b[name]), 0n))

const table = (a: CapabilityView, b: CapabilityView, { style, lineWidth }: Terminal): string => {
  const facts = FACTS.filter(([, , of]) => of(a) !== of(b)).map(([name, , of]) => [name, of(a), of(b)])
  const capabilities = differing(a, b).map((number) => [
    capabilityLabel(number),
    { text: capabilityLetters(a.sets, number), style: style.yellow },
    { text: capabilityLetters(b.sets, number), style: style.yellow },
  ])
  const rows = [...facts, ...capabilities]
  if (rows.length === 0) return ''
  const title = ({ pid, name }: CapabilityView): string => `${pid} ${name}`
  return formatTable([['', title(a), title(b)], ...rows], [], lineWidth)
}

const json = (a: CapabilityView, b: CapabilityView): object => ({
  pids: [a.pid, b.pid],
  facts: Object.fromEntries(
    FACTS.filter(([, , of]) => of(a) !== of(b)).map(([, key]) => [key, [factOf(a, key), factOf(b, key)]]),
  ),
  capabilities: differing(a, b).map((number) => ({
    name: capabilityLabel(number),
    in: [a, b].map(({ sets }) =>
      CAPABILITY_SETS.filter(([name]) => ((sets[name] >> BigInt(number)) & 1n) === 1n).map(([name]) => name),
    ),
  })),
})

const factOf = (view: CapabilityView, key: string): unknown =>
  key === 'uid' ? view.uid : key === 'noNewPrivs' ? view.noNewPrivs : (view.realm?.inode ?? null)

export const capDiff: Command = command({
  description:
    'Shows in what the capabilities of two processes differ, or of a process and tare itself: every capability that is not ' +
    'in the same sets of both, and their users and user namespaces. Each letter is a set: p permitted, e effective, ' +
    'i inheritable, b bounding, a ambient. Prints nothing if there is no difference.',
  options: [{ long: 'json', description: 'Prints JSON: { pids, facts, capabilities: [{ name, in: [sets, sets] }] }.' }],
  operands: [
    { name: 'PID', isProcess: true },
    { name: 'PID', isProcess: true, optional: true },
  ],
  examples: [
    { description: 'what a server lacks that this shell has', command: 'tare cap diff $$ $(pidof nginx | head -n1)' },
  ],
  exitStatus: [['1', 'They differ.']],
  run: async ({ options, operands, terminal }) => {
    const [first, second] = operands.map((word) => parsePid(word))
    const [a, b] =
      second === undefined
        ? [inspectCapabilities(), inspectCapabilities(first)]
        : [inspectCapabilities(first), inspectCapabilities(second)]
    const text = table(a, b, terminal)
    if (options.json === true) terminal.print(jsonText(json(a, b)))
    else terminal.print(text)
    return text === '' ? 0 : 1
  },
})
