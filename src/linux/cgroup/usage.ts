/** What a sample may have of a group. */
export type CgroupPart = 'cpu' | 'memory' | 'io' | 'pids' | 'pressure'

export const CGROUP_PARTS: readonly CgroupPart[] = ['cpu', 'memory', 'io', 'pids', 'pressure']

export interface CpuUsage {
  /** Percent of one processor since the sample before: 150 is one and a half. Undefined in the first one. */
  readonly percent: number | undefined
  /** Percent of the quota's periods since then in which the group was held back; undefined without a quota. */
  readonly throttledPercent: number | undefined
  /** Microseconds of processor time in all. */
  readonly total: number
}

/** Bytes. */
export interface MemoryUsage {
  readonly current: number
  /** The limit; undefined without one. For the host, what it has. */
  readonly max: number | undefined
}

/** Of all devices together: bytes or operations a second since the sample before. Undefined in the first one. */
export interface IoUsage {
  readonly readBytes: number | undefined
  readonly writeBytes: number | undefined
  readonly readOps: number | undefined
  readonly writeOps: number | undefined
}

/** Processes and threads together. */
export interface PidsUsage {
  readonly current: number
  readonly max: number | undefined
}

/** Percent of the last 10 seconds that processes waited: some of them, or all at once. */
export interface PressureUsage {
  readonly some: number
  /** Undefined where the kernel keeps none (for cpu before Linux 5.13). */
  readonly full: number | undefined
}

export type PressureUsages = Readonly<Partial<Record<'cpu' | 'memory' | 'io', PressureUsage>>>

/** What a group uses at a time. A part is undefined if it wasn't asked for, or the kernel doesn't keep it for the group. */
export interface CgroupUsage {
  /** Its path from the root of the hierarchies, `/shop/web`. */
  readonly name: string
  /** How far it is below the group that was asked for. */
  readonly level: number
  /** Whether there are groups below it that are too deep for the sample. */
  readonly collapsed: boolean
  readonly cpu: CpuUsage | undefined
  readonly memory: MemoryUsage | undefined
  readonly io: IoUsage | undefined
  readonly pids: PidsUsage | undefined
  readonly pressure: PressureUsages | undefined
}

export interface CgroupSample {
  /** Milliseconds since 1970. */
  readonly time: number
  /** Seconds since the sample before; 0 in the first one. */
  readonly interval: number
  /** Each before those below it, these by name. What a group uses includes what those below it use. */
  readonly groups: readonly CgroupUsage[]
}

/** The same as the kernel counts it: since the group was made. */
export interface CgroupCounters {
  readonly cpu: { readonly total: number; readonly periods: number; readonly throttled: number } | undefined
  readonly memory: MemoryUsage | undefined
  readonly io: { readonly [Counter in keyof IoUsage]: number } | undefined
  readonly pids: PidsUsage | undefined
  readonly pressure: PressureUsages | undefined
}

/** Counters go back where a group was removed and made again, or a device went. */
const rise = (before: number | undefined, now: number): number | undefined =>
  before === undefined || now < before ? undefined : now - before

const cpuUsage = (
  before: CgroupCounters['cpu'],
  now: NonNullable<CgroupCounters['cpu']>,
  seconds: number,
): CpuUsage => {
  const used = rise(before?.total, now.total)
  const periods = rise(before?.periods, now.periods)
  const throttled = rise(before?.throttled, now.throttled)
  return {
    percent: used === undefined ? undefined : used / seconds / 10_000,
    throttledPercent:
      throttled === undefined || periods === undefined || periods === 0 ? undefined : (100 * throttled) / periods,
    total: now.total,
  }
}

const ioUsage = (before: CgroupCounters['io'], now: NonNullable<CgroupCounters['io']>, seconds: number): IoUsage => {
  const rate = (counter: keyof IoUsage): number | undefined => {
    const risen = rise(before?.[counter], now[counter])
    return risen === undefined ? undefined : risen / seconds
  }
  return {
    readBytes: rate('readBytes'),
    writeBytes: rate('writeBytes'),
    readOps: rate('readOps'),
    writeOps: rate('writeOps'),
  }
}

/** What was used between two readings of a group's counters; `before` is undefined for the first one. */
export const usageBetween = (
  before: CgroupCounters | undefined,
  now: CgroupCounters,
  seconds: number,
): Pick<CgroupUsage, CgroupPart> => ({
  cpu: now.cpu === undefined ? undefined : cpuUsage(before?.cpu, now.cpu, seconds),
  memory: now.memory,
  io: now.io === undefined ? undefined : ioUsage(before?.io, now.io, seconds),
  pids: now.pids,
  pressure: now.pressure,
})
