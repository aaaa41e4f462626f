import { parseAmount, parseFlatKeyed, parseNestedKeyed } from './parse.ts'
import { parsePressure } from './pressure.ts'
import type { CgroupCounters, CgroupPart, PressureUsage, PressureUsages } from './usage.ts'

/** Where a group's numbers are read. */
export interface CounterSource {
  /** In which version's files a controller's are, by version 2's name for it; undefined if this host has none. */
  version(controller: string): 1 | 2 | undefined
  /** The text of a file of the group; undefined if it has none. */
  read(controller: string, file: string): string | undefined
  /** The text of a file below /proc, for the root of all groups, which has some numbers nowhere else. */
  readHost?(file: string): string | undefined
}

const amount = (text: string | undefined): number | undefined => (text === undefined ? undefined : parseAmount(text))

const cpuOf = ({ version, read }: CounterSource): CgroupCounters['cpu'] => {
  const stat = read('cpu', 'cpu.stat')
  const nanoseconds = version('cpuacct') === 1 ? amount(read('cpuacct', 'cpuacct.usage')) : undefined
  // Version 2 counts processor time in every group, with the controller or without it.
  const own = version('cpuacct') === 2 ? (version('cpu') === 2 ? stat : read('cpuacct', 'cpu.stat')) : undefined
  const values = parseFlatKeyed(stat ?? '')
  const total = nanoseconds === undefined ? parseFlatKeyed(own ?? '').get('usage_usec') : Math.floor(nanoseconds / 1000)
  if (total === undefined) return undefined
  return { total, periods: values.get('nr_periods') ?? 0, throttled: values.get('nr_throttled') ?? 0 }
}

const kibibytes = (meminfo: string, name: string): number | undefined => {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)
  return match === null ? undefined : Number(match[1]) * 1024
}

const hostMemory = (meminfo: string | undefined): CgroupCounters['memory'] => {
  const max = kibibytes(meminfo ?? '', 'MemTotal')
  const available = kibibytes(meminfo ?? '', 'MemAvailable')
  return max === undefined || available === undefined ? undefined : { current: max - available, max }
}

const memoryOf = ({ version, read, readHost }: CounterSource): CgroupCounters['memory'] => {
  if (readHost !== undefined) return hostMemory(readHost('meminfo'))
  const [usage, limit] =
    version('memory') === 1 ? ['memory.usage_in_bytes', 'memory.limit_in_bytes'] : ['memory.current', 'memory.max']
  const current = amount(read('memory', usage))
  return current === undefined ? undefined : { current, max: amount(read('memory', limit)) }
}

/** The sum over all devices of lines such as `8:0 Read 4096`. */
const sumOf = (text: string | undefined, operation: string): number => {
  let sum = 0
  for (const [, count] of (text ?? '').matchAll(new RegExp(`^\\d+:\\d+ ${operation} (\\d+)$`, 'gm')))
    sum += Number(count)
  return sum
}

const ioOf = ({ version, read }: CounterSource): CgroupCounters['io'] => {
  if (version('io') === 1) {
    const bytes = read('io', 'blkio.throttle.io_service_bytes_recursive')
    const operations = read('io', 'blkio.throttle.io_serviced_recursive')
    if (bytes === undefined) return undefined
    return {
      readBytes: sumOf(bytes, 'Read'),
      writeBytes: sumOf(bytes, 'Write'),
      readOps: sumOf(operations, 'Read'),
      writeOps: sumOf(operations, 'Write'),
    }
  }
  const stat = read('io', 'io.stat')
  if (stat === undefined) return undefined
  const devices = [...parseNestedKeyed(stat).values()]
  const sum = (key: string): number => devices.reduce((total, values) => total + (values.get(key) ?? 0), 0)
  return { readBytes: sum('rbytes'), writeBytes: sum('wbytes'), readOps: sum('rios'), writeOps: sum('wios') }
}

/** `0.42 0.30 0.21 2/345 6789`: the fourth has how many processes and threads there are. */
const hostTasks = (loadavg: string | undefined): CgroupCounters['pids'] => {
  const match = /^\S+ \S+ \S+ \d+\/(\d+) /.exec(loadavg ?? '')
  return match === null ? undefined : { current: Number(match[1]), max: undefined }
}

const pidsOf = ({ read, readHost }: CounterSource): CgroupCounters['pids'] => {
  if (readHost !== undefined) return hostTasks(readHost('loadavg'))
  const current = amount(read('pids', 'pids.current'))
  return current === undefined ? undefined : { current, max: amount(read('pids', 'pids.max')) }
}

const pressureOf = ({ read, readHost }: CounterSource): PressureUsages | undefined => {
  const entries = (['cpu', 'memory', 'io'] as const).flatMap(
    (resource): readonly (readonly [string, PressureUsage])[] => {
      const text = readHost === undefined ? read('unified', `${resource}.pressure`) : readHost(`pressure/${resource}`)
      const { some, full } = parsePressure(text ?? '')
      return some === undefined ? [] : [[resource, { some: some.avg10, full: full?.avg10 }]]
    },
  )
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** Reads the parts that are asked for, each from as few files as have it. */
export const readCounters = (parts: readonly CgroupPart[], source: CounterSource): CgroupCounters => {
  const wants = (part: CgroupPart): boolean => parts.includes(part)
  return {
    cpu: wants('cpu') ? cpuOf(source) : undefined,
    memory: wants('memory') ? memoryOf(source) : undefined,
    io: wants('io') ? ioOf(source) : undefined,
    pids: wants('pids') ? pidsOf(source) : undefined,
    pressure: wants('pressure') ? pressureOf(source) : undefined,
  }
}

/** The controllers, by version 2's names, in whose hierarchies a part's files are. */
export const CONTROLLERS_OF: Readonly<Record<CgroupPart, readonly string[]>> = {
  cpu: ['cpu', 'cpuacct'],
  memory: ['memory'],
  io: ['io'],
  pids: ['pids'],
  pressure: ['unified'],
}
