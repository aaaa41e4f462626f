import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CgroupStats } from '../linux/cgroup/index.ts'
import { cgroupUse } from './cgroup-use.ts'

const NOTHING: CgroupStats = {
  cpu: undefined,
  memory: undefined,
  io: undefined,
  pids: undefined,
  hugetlb: undefined,
  rdma: undefined,
  pressure: undefined,
}

const stats = (times: number): CgroupStats => ({
  ...NOTHING,
  cpu: {
    usage: 30 * times,
    user: 20 * times,
    system: 10 * times,
    throttling: { periods: times, throttled: times, time: 7 * times },
  },
  memory: {
    current: 1,
    peak: 100 * times,
    max: undefined,
    swap: undefined,
    anon: undefined,
    file: undefined,
    events: { max: undefined, oom: undefined, oomKill: times },
  },
  io: [{ major: 8, minor: 0, readBytes: 4 * times, writeBytes: 5 * times, readOps: times, writeOps: times }],
  pids: { current: 1, peak: 3 * times, max: undefined, refused: times },
})

test('counts are what was added, peaks what they are', () => {
  assert.deepEqual(cgroupUse(stats(5), stats(3)), {
    cpu: { usage: 60, user: 40, system: 20, throttled: 14 },
    memory: { peak: 500, oomKills: 2 },
    io: [{ major: 8, minor: 0, readBytes: 8, writeBytes: 10, readOps: 2, writeOps: 2 }],
    pids: { peak: 15, refused: 2 },
  })
})

test('without a first look, it is all there was; a disk that was not used is left out', () => {
  assert.equal(cgroupUse(stats(5)).cpu?.usage, 150)
  assert.deepEqual(cgroupUse(stats(5), stats(5)).io, [])
})

test('what the group has no controller for stays unknown', () => {
  assert.deepEqual(cgroupUse(NOTHING), { cpu: undefined, memory: undefined, io: undefined, pids: undefined })
})
