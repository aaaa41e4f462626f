import type { BlockDevice } from './limits.ts'
import type { Pressures } from './pressure.ts'

/** Microseconds of processor time, except the counts. */
export interface CpuStats {
  readonly usage: number
  readonly user: number
  readonly system: number
  /** Of a group with a quota: how many periods it ran in, in how many it was held back, and for how long in all. */
  readonly throttling: { readonly periods: number; readonly throttled: number; readonly time: number } | undefined
}

/** Bytes. */
export interface MemoryStats {
  readonly current: number
  /** The most at a time since the group was made. */
  readonly peak: number | undefined
  /** The limit; undefined without one. */
  readonly max: number | undefined
  readonly swap: number | undefined
  readonly anon: number | undefined
  readonly file: number | undefined
  readonly events: OomEvents
}

/** Counts. */
export interface OomEvents {
  /** How often the limit was hit, and memory reclaimed or refused for it. */
  readonly max: number | undefined
  /** How often nothing could be reclaimed. */
  readonly oom: number | undefined
  /** Processes killed for it. */
  readonly oomKill: number
}

/** Bytes and operations, by device, since the group was made. */
export interface IoDeviceStats extends BlockDevice {
  readonly readBytes: number
  readonly writeBytes: number
  readonly readOps: number
  readonly writeOps: number
}

/** Processes and threads together. */
export interface PidsStats {
  readonly current: number
  readonly peak: number | undefined
  readonly max: number | undefined
  /** How often a fork was refused. */
  readonly refused: number | undefined
}

/** Bytes, and how often the limit was hit. */
export interface HugetlbStats {
  readonly pageSize: string
  readonly current: number
  readonly max: number | undefined
  readonly refused: number | undefined
}

/** What a group uses. A part is undefined if the group has no controller for it. */
export interface CgroupStats {
  readonly cpu: CpuStats | undefined
  readonly memory: MemoryStats | undefined
  readonly io: readonly IoDeviceStats[] | undefined
  readonly pids: PidsStats | undefined
  readonly hugetlb: readonly HugetlbStats[] | undefined
  /** By the device's name. Undefined values are without limit, or not used. */
  readonly rdma: Readonly<Record<string, Readonly<Record<string, number>>>> | undefined
  /** Pressure stall information; undefined where the kernel doesn't keep it (always in version 1). */
  readonly pressure: Pressures | undefined
}
