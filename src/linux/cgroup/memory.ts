import { InputError } from '../error.ts'
import type { Amount, CurrentLimits, MemoryLimits } from './limits.ts'
import type { AddWrite } from './write.ts'
import { checkAmount, checkRange, describeBytes, refuse, refuseBoth } from './write.ts'

const AMOUNTS = ['max', 'high', 'low', 'min', 'swap', 'soft', 'kernelTcp'] as const

const checkMemory = (memory: MemoryLimits): void => {
  for (const name of AMOUNTS) {
    const amount = memory[name]
    if (amount !== undefined) checkAmount(`memory.${name}`, amount)
  }
}

const V1_MAX = 2n ** 63n
const size = (amount: Amount): bigint => (amount === 'max' ? V1_MAX : BigInt(amount))
const v1Value = (amount: Amount): string => (amount === 'max' ? '-1' : String(amount))

const V1_LACKS = { high: 'high', low: 'low (use memory.soft)', min: 'min' } as const

/** Memory and swap together, which is what version 1 limits, from swap alone. */
const memsw = (max: Amount | undefined, swap: Amount): Amount => {
  if (swap === 'max') return 'max'
  if (max !== undefined && max !== 'max') return BigInt(max) + BigInt(swap)
  throw new InputError({
    operation: `limit swap to ${describeBytes(swap)}`,
    reason: 'cgroup version 1 limits memory and swap together, and memory has no limit here',
    hint: 'Give memory.max too.',
  })
}

/** Documentation/admin-guide/cgroup-v1/memory.rst. */
export const memoryWritesV1 = (add: AddWrite, memory: MemoryLimits, current: CurrentLimits): void => {
  checkMemory(memory)
  for (const name of ['high', 'low', 'min'] as const) {
    const amount = memory[name]
    if (amount !== undefined)
      refuse(
        `set memory.${name} to ${describeBytes(amount)}`,
        1,
        `Leave memory.${V1_LACKS[name]} out, or use a host with cgroup v2.`,
      )
  }
  if (memory.oomGroup !== undefined) refuse('set memory.oomGroup', 1, 'Leave it out, or use a host with cgroup v2.')
  const { max, swap } = memory
  const addMax = (): void => {
    if (max !== undefined) add('memory.limit_in_bytes', v1Value(max), `limit memory to ${describeBytes(max)}`)
  }
  const both = swap === undefined ? undefined : memsw(max ?? current.memoryMax, swap)
  const addBoth = (): void => {
    if (swap !== undefined && both !== undefined)
      add('memory.memsw.limit_in_bytes', v1Value(both), `limit swap to ${describeBytes(swap)}`)
  }
  // Memory alone may never exceed memory and swap: whichever keeps that true goes first.
  const raising = max !== undefined && current.memswMax !== undefined && size(max) > size(current.memswMax)
  if (raising) addBoth()
  addMax()
  if (!raising) addBoth()
  if (memory.soft !== undefined)
    add('memory.soft_limit_in_bytes', v1Value(memory.soft), `leave ${describeBytes(memory.soft)} when memory is short`)
  if (memory.kernelTcp !== undefined) {
    add(
      'memory.kmem.tcp.limit_in_bytes',
      v1Value(memory.kernelTcp),
      `limit TCP buffers to ${describeBytes(memory.kernelTcp)}`,
    )
  }
  if (memory.swappiness !== undefined) {
    add(
      'memory.swappiness',
      String(checkRange('memory.swappiness', memory.swappiness, 0, 100)),
      `set swappiness to ${memory.swappiness}`,
    )
  }
  if (memory.oomKillDisable !== undefined) {
    add(
      'memory.oom_control',
      memory.oomKillDisable ? '1' : '0',
      memory.oomKillDisable ? 'pause rather than kill when out of memory' : 'kill when out of memory',
    )
  }
}

/** Documentation/admin-guide/cgroup-v2.rst, "Memory". */
export const memoryWritesV2 = (add: AddWrite, memory: MemoryLimits): void => {
  checkMemory(memory)
  refuseBoth('memory.low', 'memory.soft', memory.low, memory.soft)
  if (memory.swappiness !== undefined)
    refuse(`set memory.swappiness to ${memory.swappiness}`, 2, 'Leave it out; memory.swap limits swap.')
  if (memory.kernelTcp !== undefined)
    refuse('limit TCP buffers', 2, 'Leave memory.kernelTcp out: version 2 counts them as memory.')
  // Not to be disabled is how it is, so only the wish to disable it can't be met.
  if (memory.oomKillDisable === true)
    refuse(
      'disable the out-of-memory killer',
      2,
      'Leave memory.oomKillDisable out; memory.high slows down without killing.',
    )
  const low = memory.low ?? memory.soft
  // Swap first: lowering memory may push pages there.
  if (memory.swap !== undefined)
    add('memory.swap.max', String(memory.swap), `limit swap to ${describeBytes(memory.swap)}`)
  if (memory.min !== undefined) add('memory.min', String(memory.min), `never reclaim ${describeBytes(memory.min)}`)
  if (low !== undefined) add('memory.low', String(low), `leave ${describeBytes(low)} when memory is short`)
  if (memory.high !== undefined)
    add('memory.high', String(memory.high), `slow down above ${describeBytes(memory.high)} of memory`)
  if (memory.max !== undefined) add('memory.max', String(memory.max), `limit memory to ${describeBytes(memory.max)}`)
  if (memory.oomGroup !== undefined) {
    add(
      'memory.oom.group',
      memory.oomGroup ? '1' : '0',
      memory.oomGroup ? 'kill the whole group when out of memory' : 'kill one process when out of memory',
    )
  }
}
