import type { CpuLimits, CpusetLimits, CurrentLimits } from './limits.ts'
import { InputError } from '../error.ts'
import { sharesOfWeight, weightOfShares } from './weight.ts'
import type { AddWrite } from './write.ts'
import { checkAmount, checkRange, refuse, refuseBoth } from './write.ts'

const DEFAULT_PERIOD = 100_000

const checkCpu = (cpu: CpuLimits): void => {
  refuseBoth('cpu.weight', 'cpu.shares', cpu.weight, cpu.shares)
  if (cpu.weight !== undefined) checkRange('cpu.weight', cpu.weight, 1, 10_000)
  if (cpu.shares !== undefined) checkRange('cpu.shares', cpu.shares, 2, 262_144)
  if (cpu.quota !== undefined) checkAmount('cpu.quota', cpu.quota)
  if (cpu.period !== undefined) checkRange('cpu.period', cpu.period, 1000, 1_000_000)
  if (cpu.burst !== undefined) checkAmount('cpu.burst', cpu.burst)
}

const describeQuota = ({ quota, period }: CpuLimits): string =>
  quota === undefined
    ? `count processor time in periods of ${period} µs`
    : `limit processor time to ${quota === 'max' ? 'no limit' : `${quota} µs`} each ${period === undefined ? 'period' : `${period} µs`}`

/** A weight can't be set while the group is idle: so first out of it, or last into it. */
const addWeight = (add: AddWrite, { idle }: CpuLimits, addWeightItself: () => void): void => {
  if (idle === false) add('cpu.idle', '0', 'schedule as other groups')
  addWeightItself()
  if (idle === true) add('cpu.idle', '1', 'schedule only when nothing else wants to run')
}

/** Lowered before the quota, raised after it: a burst must not exceed the quota. */
const addBurst = (add: AddWrite, file: string, cpu: CpuLimits, current: CurrentLimits, addQuota: () => void): void => {
  const { burst } = cpu
  const addIt = (): void => {
    if (burst !== undefined) add(file, String(burst), `let up to ${burst} µs of unused processor time be saved up`)
  }
  const lowered = burst !== undefined && current.cpuBurst !== undefined && burst < current.cpuBurst
  if (lowered) addIt()
  addQuota()
  if (!lowered) addIt()
}

/** Documentation/scheduler/sched-bwc.rst; sched-rt-group.rst for realtime. */
export const cpuWritesV1 = (add: AddWrite, cpu: CpuLimits, current: CurrentLimits): void => {
  checkCpu(cpu)
  const shares = cpu.shares ?? (cpu.weight === undefined ? undefined : sharesOfWeight(cpu.weight))
  addWeight(add, cpu, () => {
    if (shares !== undefined) add('cpu.shares', String(shares), `give ${shares} shares of processor time`)
  })
  const period = (): void => {
    if (cpu.period !== undefined) add('cpu.cfs_period_us', String(cpu.period), describeQuota({ period: cpu.period }))
  }
  addBurst(add, 'cpu.cfs_burst_us', cpu, current, () => {
    // Between the two writes the ratio must not exceed the larger of the old and the new, or a parent's limit may refuse it.
    const periodFirst = (cpu.period ?? 0) >= (current.cpuPeriod ?? DEFAULT_PERIOD)
    if (periodFirst) period()
    if (cpu.quota !== undefined)
      add('cpu.cfs_quota_us', cpu.quota === 'max' ? '-1' : String(cpu.quota), describeQuota(cpu))
    if (!periodFirst) period()
  })
  if (cpu.realtimePeriod !== undefined) {
    checkRange('cpu.realtimePeriod', cpu.realtimePeriod, 1, 2 ** 31 - 1)
    add('cpu.rt_period_us', String(cpu.realtimePeriod), `count realtime in periods of ${cpu.realtimePeriod} µs`)
  }
  if (cpu.realtimeRuntime !== undefined) {
    checkRange('cpu.realtimeRuntime', cpu.realtimeRuntime, -1, 2 ** 31 - 1)
    add('cpu.rt_runtime_us', String(cpu.realtimeRuntime), `allow ${cpu.realtimeRuntime} µs of realtime in each period`)
  }
}

/** Documentation/admin-guide/cgroup-v2.rst, "CPU". */
export const cpuWritesV2 = (add: AddWrite, cpu: CpuLimits, current: CurrentLimits): void => {
  checkCpu(cpu)
  if (cpu.realtimePeriod !== undefined || cpu.realtimeRuntime !== undefined) {
    refuse(
      'limit realtime scheduling',
      2,
      'Leave the realtime limits out: version 2 runs realtime processes in the root group only.',
    )
  }
  const weight = cpu.weight ?? (cpu.shares === undefined ? undefined : weightOfShares(cpu.shares))
  addWeight(add, cpu, () => {
    if (weight !== undefined) add('cpu.weight', String(weight), `give processor time a weight of ${weight}`)
  })
  addBurst(add, 'cpu.max.burst', cpu, current, () => {
    const { quota, period } = cpu
    if (period !== undefined) add('cpu.max', `${quota ?? current.cpuQuota ?? 'max'} ${period}`, describeQuota(cpu))
    else if (quota !== undefined) add('cpu.max', String(quota), describeQuota(cpu))
  })
}

const checkList = (name: string, list: string): string => {
  if (/^(\d+(-\d+)?(,\d+(-\d+)?)*)?$/.test(list)) return list
  throw new InputError({ operation: 'set', target: `${name} to ${list}`, reason: 'it is not a list such as 0-3,8' })
}

/** The files have the same names in both versions. */
export const cpusetWrites = (add: AddWrite, { cpus, mems }: CpusetLimits): void => {
  if (cpus !== undefined) add('cpuset.cpus', checkList('cpuset.cpus', cpus), `run on processors ${cpus} only`)
  if (mems !== undefined) add('cpuset.mems', checkList('cpuset.mems', mems), `use memory of nodes ${mems} only`)
}
