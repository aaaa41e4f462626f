import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { CounterSource } from './usage-counters.ts'
import { readCounters } from './usage-counters.ts'
import type { CgroupCounters } from './usage.ts'
import { CGROUP_PARTS, usageBetween } from './usage.ts'

const source = (
  version: 1 | 2,
  files: Readonly<Record<string, string>>,
): CounterSource & { readonly asked: string[] } => {
  const asked: string[] = []
  return {
    asked,
    version: () => version,
    read: (_, file) => {
      asked.push(file)
      return files[file]
    },
  }
}

const PRESSURE = 'some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=2.00 avg60=0.00 avg300=0.00 total=1\n'

describe('the counters of a group', () => {
  it('of version 2', () => {
    const files = {
      'cpu.stat': 'usage_usec 700\nuser_usec 1\nnr_periods 10\nnr_throttled 4\nthrottled_usec 9\n',
      'memory.current': '4096\n',
      'memory.max': 'max\n',
      'io.stat':
        '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n254:0 rbytes=10 wbytes=20 rios=30 wios=40\n253:0 \n',
      'pids.current': '3\n',
      'pids.max': '20\n',
      'cpu.pressure': PRESSURE,
      'memory.pressure': PRESSURE,
    }
    assert.deepEqual(readCounters(CGROUP_PARTS, source(2, files)), {
      cpu: { total: 700, periods: 10, throttled: 4 },
      memory: { current: 4096, max: undefined },
      io: { readBytes: 11, writeBytes: 22, readOps: 33, writeOps: 44 },
      pids: { current: 3, max: 20 },
      pressure: { cpu: { some: 12.5, full: 2 }, memory: { some: 12.5, full: 2 } },
    })
  })

  it('of version 1', () => {
    const files = {
      'cpuacct.usage': '700999\n',
      'cpu.stat': 'nr_periods 10\nnr_throttled 4\nthrottled_time 9\n',
      'memory.usage_in_bytes': '4096\n',
      'memory.limit_in_bytes': '9223372036854771712\n',
      'blkio.throttle.io_service_bytes_recursive': '8:0 Read 1\n8:0 Write 2\n8:0 Total 3\n9:0 Read 10\nTotal 13\n',
      'blkio.throttle.io_serviced_recursive': '8:0 Read 3\n8:0 Write 4\nTotal 7\n',
      'pids.current': '3\n',
      'pids.max': 'max\n',
    }
    assert.deepEqual(readCounters(CGROUP_PARTS, source(1, files)), {
      cpu: { total: 700, periods: 10, throttled: 4 },
      memory: { current: 4096, max: undefined },
      io: { readBytes: 11, writeBytes: 2, readOps: 3, writeOps: 4 },
      pids: { current: 3, max: undefined },
      pressure: undefined,
    })
  })

  it('of the host are in /proc where the root has no file for them', () => {
    const host = {
      meminfo: 'MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 40 kB\n',
      loadavg: '0.1 0.2 0.3 2/345 6789\n',
    }
    const files = new Map(Object.entries(host))
    const counters = readCounters(['memory', 'pids', 'pressure'], {
      ...source(2, {}),
      readHost: (file) => (file === 'pressure/io' ? PRESSURE : files.get(file)),
    })
    assert.deepEqual(counters.memory, { current: 60 * 1024, max: 100 * 1024 })
    assert.deepEqual(counters.pids, { current: 345, max: undefined })
    assert.deepEqual(counters.pressure, { io: { some: 12.5, full: 2 } })
  })

  it('are read from the files of the parts that were asked for alone', () => {
    const v2 = source(2, {})
    readCounters(['memory'], v2)
    assert.deepEqual(v2.asked, ['memory.current'])
    const v1 = source(1, { 'memory.usage_in_bytes': '1' })
    readCounters(['memory'], v1)
    assert.deepEqual(v1.asked, ['memory.usage_in_bytes', 'memory.limit_in_bytes'])
  })
})

const counters = (total: number, io: number): CgroupCounters => ({
  cpu: { total, periods: 0, throttled: 0 },
  memory: undefined,
  io: { readBytes: io, writeBytes: 0, readOps: 0, writeOps: 0 },
  pids: undefined,
  pressure: undefined,
})

describe('what was used between two readings', () => {
  it('is nothing that can be said after one', () => {
    const { cpu, io } = usageBetween(undefined, counters(5, 5), 0)
    assert.deepEqual(cpu, { percent: undefined, throttledPercent: undefined, total: 5 })
    assert.equal(io?.readBytes, undefined)
  })

  it('is the rise by the time', () => {
    fc.assert(
      fc.property(fc.nat(1e9), fc.nat(1e9), fc.integer({ min: 1, max: 100 }), (start, rise, seconds) => {
        const { cpu, io } = usageBetween(counters(start, start), counters(start + rise, start + rise), seconds)
        assert.ok(Math.abs((cpu?.percent ?? NaN) - (100 * rise) / (1e6 * seconds)) < 1e-6)
        assert.equal(io?.readBytes, rise / seconds)
      }),
    )
  })

  it('is unknown where a counter went back: the group was made anew', () => {
    const { cpu, io } = usageBetween(counters(9, 9), counters(5, 5), 1)
    assert.equal(cpu?.percent, undefined)
    assert.equal(io?.readBytes, undefined)
  })

  it('tells in how many periods a quota held the group back', () => {
    const at = (periods: number, throttled: number): CgroupCounters => ({
      ...counters(0, 0),
      cpu: { total: 0, periods, throttled },
    })
    assert.equal(usageBetween(at(10, 2), at(30, 7), 1).cpu?.throttledPercent, 25)
    assert.equal(usageBetween(at(0, 0), at(0, 0), 1).cpu?.throttledPercent, undefined)
  })
})
