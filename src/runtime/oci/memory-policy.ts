import type { LinuxMemoryPolicy } from '../../oci/memory-policy.ts'
import { encodeMemoryPolicy } from '../../linux/mempolicy.ts'
import { named } from '../../plan/step.ts'
import type { PlanContext } from '../plan/context.ts'

/** `linux.memoryPolicy`: from which nodes the program's memory comes; what it starts inherits that. */
export const planMemoryPolicy = ({ stage, data }: PlanContext, policy: LinuxMemoryPolicy | undefined): void => {
  if (policy === undefined) return
  const { mode, nodes = [], flags } = policy
  const call = encodeMemoryPolicy(mode, nodes, flags)
  const hints = {
    EINVAL: 'The host has none of these memory nodes, or the kernel does not know the mode.',
    EPERM: 'It takes CAP_SYS_NICE.',
  }
  stage
    .mechanism('process')
    .call({ what: `take memory by ${mode}`, hints }, 'set_mempolicy', [
      named(call.mode, [mode, ...(flags ?? [])].join('|')),
      call.nodemask === null ? 0 : data.add(call.nodemask, `{${nodes.join(',')}}`),
      call.maxnode,
    ])
}
