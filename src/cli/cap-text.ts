import type { CapabilityRealm, CapabilityRisk, RiskNeed } from '../index.ts'
import type { CapabilitySet, ProcessCapabilities } from '../linux/index.ts'
import { CAPABILITIES, capabilityLabels, kernelCapabilities } from '../linux/index.ts'
import type { Terminal } from './terminal.ts'
import { padTo, printable, wrap } from './text.ts'

/** The five sets in the order in which they are shown, with the letter of each. */
export const CAPABILITY_SETS = [
  ['permitted', 'p'],
  ['effective', 'e'],
  ['inheritable', 'i'],
  ['bounding', 'b'],
  ['ambient', 'a'],
] as const

/** `all 41`, `all but cap_sys_time`, `cap_chown, cap_kill`, `none`. */
export const capabilitySetText = (set: CapabilitySet, known: CapabilitySet = kernelCapabilities()): string => {
  const [members, missing] = [capabilityLabels(set), capabilityLabels(known & ~set)]
  if (members.length === 0) return 'none'
  if (missing.length === 0) return `all ${members.length}`
  if (missing.length * 2 < members.length) return `all but ${missing.join(', ')}`
  return members.join(', ')
}

/** Which of the sets hold a capability: `pe.b.`. */
export const capabilityLetters = (sets: ProcessCapabilities, number: number): string =>
  CAPABILITY_SETS.map(([name, letter]) => (((sets[name] >> BigInt(number)) & 1n) === 1n ? letter : '.')).join('')

/** The numbers of a set's members. */
export const capabilityNumbers = (set: CapabilitySet): readonly number[] =>
  Array.from({ length: 64 }, (_, number) => number).filter((number) => ((set >> BigInt(number)) & 1n) === 1n)

/** What a capability allows, in a sentence. */
export const capabilitySentence = (number: number): string =>
  CAPABILITIES[number]?.allows ?? 'Unknown: it is newer than this version of tare.'

/** Names as JSON has them. */
export const capabilitySetsJson = (sets: ProcessCapabilities): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(CAPABILITY_SETS.map(([name]) => [name, capabilityLabels(sets[name])]))

const FIRST_COLUMN = 24

/**
 * Lines of a term and what is said of it, which starts at a column and goes on below it where the terminal is too narrow.
 */
export const termLines = (
  entries: readonly (readonly [term: string, text: string])[],
  { lineWidth, style }: Terminal,
  column: number = FIRST_COLUMN,
): string =>
  entries
    .map(([term, text]) => {
      const shown = printable(text)
      const body = lineWidth === undefined ? shown : wrap(shown, Math.max(lineWidth, column + 20), column).trimStart()
      return `${style.bold(padTo(printable(term), column - 1))} ${body}`.trimEnd()
    })
    .map((line) => `${line}\n`)
    .join('')

/** `user:[4026531837], the host's own`. */
export const realmText = (realm: CapabilityRealm | undefined): string => {
  if (realm === undefined) return 'may not be known'
  const { inode, initial, rootUid } = realm
  const root = rootUid === undefined ? 'nobody outside is root of it' : `its root is user ${rootUid} outside`
  return `user:[${inode}], ${initial ? "the host's own" : root}`
}

const NEEDS: Readonly<Record<Exclude<RiskNeed, `shared-${string}`>, string>> = {
  'host-files': 'files of the host mounted in, to be written to',
  'host-filesystem': 'a file of a file system of the host in sight',
  'host-devices': 'device rules that allow it',
  'security-module': 'such a module around it',
}

const isShared = (need: RiskNeed): need is `shared-${string}` & RiskNeed => need.startsWith('shared-')

const needText = (need: RiskNeed): string =>
  isShared(need) ? `the host's ${need.slice('shared-'.length)} namespace` : NEEDS[need]

/**
 * `with the host's pid namespace and cap_sys_chroot`; empty where the capability is enough. That the process must be in
 * the host's user namespace goes without saying; that it need not is said.
 */
export const riskCondition = ({ needs, and, held }: CapabilityRisk): string => {
  const parts = [...needs.map(needText), ...(and === undefined ? [] : [and.toLowerCase()])]
  const words = [
    ...(parts.length === 0 ? [] : [`with ${parts.join(' and ')}`]),
    ...(held === 'initial'
      ? []
      : [`in ${held === 'any' ? 'any user namespace' : 'any user namespace that maps their owners'}`]),
  ]
  return words.join(', ')
}
