import type { CgroupDirectory } from './apply.ts'
import { readIfThere } from './file.ts'
import type { CgroupLayout } from './layout.ts'
import { hierarchyOf } from './layout.ts'
import type { Amount, CgroupLimits, CurrentLimits } from './limits.ts'
import { parseAmount } from './parse.ts'

type Read = (file: string) => string | undefined

const amountIn = (text: string | undefined): Amount | undefined =>
  text === undefined ? undefined : (parseAmount(text) ?? 'max')
const numberIn = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text))

/** Reads of a group what the order of changing these limits depends on; no more. */
export const currentLimits = (
  layout: CgroupLayout,
  directories: readonly CgroupDirectory[],
  { cpu, memory, devices }: CgroupLimits,
): CurrentLimits => {
  let current: CurrentLimits = {}
  const consult = (controller: string, wanted: boolean, ask: (version: 1 | 2, read: Read) => CurrentLimits): void => {
    const hierarchy = wanted ? hierarchyOf(layout, controller) : undefined
    const place = directories.find((known) => known.hierarchy.name === hierarchy?.name)
    if (place === undefined) return
    current = { ...current, ...ask(place.hierarchy.version, (file) => readIfThere(`${place.directory}/${file}`)) }
  }
  consult('cpu', cpu?.burst !== undefined, (version, read) => ({
    cpuBurst: numberIn(read(version === 1 ? 'cpu.cfs_burst_us' : 'cpu.max.burst')),
  }))
  consult('cpu', cpu?.period !== undefined, (version, read) =>
    version === 1
      ? { cpuPeriod: numberIn(read('cpu.cfs_period_us')) }
      : { cpuQuota: amountIn(read('cpu.max')?.split(' ')[0]) },
  )
  consult('memory', memory?.swap !== undefined, (version, read) =>
    version === 1
      ? { memoryMax: amountIn(read('memory.limit_in_bytes')), memswMax: amountIn(read('memory.memsw.limit_in_bytes')) }
      : {},
  )
  consult('devices', devices !== undefined, (version, read) =>
    version === 1 ? { devices: read('devices.list')?.trim().split('\n') } : {},
  )
  return current
}
