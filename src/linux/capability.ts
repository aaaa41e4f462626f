import type { Capability, CapabilityName } from './capability-table.ts'
import { CAPABILITIES } from './capability-table.ts'
import { InputError } from './error.ts'
import { statusField } from './process-status.ts'
import { suggest } from './suggest.ts'

export type { Capability, CapabilityName } from './capability-table.ts'
export { CAPABILITIES } from './capability-table.ts'

/** A set of capabilities: bit n stands for the capability of number n. */
export type CapabilitySet = bigint

/** What is written for a capability that has no name yet: its number. */
export type CapabilityWord = CapabilityName | `${number}`

export const NO_CAPABILITIES: CapabilitySet = 0n

/** All 41 that have a name. */
export const ALL_CAPABILITIES: CapabilitySet = (1n << BigInt(CAPABILITIES.length)) - 1n

const BITS = 64

/** The capability that a word was likely meant for: part of its name, or nearly that. */
export const nearestCapability = (word: string): CapabilityName | undefined => {
  const bare = word.toUpperCase().replace(/^CAP_/, '')
  if (bare.length < 3) return undefined
  const within = CAPABILITIES.filter(({ name }) => name.includes(bare) || bare.includes(name.slice('CAP_'.length))).map(
    ({ name }) => name,
  )
  if (within.length === 1) return within[0]
  const bareNames = CAPABILITIES.map(({ name }) => name.slice('CAP_'.length))
  const near = CAPABILITIES[bareNames.indexOf(suggest(bare, bareNames) ?? '')]?.name
  return near ?? within[0]
}

/**
 * The capability that a person means: `CAP_NET_ADMIN`, `cap_net_admin`, `net_admin`.
 * Throws {@link InputError} for a name that doesn't exist.
 */
export const findCapability = (text: string): Capability => {
  const upper = text.toUpperCase()
  const found = CAPABILITIES.find(({ name }) => name === upper || name === `CAP_${upper}`)
  if (found !== undefined) return found
  const near = nearestCapability(text)
  throw new InputError({
    operation: 'use capability',
    target: text === '' ? '""' : text,
    reason: 'there is none of that name',
    hint: near === undefined ? 'capabilities(7) lists them.' : `Did you mean ${near.toLowerCase()}?`,
  })
}

/** The number of a capability: its bit in a set. */
export const capabilityNumber = (name: CapabilityName): number => findCapability(name).number

/** The set of these capabilities; names as {@link findCapability} takes them, which throws for an unknown one. */
export const capabilitySet = (names: Iterable<string>): CapabilitySet => {
  let set = NO_CAPABILITIES
  for (const name of names) set |= 1n << BigInt(findCapability(name).number)
  return set
}

/** Whether a capability is in a set. */
export const hasCapability = (set: CapabilitySet, name: CapabilityName): boolean =>
  ((set >> BigInt(capabilityNumber(name))) & 1n) === 1n

/** The members of a set, in order of their numbers; one that has no name yet as its number (`'41'`). */
export const capabilityNames = (set: CapabilitySet): readonly CapabilityWord[] => {
  const names: CapabilityWord[] = []
  for (let bit = 0; bit < BITS; bit++) {
    if (((set >> BigInt(bit)) & 1n) === 1n) names.push(CAPABILITIES[bit]?.name ?? `${bit}`)
  }
  return names
}

/** The three sets of a process that capget(2) and cap_from_text(3) know. */
export interface CapabilityState {
  readonly effective: CapabilitySet
  readonly permitted: CapabilitySet
  readonly inheritable: CapabilitySet
}

/** All five sets of a process. */
export interface ProcessCapabilities extends CapabilityState {
  readonly bounding: CapabilitySet
  readonly ambient: CapabilitySet
}

const STATUS_LINES = {
  inheritable: 'CapInh',
  permitted: 'CapPrm',
  effective: 'CapEff',
  bounding: 'CapBnd',
  ambient: 'CapAmb',
} as const

/**
 * The five sets in the text of /proc/PID/status (proc_pid_status(5)).
 * Throws {@link InputError} where a line is missing or is no hexadecimal number.
 */
export const parseStatusCapabilities = (status: string): ProcessCapabilities => {
  const read = (line: string): CapabilitySet => {
    const digits = statusField(status, line)
    if (digits === undefined || !/^[0-9a-fA-F]{1,16}$/.test(digits)) {
      throw new InputError({
        operation: 'read the capabilities of a process',
        reason: `its status has no line ${line}`,
      })
    }
    return BigInt(`0x${digits}`)
  }
  return {
    inheritable: read(STATUS_LINES.inheritable),
    permitted: read(STATUS_LINES.permitted),
    effective: read(STATUS_LINES.effective),
    bounding: read(STATUS_LINES.bounding),
    ambient: read(STATUS_LINES.ambient),
  }
}

const VERSION_3 = 0x20080522
const WORD = 0xffffffffn

/** `struct __user_cap_header_struct` of capget(2), version 3, for the calling thread: 8 bytes. */
export const encodeCapabilityHeader = (): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setUint32(0, VERSION_3, true)
  return bytes
}

/** The two `struct __user_cap_data_struct` of capset(2): the low halves of the sets, then the high: 24 bytes. */
export const encodeCapabilityData = (state: CapabilityState): Uint8Array => {
  const bytes = new Uint8Array(24)
  const view = new DataView(bytes.buffer)
  const sets = [state.effective, state.permitted, state.inheritable]
  sets.forEach((set, index) => {
    view.setUint32(4 * index, Number(set & WORD), true)
    view.setUint32(12 + 4 * index, Number((set >> 32n) & WORD), true)
  })
  return bytes
}

/** The sets in what capget(2) has filled: the reverse of {@link encodeCapabilityData}. */
export const decodeCapabilityData = (bytes: Uint8Array): CapabilityState => {
  if (bytes.length !== 24) {
    throw new InputError({
      operation: 'decode capabilities',
      reason: `${bytes.length} bytes are not the 24 of version 3`,
    })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const set = (index: number): CapabilitySet =>
    BigInt(view.getUint32(4 * index, true)) | (BigInt(view.getUint32(12 + 4 * index, true)) << 32n)
  return { effective: set(0), permitted: set(1), inheritable: set(2) }
}
