import type { CgroupStats, CpuStats, IoDeviceStats } from '../linux/cgroup/index.ts'

/** What a group has used from one look at it to another. Undefined: the group has no controller for it. */
export interface CgroupUse {
  /** Microseconds of processor time; `throttled`: how long a quota held it back. */
  readonly cpu:
    | { readonly usage: number; readonly user: number; readonly system: number; readonly throttled: number | undefined }
    | undefined
  /** Bytes: the most at a time since the group was made. `oomKills`: processes killed since memory was used up. */
  readonly memory: { readonly peak: number | undefined; readonly oomKills: number } | undefined
  /** Bytes and operations, by device. */
  readonly io: readonly IoDeviceStats[] | undefined
  /** Processes and threads: the most at a time since the group was made, and how often one more was refused. */
  readonly pids: { readonly peak: number | undefined; readonly refused: number | undefined } | undefined
}

const cpuUse = (before: CpuStats | undefined, after: CpuStats): CgroupUse['cpu'] => ({
  usage: after.usage - (before?.usage ?? 0),
  user: after.user - (before?.user ?? 0),
  system: after.system - (before?.system ?? 0),
  throttled: after.throttling === undefined ? undefined : after.throttling.time - (before?.throttling?.time ?? 0),
})

const ioUse = (before: CgroupStats['io'], after: readonly IoDeviceStats[]): readonly IoDeviceStats[] =>
  after
    .map(({ major, minor, readBytes, writeBytes, readOps, writeOps }) => {
      const old = before?.find((device) => device.major === major && device.minor === minor)
      return {
        major,
        minor,
        readBytes: readBytes - (old?.readBytes ?? 0),
        writeBytes: writeBytes - (old?.writeBytes ?? 0),
        readOps: readOps - (old?.readOps ?? 0),
        writeOps: writeOps - (old?.writeOps ?? 0),
      }
    })
    .filter(({ readOps, writeOps }) => readOps + writeOps > 0)

/** What was used between two readings of a group's `stats()`; without the first, since the group was made. */
export const cgroupUse = (after: CgroupStats, before?: CgroupStats): CgroupUse => {
  const refused = after.pids?.refused
  return {
    cpu: after.cpu === undefined ? undefined : cpuUse(before?.cpu, after.cpu),
    memory:
      after.memory === undefined
        ? undefined
        : {
            peak: after.memory.peak,
            oomKills: after.memory.events.oomKill - (before?.memory?.events.oomKill ?? 0),
          },
    io: after.io === undefined ? undefined : ioUse(before?.io, after.io),
    pids:
      after.pids === undefined
        ? undefined
        : {
            peak: after.pids.peak,
            refused: refused === undefined ? undefined : refused - (before?.pids?.refused ?? 0),
          },
  }
}
