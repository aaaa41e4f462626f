import type { DeviceRule } from '../linux/cgroup/device-rule.ts'
import type {
  Amount,
  CgroupLimits,
  CpuLimits,
  CpusetLimits,
  IoDeviceLimits,
  IoLimits,
  MemoryLimits,
} from '../linux/cgroup/limits.ts'
import { ioWeightOfBlkio } from '../linux/cgroup/weight.ts'
import { InputError } from '../linux/error.ts'
import type { LinuxBlockIo, LinuxThrottleDevice } from './block-io.ts'
import type { LinuxDeviceCgroup } from './devices.ts'
import type { Integer } from './fields.ts'
import type { LinuxCpu, LinuxMemory, LinuxResources } from './resources.ts'

const refuse = (property: string, reason: string): never => {
  throw new InputError({ operation: 'apply', target: `linux.resources.${property}`, reason })
}

/** -1 is no limit. */
const amount = (value: Integer): Amount => (value < 0 ? 'max' : value)

/** A limit of 0 is none: engines whose properties could not be absent wrote it so, and their runtimes passed it over. */
const unlessZero = <T>(value: Integer | undefined, convert: (value: Integer) => T): T | undefined =>
  value === undefined || BigInt(value) === 0n ? undefined : convert(value)

/** A number where it is no limit that may be very large. */
const small = (value: Integer): number => Number(value)

const bounded =
  (least: number, most: number) =>
  (value: Integer): number =>
    Math.min(Math.max(Number(value), least), most)

/** Swap alone, where `swap` is memory and swap together. */
const swapAlone = (swap: Integer, memory: Integer | undefined): Amount => {
  if (swap < 0) return 'max'
  if (memory === undefined || memory <= 0) {
    return refuse('memory.swap', 'it limits memory and swap together, and memory has no limit')
  }
  const alone = BigInt(swap) - BigInt(memory)
  return alone < 0n ? refuse('memory.swap', `${swap} is below the limit of memory alone, ${memory}`) : alone
}

/** Undefined where nothing is limited, so that no controller is asked for. */
const unlessNone = <T extends object>(limits: T): T | undefined =>
  Object.values(limits).some((limit) => limit !== undefined) ? limits : undefined

const memoryLimits = (memory: LinuxMemory, current: Integer | undefined): MemoryLimits => ({
  max: unlessZero(memory.limit, amount),
  swap: unlessZero(memory.swap, (swap) => swapAlone(swap, unlessZero(memory.limit, (limit) => limit) ?? current)),
  soft: unlessZero(memory.reservation, amount),
  swappiness: memory.swappiness,
  // That it be enabled is no wish: it always is, and version 2 knows nothing else.
  oomKillDisable: memory.disableOOMKiller === true ? true : undefined,
  kernelTcp: unlessZero(memory.kernelTCP, amount),
})

const cpuLimits = (cpu: LinuxCpu): CpuLimits => ({
  // The kernel itself brings shares into these bounds.
  shares: unlessZero(cpu.shares, bounded(2, 262_144)),
  quota: unlessZero(cpu.quota, amount),
  period: unlessZero(cpu.period, small),
  burst: cpu.burst === undefined ? undefined : small(cpu.burst),
  idle: cpu.idle === undefined ? undefined : cpu.idle === 1,
  realtimeRuntime: unlessZero(cpu.realtimeRuntime, small),
  realtimePeriod: unlessZero(cpu.realtimePeriod, small),
})

const cpusetLimits = ({ cpus = '', mems = '' }: LinuxCpu): CpusetLimits | undefined =>
  unlessNone({ cpus: cpus === '' ? undefined : cpus, mems: mems === '' ? undefined : mems })

const THROTTLES = [
  ['throttleReadBpsDevice', 'readBytes'],
  ['throttleWriteBpsDevice', 'writeBytes'],
  ['throttleReadIOPSDevice', 'readOps'],
  ['throttleWriteIOPSDevice', 'writeOps'],
] as const

/** A rate of 0 takes the limit away. */
const rate = ({ rate: value }: LinuxThrottleDevice): Amount => (BigInt(value) === 0n ? 'max' : value)

