import type { CapabilitySet } from './capability.ts'
import { capabilityNames, CAPABILITIES, findCapability, NO_CAPABILITIES } from './capability.ts'
import { InputError } from './error.ts'
import { lastCapability } from './process-capability.ts'

/** All capabilities that a kernel knows whose last one has this number; by default the running one. */
export const kernelCapabilities = (last: number = lastCapability()): CapabilitySet => (1n << BigInt(last + 1)) - 1n

/** `cap_net_raw`; for a capability that has no name yet `cap_41`, which {@link parseCapabilityList} takes. */
export const capabilityLabel = (number: number): string => (CAPABILITIES[number]?.name ?? `CAP_${number}`).toLowerCase()

/** The labels of a set, in order of the numbers. */
export const capabilityLabels = (set: CapabilitySet): readonly string[] =>
  capabilityNames(set).map((word) => (/^[0-9]/.test(word) ? `cap_${word}` : word.toLowerCase()))

/** The number that a word means: a name as {@link findCapability} takes it, `41`, or `cap_41`. Throws for others. */
export const findCapabilityNumber = (word: string): number => {
  const digits = /^(?:cap_)?([0-9]{1,2})$/i.exec(word)?.[1]
  if (digits !== undefined && Number(digits) < 64) return Number(digits)
  return findCapability(word).number
}

/** Throws {@link InputError} for a set with a capability that a kernel whose last is this one doesn't know. */
export const checkKnownCapabilities = (set: CapabilitySet, last: number = lastCapability()): void => {
  const unknown = capabilityLabels(set & ~kernelCapabilities(last))
  if (unknown.length === 0) return
  throw new InputError({
    operation: unknown.length === 1 ? 'use capability' : 'use capabilities',
    target: unknown.join(', '),
    reason: 'this kernel knows none of that number',
    hint: `Its last is ${capabilityLabel(last)} (${last}).`,
  })
}

const refuse = (text: string, reason: string, hint?: string): InputError =>
  new InputError({ operation: 'read the list of capabilities', target: JSON.stringify(text), reason, hint })

const memberOf = (word: string): CapabilitySet => {
  if (word.toLowerCase() === 'all') return kernelCapabilities()
  if (word.toLowerCase() === 'none') return NO_CAPABILITIES
  const set = 1n << BigInt(findCapabilityNumber(word))
  checkKnownCapabilities(set)
  return set
}

const wordsOf = (text: string): readonly string[] => {
  const words = text.split(',').map((word) => word.trim())
  if (words.includes('')) throw refuse(text, 'a name is missing', 'Write names with commas between them, all or none.')
  return words
}

/**
 * Reads `chown,cap_kill`: names as {@link findCapabilityNumber} takes them, `all` (that the running kernel knows) and
 * `none`. Throws {@link InputError} for an unknown name, and for a number that this kernel has no capability of.
 */
export const parseCapabilityList = (text: string): CapabilitySet =>
  wordsOf(text).reduce((set, word) => set | memberOf(word), NO_CAPABILITIES)

/**
 * Reads a list that stands for a set: as {@link parseCapabilityList}; or changes to the set there is, applied in their
 * order, where every word has a sign (`-all,+chown`), as setpriv(1) has it.
 */
export const parseCapabilityChanges = (text: string, present: CapabilitySet): CapabilitySet => {
  const words = wordsOf(text)
  const signed = words.filter((word) => /^[+-]/.test(word))
  if (signed.length === 0) return parseCapabilityList(text)
  if (signed.length < words.length) {
    throw refuse(text, 'some words have a sign and some have none', 'Give all of them + or -, or none.')
  }
  return words.reduce((set, word) => {
    const members = memberOf(word.slice(1))
    return word.startsWith('+') ? set | members : set & ~members
  }, present)
}

/**
 * Reads a set as the kernel writes it: `00000000a80425fb`, `0x3fff`, or a line of /proc/PID/status
 * (`CapEff:	000001ffffffffff`). Undefined for what doesn't look like one; throws for one of more than 64 bits.
 */
export const parseCapabilityMask = (text: string): CapabilitySet | undefined => {
  const bare = text.trim().replace(/^Cap(?:Inh|Prm|Eff|Bnd|Amb):\s*/, '')
  const digits = /^0x([0-9a-f]+)$/i.exec(bare)?.[1] ?? /^([0-9a-f]{8,})$/i.exec(bare)?.[1]
  if (digits === undefined) return undefined
  const set = BigInt(`0x${digits}`)
  if (set >> 64n === 0n) return set
  throw new InputError({ operation: 'read the mask', target: bare, reason: 'it has more than 64 bits' })
}
