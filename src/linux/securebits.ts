import { InputError } from './error.ts'
import { PR_GET_SECUREBITS, PR_SET_SECUREBITS } from './prctl.ts'
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
