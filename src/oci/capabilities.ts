import type { CapabilitySet } from '../linux/capability.ts'
import { CAPABILITIES } from '../linux/capability.ts'
import type { Capabilities } from './process.ts'

/** The five sets of a process, and what was asked for and can't be had: to be warned of, and no error. */
export interface GrantedCapabilities {
  readonly bounding: CapabilitySet
  readonly effective: CapabilitySet
  readonly inheritable: CapabilitySet
  readonly permitted: CapabilitySet
  readonly ambient: CapabilitySet
  /** Names that the kernel hasn't, or that aren't grantable, each once, in the order of the lists. */
  readonly refused: readonly string[]
}

/**
 * `process.capabilities` as sets (capabilities(7)). Without any the process has none.
 *
 * @param grantable What can be given at all: the runtime's own bounding set, or all in a new user namespace.
 */
export const grantCapabilities = (wanted: Capabilities | undefined, grantable: CapabilitySet): GrantedCapabilities => {
  const refused = new Set<string>()
  const bitOf = (name: string): CapabilitySet => {
    const found = CAPABILITIES.find((known) => known.name === name)
    const bit = found === undefined ? 0n : (1n << BigInt(found.number)) & grantable
    if (bit === 0n) refused.add(name)
    return bit
  }
  const setOf = (names: readonly string[] = []): CapabilitySet => names.reduce((set, name) => set | bitOf(name), 0n)
  const sets = {
    bounding: setOf(wanted?.bounding),
    effective: setOf(wanted?.effective),
    inheritable: setOf(wanted?.inheritable),
    permitted: setOf(wanted?.permitted),
    ambient: setOf(wanted?.ambient),
  }
  return { ...sets, refused: [...refused] }
}
