import { InputError } from '../error.ts'
import type { SeccompAction } from './action.ts'
import { SECCOMP_ACTIONS, takesErrno } from './action.ts'
import type { SeccompArchitecture } from './architectures.ts'
import { SECCOMP_ARCHITECTURES } from './architectures.ts'

/** How a rule compares an argument with its value; MASKED_EQ: `argument & value == valueTwo`. */
export const SECCOMP_OPERATORS = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const

export type SeccompOperator = (typeof SECCOMP_OPERATORS)[number]

/** The flags of seccomp(2) that a profile may ask for. */
export const SECCOMP_FLAGS = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
] as const

export type SeccompFlag = (typeof SECCOMP_FLAGS)[number]

/** A condition on one argument of a system call. */
export interface SeccompArgument {
  /** 0 to 5. */
  readonly index: number
  /** Unsigned, 64 bits. For MASKED_EQ the mask. */
  readonly value: number | bigint
  /** Unsigned, 64 bits; for MASKED_EQ only: what is left under the mask. */
  readonly valueTwo?: number | bigint
  readonly op: SeccompOperator
}

/** What happens to calls of these names, if all the conditions hold; see docs/seccomp.md for several on one name. */
export interface SeccompSyscall {
  readonly names: readonly string[]
  readonly action: SeccompAction
  /** For ERRNO and TRACE; EPERM when absent. */
  readonly errnoRet?: number
  readonly args?: readonly SeccompArgument[]
}

/** `linux.seccomp` of the OCI runtime-spec (config-linux.md, Seccomp). */
export interface SeccompProfile {
  readonly defaultAction: SeccompAction
  /** For ERRNO and TRACE; EPERM when absent. */
  readonly defaultErrnoRet?: number
  /** Beside the native one, which is always covered. */
  readonly architectures?: readonly SeccompArchitecture[]
  /** When absent, SPEC_ALLOW, as other runtimes have it. */
  readonly flags?: readonly SeccompFlag[]
  /** A Unix socket that gets the listener when an action is NOTIFY. */
  readonly listenerPath?: string
  readonly listenerMetadata?: string
  readonly syscalls?: readonly SeccompSyscall[]
}

type Fields = Readonly<Record<string, unknown>>

const refuse = (where: string, reason: string, hint?: string): never => {
  throw new InputError({ operation: 'use', target: where, reason, hint })
}

const show = (value: unknown): string =>
  typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value))

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const fields = (value: unknown, where: string): Fields =>
  isFields(value) ? value : refuse(where, `${show(value)} is no object`)

/** Go writes absent lists as null. */
const absent = (value: unknown): value is undefined | null => value === undefined || value === null

const list = (value: unknown, where: string): readonly unknown[] => {
  if (absent(value)) return []
  return Array.isArray(value) ? value : refuse(where, `${show(value)} is no array`)
}

const oneOf = <T extends string>(value: unknown, choices: readonly T[], where: string, what: string): T => {
  const found = choices.find((choice) => choice === value)
  return found ?? refuse(where, `${show(value)} is no ${what}`, `One of ${choices.join(', ')}.`)
}

const text = (value: unknown, where: string): string =>
  typeof value === 'string' && value !== '' ? value : refuse(where, `${show(value)} is no non-empty string`)

const integer = (value: unknown, most: number, where: string): number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most
    ? value
    : refuse(where, `${show(value)} is no integer from 0 to ${most}`)

const LARGEST = 0xffff_ffff_ffff_ffffn

const word = (value: unknown, where: string): number | bigint => {
  if (typeof value === 'bigint' && value >= 0n && value <= LARGEST) return value
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  return typeof value === 'number' && value > Number.MAX_SAFE_INTEGER
    ? refuse(where, `${value} has lost bits as a number`, 'Give a value from 2^53 up as a bigint.')
    : refuse(where, `${show(value)} is no unsigned integer of 64 bits`)
}

/** ERRNO's number ends at the kernel's MAX_ERRNO; TRACE has all 16 bits. */
const errnoRet = (value: unknown, action: SeccompAction, where: string): number | undefined => {
  if (absent(value)) return undefined
  if (!takesErrno(action)) {
    return refuse(where, `${action} returns no error`, 'Leave it out, or use SCMP_ACT_ERRNO or SCMP_ACT_TRACE.')
  }
  return integer(value, action === 'SCMP_ACT_ERRNO' ? 4095 : 0xffff, where)
}

