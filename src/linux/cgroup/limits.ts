import type { DeviceRule } from './device-rule.ts'

/** Bytes, or a count; `max` is no limit. */
export type Amount = number | bigint | 'max'

export interface CpuLimits {
  /** Share when processors are contended, 1 to 10000, default 100. Not together with `shares`. */
  readonly weight?: number | undefined
  /** The same on version 1's scale: 2 to 262144, default 1024. */
  readonly shares?: number | undefined
  /** Microseconds of processor time in each period. */
  readonly quota?: Amount | undefined
  /** Microseconds, 1000 to 1000000; the kernel's default is 100000. */
  readonly period?: number | undefined
  /** Microseconds of unused quota that may be saved up. */
  readonly burst?: number | undefined
  /** Run only when nothing else wants to. */
  readonly idle?: boolean | undefined
  /** Microseconds of realtime scheduling in each realtime period. Version 1 only. */
  readonly realtimeRuntime?: number | undefined
  /** Microseconds. Version 1 only. */
  readonly realtimePeriod?: number | undefined
}

export interface CpusetLimits {
  /** A list of processors: `0-3,8`. */
  readonly cpus?: string | undefined
  /** A list of memory nodes. */
  readonly mems?: string | undefined
}

/** Bytes, except where said otherwise. */
export interface MemoryLimits {
  readonly max?: Amount | undefined
  /** Above it processes are slowed down and their memory is reclaimed. Version 2 only. */
  readonly high?: Amount | undefined
  /** Memory that is reclaimed only when there's no other. Version 2 only; see `soft`. */
  readonly low?: Amount | undefined
  /** Memory that is never reclaimed. Version 2 only. */
  readonly min?: Amount | undefined
  /** Swap alone, not memory and swap together. */
  readonly swap?: Amount | undefined
  /** What is left to the group when memory is short: soft_limit_in_bytes of version 1, low of version 2. */
  readonly soft?: Amount | undefined
  /** Out of memory kills the whole group rather than one process. Version 2 only. */
  readonly oomGroup?: boolean | undefined
  /** 0 to 100. Version 1 only. */
  readonly swappiness?: number | undefined
  /** Out of memory stops the processes until there is some, rather than killing one. Version 1 only. */
  readonly oomKillDisable?: boolean | undefined
  /** Buffers of TCP sockets. Version 1 only: version 2 counts them as memory. */
  readonly kernelTcp?: Amount | undefined
}

/** A block device. Limits are for whole disks, not partitions: see `blockDeviceOf`. */
export interface BlockDevice {
  readonly major: number
  readonly minor: number
}

/** Bytes or operations in a second. */
export interface IoDeviceLimits extends BlockDevice {
  /** 1 to 10000. */
  readonly weight?: number | undefined
  readonly readBytes?: Amount | undefined
  readonly writeBytes?: Amount | undefined
  readonly readOps?: Amount | undefined
  readonly writeOps?: Amount | undefined
}

export interface IoLimits {
  /** 1 to 10000, default 100. Not together with `blkioWeight`. */
  readonly weight?: number | undefined
  /** The same on version 1's scale: 10 to 1000. */
  readonly blkioWeight?: number | undefined
  readonly devices?: readonly IoDeviceLimits[] | undefined
}

export interface HugetlbLimit {
  /** As the kernel names it: `2MB`, `1GB`, `64KB`. */
  readonly pageSize: string
  /** Bytes. */
  readonly max: Amount
}

export interface RdmaLimit {
  readonly hcaHandles?: Amount | undefined
  readonly hcaObjects?: Amount | undefined
}

/** What a control group may use, in words that hold for both versions. What is left out stays as it is. */
export interface CgroupLimits {
  readonly cpu?: CpuLimits | undefined
  readonly cpuset?: CpusetLimits | undefined
  readonly memory?: MemoryLimits | undefined
  readonly io?: IoLimits | undefined
  /** Processes and threads together. */
  readonly pids?: Amount | undefined
  /** Which devices may be opened and made: the last rule that matches decides; what none matches is refused. */
  readonly devices?: readonly DeviceRule[] | undefined
  readonly hugetlb?: readonly HugetlbLimit[] | undefined
  /** By the name of the RDMA device. */
  readonly rdma?: Readonly<Record<string, RdmaLimit>> | undefined
  /** Tags packets: 0xAAAABBBB, major and minor handle. Version 1 only. */
  readonly netClass?: number | undefined
  /** Priority of packets by network interface. Version 1 only. */
  readonly netPriorities?: Readonly<Record<string, number>> | undefined
  /** Version 2's own files and what is written to them, last of all. */
  readonly unified?: Readonly<Record<string, string>> | undefined
}

/** What a group has now, as far as the order of changes depends on it. */
export interface CurrentLimits {
  readonly memoryMax?: Amount | undefined
  /** Version 1: memory and swap together. */
  readonly memswMax?: Amount | undefined
  readonly cpuQuota?: Amount | undefined
  readonly cpuPeriod?: number | undefined
  readonly cpuBurst?: number | undefined
  /** Version 1: the lines of devices.list. */
  readonly devices?: readonly string[] | undefined
}
