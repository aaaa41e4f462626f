import { readFileSync, statSync } from 'node:fs'
import { blockDeviceOf } from '../linux/cgroup/block-device.ts'
import type { Amount, BlockDevice, CgroupLimits, IoDeviceLimits } from '../linux/cgroup/limits.ts'
import { InputError } from '../linux/error.ts'
import { parseBytes, parseCpus } from '../runtime/units.ts'
import type { ContainerOptions, DeviceRate } from './options.ts'

type Rate = 'readBytes' | 'writeBytes' | 'readOps' | 'writeOps'

const deviceRates = (options: ContainerOptions): readonly IoDeviceLimits[] => {
  const rates: readonly [readonly DeviceRate[] | undefined, Rate, string][] = [
    [options.deviceReadBps, 'readBytes', 'deviceReadBps'],
    [options.deviceWriteBps, 'writeBytes', 'deviceWriteBps'],
    [options.deviceReadIops, 'readOps', 'deviceReadIops'],
    [options.deviceWriteIops, 'writeOps', 'deviceWriteIops'],
  ]
  return rates.flatMap(([list, key, name]) =>
    (list ?? []).map(({ device, rate }): IoDeviceLimits => ({
      ...blockDevice(device, name),
      [key]: parseBytes(rate, name),
    })),
  )
}

const blockDevice = (path: string, what: string): BlockDevice => {
  if (statSync(path, { throwIfNoEntry: false })?.isBlockDevice() === true) return blockDeviceOf(path)
  throw new InputError({
    operation: `use ${path} for ${what}`,
    reason: 'it is not a block device',
    hint: 'lsblk(8) lists them.',
  })
}

const hasSwap = (): boolean => readFileSync('/proc/swaps', 'ascii').trim().split('\n').length > 1

const memoryLimits = (options: ContainerOptions): CgroupLimits['memory'] => {
  const max = options.memory === undefined ? undefined : parseBytes(options.memory, 'memory')
  const soft =
    options.memoryReservation === undefined ? undefined : parseBytes(options.memoryReservation, 'memoryReservation')
  const swap = swapLimit(options.memorySwap, max)
  if (max === undefined && soft === undefined && swap === undefined) return options.cgroup?.memory
  return {
    ...options.cgroup?.memory,
    ...(max === undefined ? {} : { max }),
    ...(soft === undefined ? {} : { soft }),
    ...(swap === undefined ? {} : { swap }),
  }
}

const swapLimit = (option: number | string | undefined, max: number | undefined): Amount | undefined => {
  if (option === undefined) return max !== undefined && hasSwap() ? 0 : undefined
  if (Number(option) === -1) return 'max'
  const total = parseBytes(option, 'memorySwap')
  const reason = 'it is memory and swap together'
  if (max === undefined) throw new InputError({ operation: 'use memorySwap', reason, hint: 'Give memory too.' })
  if (total < max)
    throw new InputError({ operation: 'use memorySwap', reason, hint: 'Give at least as much as memory, or -1.' })
  return total - max
}

const whole = (value: number | undefined, what: string): number | undefined => {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return value
  throw new InputError({
    operation: 'use',
    target: `${JSON.stringify(value)} as ${what}`,
    reason: 'it is not a whole number',
  })
}

const defined = <T extends object>(value: T): T | undefined =>
  Object.values(value).some((part) => part !== undefined) ? value : undefined

/** Limits of a control group from human units; undefined where none was asked for. */
export const resolveLimits = (options: ContainerOptions): CgroupLimits | undefined => {
  const cpu = options.cpus === undefined ? undefined : parseCpus(options.cpus, 'cpus')
  const devices = deviceRates(options)
  const pids = whole(options.pids, 'pids')
  const limits: CgroupLimits = {
    ...options.cgroup,
    memory: memoryLimits(options),
    cpu: defined({
      ...options.cgroup?.cpu,
      ...cpu,
      ...(options.cpuShares === undefined ? {} : { shares: whole(options.cpuShares, 'cpuShares') }),
    }),
    cpuset: defined({
      ...options.cgroup?.cpuset,
      ...(options.cpusetCpus === undefined ? {} : { cpus: options.cpusetCpus }),
      ...(options.cpusetMems === undefined ? {} : { mems: options.cpusetMems }),
    }),
    ...(pids === undefined ? {} : { pids: pids === 0 ? 'max' : pids }),
    io: defined({
      ...options.cgroup?.io,
      ...(options.blkioWeight === undefined ? {} : { blkioWeight: whole(options.blkioWeight, 'blkioWeight') }),
      ...(devices.length === 0 ? {} : { devices: [...(options.cgroup?.io?.devices ?? []), ...devices] }),
    }),
  }
  return defined(limits)
}
