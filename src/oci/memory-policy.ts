import type { MemoryPolicyFlag, MemoryPolicyMode } from '../linux/mempolicy.ts'
import { MAX_NODES } from '../linux/mempolicy.ts'
import type { Read } from './fields.ts'
import { arrayOf, Fields, oneOf, refuse } from './fields.ts'
import { expandList, numberList } from './number-list.ts'

/** `linux.memoryPolicy`. */
export interface LinuxMemoryPolicy {
  readonly mode: MemoryPolicyMode
  /** Each once. */
  readonly nodes?: readonly number[] | undefined
  readonly flags?: readonly MemoryPolicyFlag[] | undefined
}

export const MEMORY_POLICY_MODE_NAMES: readonly MemoryPolicyMode[] = [
  'MPOL_DEFAULT',
  'MPOL_BIND',
  'MPOL_INTERLEAVE',
  'MPOL_WEIGHTED_INTERLEAVE',
  'MPOL_PREFERRED',
  'MPOL_PREFERRED_MANY',
  'MPOL_LOCAL',
]

export const MEMORY_POLICY_FLAG_NAMES: readonly MemoryPolicyFlag[] = [
  'MPOL_F_NUMA_BALANCING',
  'MPOL_F_RELATIVE_NODES',
  'MPOL_F_STATIC_NODES',
]

/** Reads `linux.memoryPolicy`, and refuses what set_mempolicy(2) would refuse with a bare EINVAL. */
export const readMemoryPolicy: Read<LinuxMemoryPolicy> = (value, at) => {
  const fields = new Fields(value, at)
  const mode = fields.required('mode', oneOf(MEMORY_POLICY_MODE_NAMES))
  const nodes = fields.optional('nodes', (list, place) => expandList(numberList(list, place), MAX_NODES, place)) ?? []
  const flags = fields.optional('flags', arrayOf(oneOf(MEMORY_POLICY_FLAG_NAMES))) ?? []
  const without = mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL'
  if (without && nodes.length > 0) refuse(`${at}.nodes`, `${mode} takes no nodes`)
  // MPOL_PREFERRED without nodes is MPOL_LOCAL.
  if (!without && mode !== 'MPOL_PREFERRED' && nodes.length === 0)
    refuse(`${at}.nodes`, `${mode} needs at least one node`)
  if (without && flags.length > 0) refuse(`${at}.flags`, `${mode} takes no flags`)
  if (flags.includes('MPOL_F_STATIC_NODES') && flags.includes('MPOL_F_RELATIVE_NODES')) {
    refuse(`${at}.flags`, 'nodes are either static or relative')
  }
  return { mode, nodes: nodes.length === 0 ? undefined : nodes, flags: flags.length === 0 ? undefined : flags }
}