const argument = (value: unknown, where: string): SeccompArgument => {
  const { index, value: one, valueTwo, op } = fields(value, where)
  const parsed = {
    index: integer(index, 5, `${where}.index`),
    value: word(one, `${where}.value`),
    op: oneOf(op, SECCOMP_OPERATORS, `${where}.op`, 'operator'),
  }
  return absent(valueTwo) ? parsed : { ...parsed, valueTwo: word(valueTwo, `${where}.valueTwo`) }
}

const rule = (value: unknown, where: string): SeccompSyscall => {
  const given = fields(value, where)
  const names = list(given['names'], `${where}.names`).map((name, i) => text(name, `${where}.names[${i}]`))
  if (names.length === 0) refuse(`${where}.names`, 'it names no system call')
  const action = oneOf(given['action'], SECCOMP_ACTIONS, `${where}.action`, 'action')
  if (action === 'SCMP_ACT_NOTIFY' && names.includes('write')) {
    refuse(`${where}.action`, 'SCMP_ACT_NOTIFY on write would stop the start itself', 'Leave write out of the names.')
  }
  const errno = errnoRet(given['errnoRet'], action, `${where}.errnoRet`)
  const args = list(given['args'], `${where}.args`).map((arg, i) => argument(arg, `${where}.args[${i}]`))
  return {
    names,
    action,
    ...(errno === undefined ? {} : { errnoRet: errno }),
    ...(args.length === 0 ? {} : { args }),
  }
}

/**
 * Checks what claims to be `linux.seccomp` and returns it typed, with unknown properties left out. Throws
 * {@link InputError} at the first fault, naming its place: `linux.seccomp.syscalls[3].args[0].op`. Names of system
 * calls are not checked: a profile may know newer ones than this library.
 */
export const validateSeccompProfile = (value: unknown, where = 'linux.seccomp'): SeccompProfile => {
  const given = fields(value, where)
  const defaultAction = oneOf(given['defaultAction'], SECCOMP_ACTIONS, `${where}.defaultAction`, 'action')
  if (defaultAction === 'SCMP_ACT_NOTIFY') {
    refuse(`${where}.defaultAction`, 'SCMP_ACT_NOTIFY would stop the start itself', 'Name the calls to be notified of.')
  }
  const errno = errnoRet(given['defaultErrnoRet'], defaultAction, `${where}.defaultErrnoRet`)
  const architectures = list(given['architectures'], `${where}.architectures`).map((name, i) =>
    oneOf(name, SECCOMP_ARCHITECTURES, `${where}.architectures[${i}]`, 'architecture'),
  )
  const flags = list(given['flags'], `${where}.flags`).map((flag, i) =>
    oneOf(flag, SECCOMP_FLAGS, `${where}.flags[${i}]`, 'flag'),
  )
  const syscalls = list(given['syscalls'], `${where}.syscalls`).map((each, i) => rule(each, `${where}.syscalls[${i}]`))
  const path = absent(given['listenerPath']) ? undefined : text(given['listenerPath'], `${where}.listenerPath`)
  const metadata = absent(given['listenerMetadata'])
    ? undefined
    : text(given['listenerMetadata'], `${where}.listenerMetadata`)
  if (metadata !== undefined && path === undefined) {
    refuse(`${where}.listenerMetadata`, 'there is no listenerPath to send it to')
  }
  if (path === undefined && syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY')) {
    refuse(`${where}.listenerPath`, 'SCMP_ACT_NOTIFY needs a socket to send the listener to')
  }
  return {
    defaultAction,
    ...(errno === undefined ? {} : { defaultErrnoRet: errno }),
    ...(architectures.length === 0 ? {} : { architectures }),
    ...(absent(given['flags']) ? {} : { flags }),
    ...(path === undefined ? {} : { listenerPath: path }),
    ...(metadata === undefined ? {} : { listenerMetadata: metadata }),
    ...(syscalls.length === 0 ? {} : { syscalls }),
  }
}
