import { readIfThere } from './file.ts'
import { hugetlbPageSizes } from './hugetlb-page-sizes.ts'
import { parseAmount, parseFlatKeyed, parseNestedKeyed } from './parse.ts'
import type { CgroupStats, CpuStats, HugetlbStats, IoDeviceStats, MemoryStats, OomEvents, PidsStats } from './stats.ts'

type Read = (file: string) => string | undefined

const amount = (text: string | undefined): number | undefined => (text === undefined ? undefined : parseAmount(text))
const microseconds = (nanoseconds: string | undefined): number => Math.floor((amount(nanoseconds) ?? 0) / 1000)

/** memory.failcnt and memory.oom_control, which counts this group alone. */
export const oomEventsV1 = (read: Read): OomEvents | undefined => {
  const text = read('memory.oom_control')
  if (text === undefined) return undefined
  return { max: amount(read('memory.failcnt')), oom: undefined, oomKill: parseFlatKeyed(text).get('oom_kill') ?? 0 }
}

const readUsage = (read: Read): Omit<CpuStats, 'throttling'> | undefined => {
  const usage = read('cpuacct.usage')
  if (usage === undefined) return undefined
  return {
    usage: microseconds(usage),
    user: microseconds(read('cpuacct.usage_user')),
    system: microseconds(read('cpuacct.usage_sys')),
  }
}

const readThrottling = (read: Read): CpuStats['throttling'] => {
  const text = read('cpu.stat')
  const stat = parseFlatKeyed(text ?? '')
  const periods = stat.get('nr_periods')
  if (periods === undefined) return undefined
  return {
    periods,
    throttled: stat.get('nr_throttled') ?? 0,
    time: Math.floor((stat.get('throttled_time') ?? 0) / 1000),
  }
}

const readMemory = (read: Read): MemoryStats | undefined => {
  const current = amount(read('memory.usage_in_bytes'))
  const events = oomEventsV1(read)
  if (current === undefined || events === undefined) return undefined
  const stat = parseFlatKeyed(read('memory.stat') ?? '')
  return {
    current,
    peak: amount(read('memory.max_usage_in_bytes')),
    max: amount(read('memory.limit_in_bytes')),
    swap: stat.get('total_swap'), // missing if swap isn't accounted for
    anon: stat.get('total_rss'),
    file: stat.get('total_cache'),
    events,
  }
}

/** Lines of the form `8:0 Read 4096`; the sum at the end has no device. */
const parseByOperation = (text: string): ReadonlyMap<string, ReadonlyMap<string, number>> => {
  const devices = new Map<string, Map<string, number>>()
  for (const line of text.split('\n')) {
    const [device = '', operation, count] = line.split(' ')
    if (operation === undefined || count === undefined || !/^\d+:\d+$/.test(device)) continue
    const known = devices.get(device) ?? new Map<string, number>()
    devices.set(device, known.set(operation, Number(count)))
  }
  return devices
}

const readIo = (read: Read): readonly IoDeviceStats[] | undefined => {
  const file = (kind: string): string | undefined =>
    read(`blkio.throttle.${kind}_recursive`) ?? read(`blkio.throttle.${kind}`)
  const bytesText = file('io_service_bytes')
  if (bytesText === undefined) return undefined
  const bytes = parseByOperation(bytesText)
  const operations = parseByOperation(file('io_serviced') ?? '')
  return [...bytes].map(([name, values]): IoDeviceStats => {
    const [major, minor] = name.split(':').map(Number)
    return {
      major: major ?? 0,
      minor: minor ?? 0,
      readBytes: values.get('Read') ?? 0,
      writeBytes: values.get('Write') ?? 0,
      readOps: operations.get(name)?.get('Read') ?? 0,
      writeOps: operations.get(name)?.get('Write') ?? 0,
    }
  })
}

const readPids = (read: Read): PidsStats | undefined => {
  const current = amount(read('pids.current'))
  if (current === undefined) return undefined
  const refused = parseFlatKeyed(read('pids.events') ?? '').get('max')
  return { current, peak: amount(read('pids.peak')), max: amount(read('pids.max')), refused }
}

const readHugetlb = (read: Read): readonly HugetlbStats[] =>
  hugetlbPageSizes().flatMap((pageSize): readonly HugetlbStats[] => {
    const current = amount(read(`hugetlb.${pageSize}.usage_in_bytes`))
    if (current === undefined) return []
    const max = amount(read(`hugetlb.${pageSize}.limit_in_bytes`))
    return [{ pageSize, current, max, refused: amount(read(`hugetlb.${pageSize}.failcnt`)) }]
  })

/** Reads a group's files in one hierarchy of version 1; the result has what its controllers know, and nothing else. */
export const readV1 = (
  controllers: readonly string[],
  directory: string,
  known: Partial<CgroupStats> = {},
): Partial<CgroupStats> => {
  const read = (file: string): string | undefined => readIfThere(`${directory}/${file}`)
  return {
    ...cpuOf(controllers, read, known),
    ...(controllers.includes('memory') ? { memory: readMemory(read) } : {}),
    ...(controllers.includes('blkio') ? { io: readIo(read) } : {}),
    ...(controllers.includes('pids') ? { pids: readPids(read) } : {}),
    ...(controllers.includes('hugetlb') ? { hugetlb: readHugetlb(read) } : {}),
    ...(controllers.includes('rdma') ? { rdma: rdmaOf(read) } : {}),
  }
}

const rdmaOf = (read: Read): CgroupStats['rdma'] => {
  const devices = parseNestedKeyed(read('rdma.current') ?? '')
  return Object.fromEntries([...devices].map(([name, values]) => [name, Object.fromEntries(values)]))
}

/** Version 1 counts time in cpuacct and throttling in cpu, which may be two hierarchies. */
const cpuOf = (
  controllers: readonly string[],
  read: Read,
  known: Partial<CgroupStats>,
): Pick<CgroupStats, 'cpu'> | undefined => {
  const usage = controllers.includes('cpuacct') ? readUsage(read) : undefined
  const throttling = controllers.includes('cpu') ? readThrottling(read) : undefined
  if (usage === undefined && throttling === undefined) return undefined
  const before = known.cpu ?? { usage: 0, user: 0, system: 0, throttling: undefined }
  return { cpu: { ...before, ...usage, throttling: throttling ?? before.throttling } }
}
