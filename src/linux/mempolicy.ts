/** The modes of set_mempolicy(2), by their names (linux/mempolicy.h). */
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

/** The most nodes that a kernel can be built for: MAX_NUMNODES with CONFIG_NODES_SHIFT at its highest, 10. */
export const MAX_NODES = 1024

/** The arguments of set_mempolicy(2). */
export interface MemoryPolicyCall {
  readonly mode: number
  /** A bit for each node, in words of 64 bits; null for none: then the kernel doesn't look at `maxnode`. */
  readonly nodemask: Uint8Array | null
  /** How many of those bits are looked at, and one more, which the kernel takes off. */
  readonly maxnode: number
}

/** What set_mempolicy(2) is to be called with, for nodes by their numbers. */
export const encodeMemoryPolicy = (
  mode: MemoryPolicyMode,
  nodes: readonly number[],
  flags: readonly MemoryPolicyFlag[] = [],
): MemoryPolicyCall => {
  const bits = flags.reduce<number>((word, flag) => word | MEMORY_POLICY_FLAGS[flag], MEMORY_POLICY_MODES[mode])
  if (nodes.length === 0) return { mode: bits, nodemask: null, maxnode: 0 }
  const nodemask = new Uint8Array(MAX_NODES / 8)
  for (const node of nodes) {
    const byte = nodemask[node >> 3]
    if (byte !== undefined) nodemask[node >> 3] = byte | (1 << (node & 7))
  }
  return { mode: bits, nodemask, maxnode: MAX_NODES + 1 }
}
