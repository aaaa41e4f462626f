import type { CapabilitySet, CapabilityState } from './capability.ts'
import { ALL_CAPABILITIES, CAPABILITIES, capabilityNames, nearestCapability, NO_CAPABILITIES } from './capability.ts'
import { InputError } from './error.ts'

type Flag = 'e' | 'i' | 'p'
type Sets = Record<Flag, CapabilitySet>

const FLAGS: readonly Flag[] = ['e', 'i', 'p']
const SPACES = /[ \t\n\v\f\r]+/

const FORM = 'A clause is a list of names, then = + or -, then some of e, i, p: "cap_chown,cap_kill=ep".'

const refuse = (text: string, reason: string, hint: string = FORM): InputError =>
  new InputError({ operation: 'read the capabilities', target: JSON.stringify(text), reason, hint })

const unknown = (text: string, word: string): InputError => {
  const near = nearestCapability(word)?.toLowerCase()
  const hint = near === undefined ? 'capabilities(7) lists them.' : `Did you mean ${near}?`
  return refuse(
    text,
    word === '' ? 'a name is missing at a comma' : `there is no capability ${JSON.stringify(word)}`,
    hint,
  )
}

/** strtoul(3) with base 0, as cap_from_text(3) reads numbers: decimal, 0x…, 0… */
const parseNumber = (word: string): number | undefined => {
  if (/^0[xX][0-9a-fA-F]+$/.test(word)) return Number.parseInt(word, 16)
  if (/^0[0-7]*$/.test(word)) return Number.parseInt(word, 8)
  return /^[1-9][0-9]*$/.test(word) ? Number.parseInt(word, 10) : undefined
}

const parseList = (text: string, words: string): CapabilitySet => {
  let list = NO_CAPABILITIES
  for (const word of words.split(',')) {
    const upper = word.toUpperCase()
    const number = CAPABILITIES.find(({ name }) => name === upper)?.number ?? parseNumber(word)
    if (upper === 'ALL') {
      // As in libcap, `all` starts the list anew: a number without a name counts only after it.
      list = ALL_CAPABILITIES
    } else if (number === undefined || number > 63) {
      throw unknown(text, word)
    } else list |= 1n << BigInt(number)
  }
  return list
}

const apply = (sets: Sets, list: CapabilitySet, operator: string, flags: string): void => {
  for (const flag of FLAGS) {
    if (operator === '=') sets[flag] &= ~list
    if (!flags.includes(flag)) continue
    sets[flag] = operator === '-' ? sets[flag] & ~list : sets[flag] | list
  }
}

/** List, first operator (which may be `=` before another), its flags, and further operators with theirs. */
const CLAUSE = /^([A-Za-z0-9_,]*)(=[+-]|[=+-])([eip]*)((?:[+-][eip]+)*)$/

/** What is wrong with a text that is no clause: the first place at which no clause could go on so. */
const misfit = (clause: string): string => {
  const fits = /^[A-Za-z0-9_,]*(?:(?:=[+-]|[=+-])[eip]*(?:[+-][eip]+)*)?/.exec(clause)?.[0] ?? ''
  const rest = clause.slice(fits.length)
  if (rest === '') return `${JSON.stringify(clause)} has no =, + or -`
  const next = JSON.stringify(Array.from(rest)[0])
  return `in ${JSON.stringify(clause)}, ${next} is wrong as character ${Array.from(fits).length + 1}`
}

const applyClause = (sets: Sets, text: string, clause: string): void => {
  const match = CLAUSE.exec(clause)
  if (match === null) throw refuse(text, misfit(clause))
  const [, words = '', first = '', flags = '', rest = ''] = match
  if (words === '' && (first !== '=' || rest !== ''))
    throw refuse(text, `${JSON.stringify(clause)} names no capabilities`)
  if (flags === '' && first !== '=') throw refuse(text, `${JSON.stringify(clause)} says nothing after ${first}`)
  const list = words === '' ? ALL_CAPABILITIES : parseList(text, words)
  if (first.length === 2) apply(sets, list, '=', '')
  apply(sets, list, first.slice(-1), flags)
  for (const action of rest.match(/[+-][eip]+/g) ?? []) apply(sets, list, action.slice(0, 1), action.slice(1))
}

/**
 * Reads the text form of capabilities, `cap_chown=ep cap_kill+i`, as cap_from_text(3) does: clauses apply in
 * their order to three empty sets; `all` or no list before `=` is every capability that has a name.
 * Throws {@link InputError} for what that function refuses.
 */
export const parseCapabilityText = (text: string): CapabilityState => {
  const sets: Sets = { e: NO_CAPABILITIES, i: NO_CAPABILITIES, p: NO_CAPABILITIES }
  for (const clause of text.split(SPACES)) if (clause !== '') applyClause(sets, text, clause)
  return { effective: sets.e, permitted: sets.p, inheritable: sets.i }
}

/** Order in which combinations are written, and bits by which they are compared: 1 is e, 2 is p, 4 is i. */
const combination = (state: CapabilityState, bit: bigint): number =>
  Number((state.effective >> bit) & 1n) |
  (Number((state.permitted >> bit) & 1n) << 1) |
  (Number((state.inheritable >> bit) & 1n) << 2)

const letters = (flags: number): string =>
  `${(flags & 1) === 0 ? '' : 'e'}${(flags & 4) === 0 ? '' : 'i'}${(flags & 2) === 0 ? '' : 'p'}`

const NAMED = CAPABILITIES.length

/**
 * Writes the text form of capabilities, letter for letter as cap_to_text(3) does: first what most of them have
 * in common (`=ep`, nothing if they have nothing), then those that differ, grouped.
 */
export const formatCapabilityText = (state: CapabilityState): string => {
  const groups: CapabilitySet[] = Array.from({ length: 8 }, () => NO_CAPABILITIES)
  const unnamed: CapabilitySet[] = Array.from({ length: 8 }, () => NO_CAPABILITIES)
  for (let bit = 0; bit < 64; bit++) {
    const flags = combination(state, BigInt(bit))
    const side = bit < NAMED ? groups : unnamed
    side[flags] = (side[flags] ?? NO_CAPABILITIES) | (1n << BigInt(bit))
  }
  const members = (set: CapabilitySet | undefined): readonly string[] => capabilityNames(set ?? NO_CAPABILITIES)
  const list = (set: CapabilitySet): string => members(set).join(',').toLowerCase()

  let common = 7
  for (let flags = 6; flags >= 0; flags--) {
    if (members(groups[flags]).length >= members(groups[common]).length) common = flags
  }
  let text = `=${letters(common)}`
  for (let flags = 7; flags >= 0; flags--) {
    const group = groups[flags] ?? NO_CAPABILITIES
    if (flags === common || group === NO_CAPABILITIES) continue
    const more = letters(flags & ~common)
    const less = letters(~flags & common)
    if (text === '=') text = `${list(group)}=${more}`
    else text += ` ${list(group)}${more === '' ? '' : `+${more}`}${less === '' ? '' : `-${less}`}`
  }
  for (let flags = 7; flags >= 1; flags--) {
    const group = unnamed[flags] ?? NO_CAPABILITIES
    if (group !== NO_CAPABILITIES) text += ` ${list(group)}+${letters(flags)}`
  }
  return text
}
