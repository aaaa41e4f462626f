import { readIfThere } from './file.ts'
import { parseAmount, parseFlatKeyed, parseNestedKeyed } from './parse.ts'
import { readPressures } from './pressure.ts'
import type { CgroupStats, CpuStats, HugetlbStats, IoDeviceStats, MemoryStats, OomEvents, PidsStats } from './stats.ts'
import { hugetlbPageSizes } from './hugetlb-page-sizes.ts'

type Read = (file: string) => string | undefined

const amount = (text: string | undefined): number | undefined => (text === undefined ? undefined : parseAmount(text))

/** memory.events, which counts the groups below too. */
export const oomEventsV2 = (read: Read): OomEvents | undefined => {
  const text = read('memory.events')
  if (text === undefined) return undefined
  const events = parseFlatKeyed(text)
  return { max: events.get('max'), oom: events.get('oom'), oomKill: events.get('oom_kill') ?? 0 }
}

const readCpu = (read: Read): CpuStats | undefined => {
  const text = read('cpu.stat')
  if (text === undefined) return undefined
  const stat = parseFlatKeyed(text)
  const periods = stat.get('nr_periods')
  return {
    usage: stat.get('usage_usec') ?? 0,
    user: stat.get('user_usec') ?? 0,
    system: stat.get('system_usec') ?? 0,
    throttling:
      periods === undefined
        ? undefined
        : { periods, throttled: stat.get('nr_throttled') ?? 0, time: stat.get('throttled_usec') ?? 0 },
  }
}

const readMemory = (read: Read): MemoryStats | undefined => {
  const current = amount(read('memory.current'))
  const events = oomEventsV2(read)
  if (current === undefined || events === undefined) return undefined
  const stat = parseFlatKeyed(read('memory.stat') ?? '')
  return {
    current,
    peak: amount(read('memory.peak')), // since Linux 5.19
    max: amount(read('memory.max')),
    swap: amount(read('memory.swap.current')),
    anon: stat.get('anon'),
    file: stat.get('file'),
    events,
  }
}

const readIo = (read: Read): readonly IoDeviceStats[] | undefined => {
  const text = read('io.stat')
  if (text === undefined) return undefined
  return [...parseNestedKeyed(text)].map(([name, values]): IoDeviceStats => {
    const [major, minor] = name.split(':').map(Number)
    return {
      major: major ?? 0,
      minor: minor ?? 0,
      readBytes: values.get('rbytes') ?? 0,
      writeBytes: values.get('wbytes') ?? 0,
      readOps: values.get('rios') ?? 0,
      writeOps: values.get('wios') ?? 0,
    }
  })
}

const readPids = (read: Read): PidsStats | undefined => {
  const current = amount(read('pids.current'))
  if (current === undefined) return undefined
  const refused = parseFlatKeyed(read('pids.events') ?? '').get('max')
  return { current, peak: amount(read('pids.peak')), max: amount(read('pids.max')), refused }
}

const readHugetlb = (read: Read): readonly HugetlbStats[] | undefined => {
  const stats = hugetlbPageSizes().flatMap((pageSize): readonly HugetlbStats[] => {
    const current = amount(read(`hugetlb.${pageSize}.current`))
    if (current === undefined) return []
    const refused = parseFlatKeyed(read(`hugetlb.${pageSize}.events`) ?? '').get('max')
    return [{ pageSize, current, max: amount(read(`hugetlb.${pageSize}.max`)), refused }]
  })
  return stats.length === 0 ? undefined : stats
}

const readRdma = (read: Read): CgroupStats['rdma'] => {
  const text = read('rdma.current')
  if (text === undefined) return undefined
  return Object.fromEntries([...parseNestedKeyed(text)].map(([name, values]) => [name, Object.fromEntries(values)]))
}

/** Reads a group's files of version 2 (Documentation/admin-guide/cgroup-v2.rst). */
export const readV2 = (directory: string): CgroupStats => {
  const read = (file: string): string | undefined => readIfThere(`${directory}/${file}`)
  return {
    cpu: readCpu(read),
    memory: readMemory(read),
    io: readIo(read),
    pids: readPids(read),
    hugetlb: readHugetlb(read),
    rdma: readRdma(read),
    pressure: readPressures(directory, (resource) => `${resource}.pressure`),
  }
}
