import { InputError } from '../error.ts'
import type { Amount } from './limits.ts'

/** A value for a control file. */
export interface CgroupFileWrite {
  readonly kind: 'file'
  /** By version 2's name. It says in which hierarchy the file is. */
  readonly controller: string
  readonly file: string
  readonly value: string
  /** In words: `limit memory to 64 MiB`. */
  readonly what: string
  /** Files by which other kernels, or other parts of this one, set the same: at least one of all must be there. */
  readonly others?: readonly { readonly file: string; readonly value: string }[]
}

/** Device rules on version 2, which has a program instead of a file. */
export interface CgroupDeviceWrite {
  readonly kind: 'device-program'
  readonly controller: 'devices'
  /** For `attachDeviceProgram`. */
  readonly program: Uint8Array
  readonly what: string
}

/** One change to a group. */
export type CgroupWrite = CgroupFileWrite | CgroupDeviceWrite

/** Collects the file writes of one controller. */
export type AddWrite = (file: string, value: string, what: string, others?: CgroupFileWrite['others']) => void

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `64 MiB`; exact, so in the largest unit that leaves no rest. */
export const describeBytes = (amount: Amount): string => {
  if (amount === 'max') return 'no limit'
  let rest = BigInt(amount)
  let unit = 0
  while (rest !== 0n && rest % 1024n === 0n && unit < UNITS.length - 1) {
    rest /= 1024n
    unit += 1
  }
  return `${rest} ${UNITS[unit]}`
}

const MOST = 2n ** 63n - 1n

/** Checks an amount: whole, not negative, within the kernel's 63 bits. Returns it. Throws {@link InputError}. */
export const checkAmount = (name: string, amount: Amount): Amount => {
  if (amount === 'max') return amount
  const whole = typeof amount === 'bigint' || Number.isSafeInteger(amount)
  if (whole && amount >= 0 && BigInt(amount) <= MOST) return amount
  throw new InputError({
    operation: 'set',
    target: `${name} to ${amount}`,
    reason: 'it is not a whole number from 0 to 2⁶³−1',
  })
}

/** Checks a whole number within bounds, both included. Returns it. Throws {@link InputError}. */
export const checkRange = (name: string, value: number, least: number, most: number): number => {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new InputError({
    operation: 'set',
    target: `${name} to ${value}`,
    reason: `it is not a whole number from ${least} to ${most}`,
  })
}

/** Throws the {@link InputError} for a limit that the version at hand doesn't have. */
export const refuse = (what: string, version: 1 | 2, hint: string): never => {
  throw new InputError({
    operation: what,
    reason: `cgroup version ${version}, which has the controller here, has no such limit`,
    hint,
  })
}

/** Throws if two ways to say the same are both used. */
export const refuseBoth = (one: string, other: string, a: unknown, b: unknown): void => {
  if (a === undefined || b === undefined) return
  throw new InputError({
    operation: 'set',
    target: `both ${one} and ${other}`,
    reason: 'they are two ways to say the same',
    hint: 'Give one of them.',
  })
}