const ioLimits = (blockIO: LinuxBlockIo): IoLimits => {
  if ((blockIO.leafWeight ?? 0) !== 0) refuse('blockIO.leafWeight', 'Linux has none since 5.0, which took CFQ out')
  const devices = new Map<string, IoDeviceLimits>()
  const change = (
    device: { readonly major: number; readonly minor: number },
    limits: Partial<IoDeviceLimits>,
  ): void => {
    const { major, minor } = device
    const key = `${major}:${minor}`
    devices.set(key, { ...devices.get(key), ...limits, major, minor })
  }
  for (const [index, device] of (blockIO.weightDevice ?? []).entries()) {
    if ((device.leafWeight ?? 0) !== 0) {
      refuse(`blockIO.weightDevice[${index}].leafWeight`, 'Linux has none since 5.0, which took CFQ out')
    }
    const weight = unlessZero(device.weight, (value) =>
      checkWeight(Number(value), `blockIO.weightDevice[${index}].weight`),
    )
    change(device, { weight: weight === undefined ? undefined : ioWeightOfBlkio(weight) })
  }
  for (const [property, limit] of THROTTLES) {
    for (const device of blockIO[property] ?? []) change(device, { [limit]: rate(device) })
  }
  return {
    blkioWeight: unlessZero(blockIO.weight, (value) => checkWeight(Number(value), 'blockIO.weight')),
    devices: devices.size === 0 ? undefined : [...devices.values()],
  }
}

const checkWeight = (weight: number, property: string): number =>
  weight >= 10 && weight <= 1000 ? weight : refuse(property, `${weight} is no weight: 10 to 1000`)

const character = (major: number | undefined, minor: number | undefined, access = 'rwm'): DeviceRule => ({
  allow: true,
  type: 'c',
  major,
  minor,
  access,
})

/**
 * What every container may use, whatever its own rules say: the devices that a runtime must supply, the container's own
 * terminals, and making nodes of any device, which opens none.
 */
const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  character(undefined, undefined, 'm'),
  { allow: true, type: 'b', access: 'm' },
  character(1, 3), // null
  character(1, 5), // zero
  character(1, 7), // full
  character(1, 8), // random
  character(1, 9), // urandom
  character(5, 0), // tty
  character(5, 2), // ptmx
  character(136, undefined), // pts
]

/** All rules, in order, the last that matches decides: nothing at first, then the container's own, then the defaults. */
export const deviceRules = (devices: readonly LinuxDeviceCgroup[]): readonly DeviceRule[] => [
  ...devices.map(({ allow, type = 'a', major, minor, access }) => ({ allow, type, major, minor, access })),
  ...DEFAULT_DEVICE_RULES,
]

/** Limits beyond 63 bits are none. */
const hugepages = (limit: Integer): Amount => (BigInt(limit) >= 2n ** 63n ? 'max' : limit)

/**
 * `linux.resources` as what a control group may use, in words that hold for both versions. A limit that one of the
 * versions hasn't is still in it, for whoever writes it to refuse. Without rules for devices there are none here either:
 * a new container is given `deviceRules([])` all the same, an update leaves them as they are.
 *
 * @param currentMemory The limit of memory that the group has already, for an update that only sets `memory.swap`.
 * @throws InputError for what no kernel has, and for a `memory.swap` without a limit of memory.
 */
export const cgroupLimits = (resources: LinuxResources, currentMemory?: Integer): CgroupLimits => {
  const { memory, cpu, pids, blockIO, hugepageLimits, network, rdma, unified } = resources
  const priorities = network?.priorities ?? []
  return {
    cpuset: cpu === undefined ? undefined : cpusetLimits(cpu),
    memory: memory === undefined ? undefined : unlessNone(memoryLimits(memory, currentMemory)),
    cpu: cpu === undefined ? undefined : unlessNone(cpuLimits(cpu)),
    pids: pids?.limit === undefined ? undefined : amount(pids.limit),
    io: blockIO === undefined ? undefined : unlessNone(ioLimits(blockIO)),
    hugetlb: hugepageLimits?.map(({ pageSize, limit }) => ({ pageSize, max: hugepages(limit) })),
    rdma,
    netClass: unlessZero(network?.classID, small),
    netPriorities:
      priorities.length === 0
        ? undefined
        : Object.fromEntries(priorities.map(({ name, priority }) => [name, priority])),
    unified,
    devices: resources.devices === undefined ? undefined : deviceRules(resources.devices),
  }
}

const obsolete = (name: string, reason: string): InputError =>
  new InputError({ operation: 'set', target: `linux.resources.${name}`, reason, hint: 'It is left out.' })

/** What is asked for and has no meaning any more, to warn of. */
export const obsoleteLimits = ({ memory }: LinuxResources): readonly InputError[] => [
  ...(memory?.kernel === undefined ? [] : [obsolete('memory.kernel', 'Linux has no such limit since 5.4')]),
  ...(memory?.useHierarchy === false
    ? [obsolete('memory.useHierarchy', 'Linux always accounts hierarchically since 5.11')]
    : []),
]
