import type { Read } from './fields.ts'
import { arrayOf, Fields, oneOf, refuse } from './fields.ts'
import { numberList } from './scheduler.ts'

/** The modes of set_mempolicy(2), and their numbers (linux/mempolicy.h). */
export const MEMORY_POLICY_MODES = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
} as const

export type MemoryPolicyMode = keyof typeof MEMORY_POLICY_MODES

/** What is added to the mode. */
export const MEMORY_POLICY_FLAGS = {
  MPOL_F_STATIC_NODES: 0x8000,
  MPOL_F_RELATIVE_NODES: 0x4000,
  MPOL_F_NUMA_BALANCING: 0x2000,
} as const

export type MemoryPolicyFlag = keyof typeof MEMORY_POLICY_FLAGS

/** `linux.memoryPolicy`. */
export interface LinuxMemoryPolicy {
  readonly mode: MemoryPolicyMode
  /** A list such as `0-3,7`. */
  readonly nodes?: string | undefined
  readonly flags?: readonly MemoryPolicyFlag[] | undefined
}

const MODES: readonly MemoryPolicyMode[] = [
  'MPOL_DEFAULT',
  'MPOL_BIND',
  'MPOL_INTERLEAVE',
  'MPOL_WEIGHTED_INTERLEAVE',
  'MPOL_PREFERRED',
  'MPOL_PREFERRED_MANY',
  'MPOL_LOCAL',
]

const FLAGS: readonly MemoryPolicyFlag[] = ['MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES']

/** Reads `linux.memoryPolicy`, and refuses what set_mempolicy(2) would refuse with a bare EINVAL. */
export const readMemoryPolicy: Read<LinuxMemoryPolicy> = (value, at) => {
  const fields = new Fields(value, at)
  const mode = fields.required('mode', oneOf(MODES))
  const nodes = fields.optional('nodes', numberList) ?? ''
  const flags = fields.optional('flags', arrayOf(oneOf(FLAGS))) ?? []
  const without = mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL'
  if (without && nodes !== '') refuse(`${at}.nodes`, `${mode} takes no nodes`)
  // MPOL_PREFERRED without nodes is MPOL_LOCAL.
  if (!without && mode !== 'MPOL_PREFERRED' && nodes === '') refuse(`${at}.nodes`, `${mode} needs at least one node`)
  if (without && flags.length > 0) refuse(`${at}.flags`, `${mode} takes no flags`)
  if (flags.includes('MPOL_F_STATIC_NODES') && flags.includes('MPOL_F_RELATIVE_NODES')) {
    refuse(`${at}.flags`, 'nodes are either static or relative')
  }
  return { mode, nodes: nodes === '' ? undefined : nodes, flags: flags.length === 0 ? undefined : flags }
}
