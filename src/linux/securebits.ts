import { InputError } from './error.ts'
import { PR_GET_SECUREBITS, PR_SET_SECUREBITS } from './prctl.ts'
import { suggest } from './suggest.ts'
import { syscall } from './syscall.ts'

/** How much of root's traditional treatment a thread has switched off (capabilities(7), "The securebits flags"). */
export type Securebit =
  | 'SECBIT_NOROOT'
  | 'SECBIT_NOROOT_LOCKED'
  | 'SECBIT_NO_SETUID_FIXUP'
  | 'SECBIT_NO_SETUID_FIXUP_LOCKED'
  | 'SECBIT_KEEP_CAPS'
  | 'SECBIT_KEEP_CAPS_LOCKED'
  | 'SECBIT_NO_CAP_AMBIENT_RAISE'
  | 'SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED'

/** The bits, by name (linux/securebits.h). */
export const SECUREBITS: Readonly<Record<Securebit, number>> = {
  SECBIT_NOROOT: 1 << 0,
  SECBIT_NOROOT_LOCKED: 1 << 1,
  SECBIT_NO_SETUID_FIXUP: 1 << 2,
  SECBIT_NO_SETUID_FIXUP_LOCKED: 1 << 3,
  SECBIT_KEEP_CAPS: 1 << 4,
  SECBIT_KEEP_CAPS_LOCKED: 1 << 5,
  SECBIT_NO_CAP_AMBIENT_RAISE: 1 << 6,
  SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED: 1 << 7,
}

const isSecurebit = (name: string): name is Securebit => Object.hasOwn(SECUREBITS, name)

/** The word that prctl(2) takes. */
export const securebitsMask = (names: readonly Securebit[]): number =>
  names.reduce((mask, name) => mask | SECUREBITS[name], 0)

/** The names of the bits that are set; throws {@link InputError} if one has no name. */
export const securebitsNames = (mask: number): readonly Securebit[] => {
  const names = Object.keys(SECUREBITS).filter(isSecurebit)
  const set = names.filter((name) => (mask & SECUREBITS[name]) !== 0)
  if (securebitsMask(set) !== mask) {
    throw new InputError({
      operation: 'name securebits',
      target: `0x${mask.toString(16)}`,
      reason: 'some have no name',
    })
  }
  return set
}

/** `noroot_locked`: how setpriv(1) and people write SECBIT_NOROOT_LOCKED. */
export const securebitLabel = (name: Securebit): string => name.slice('SECBIT_'.length).toLowerCase()

const findSecurebit = (word: string): Securebit => {
  const names = Object.keys(SECUREBITS).filter(isSecurebit)
  const bare = word.toLowerCase().replace(/^secbit_/, '')
  const found = names.find((name) => securebitLabel(name) === bare)
  if (found !== undefined) return found
  const near = suggest(bare, names.map(securebitLabel))
  const hint = near === undefined ? `They are ${names.map(securebitLabel).join(', ')}.` : `Did you mean ${near}?`
  throw new InputError({ operation: 'use securebit', target: word, reason: 'there is none of that name', hint })
}

/**
 * Reads a list of securebits, `noroot,noroot_locked` or `none`; or changes to those there are, where every word has a
 * sign: `+noroot,-no_setuid_fixup`. Throws {@link InputError} for unknown ones, and where only some have a sign.
 */
export const parseSecurebits = (text: string, present: readonly Securebit[]): readonly Securebit[] => {
  const words = text.split(',').map((word) => word.trim())
  const signed = words.filter((word) => /^[+-]/.test(word))
  if (text.toLowerCase() === 'none') return []
  if (signed.length === 0) return securebitsNames(securebitsMask(words.map(findSecurebit)))
  if (signed.length < words.length) {
    const reason = 'some words have a sign and some have none'
    throw new InputError({ operation: 'read the list of securebits', target: JSON.stringify(text), reason })
  }
  const mask = words.reduce((bits, word) => {
    const bit = SECUREBITS[findSecurebit(word.slice(1))]
    return word.startsWith('+') ? bits | bit : bits & ~bit
  }, securebitsMask(present))
  return securebitsNames(mask)
}

/** The securebits of this thread. PR_GET_SECUREBITS(2const) */
export const getSecurebits = (): readonly Securebit[] =>
  securebitsNames(syscall({ operation: 'read the securebits' }, 'prctl', PR_GET_SECUREBITS))

/** Sets the securebits of this thread; those locked stay as they are. PR_SET_SECUREBITS(2const) */
export const setSecurebits = (names: readonly Securebit[]): void => {
  syscall(
    { operation: 'set the securebits', hint: 'It takes CAP_SETPCAP, and a locked bit can never change.' },
    'prctl',
    PR_SET_SECUREBITS,
    securebitsMask(names),
  )
}
