import assert from 'node:assert/strict'
import { test } from 'node:test'
import { devicePolicy } from '../linux/cgroup/device-rule.ts'
import type { CgroupLimits } from '../linux/cgroup/limits.ts'
import { cgroupLimits, deviceRules, obsoleteLimits } from './limits.ts'
import type { LinuxResources } from './resources.ts'

/** What is limited, without what isn't. */
const limitsOf = (resources: LinuxResources, current?: number): CgroupLimits =>
  JSON.parse(
    JSON.stringify(cgroupLimits(resources, current), (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : value,
    ),
  )

const cases: readonly (readonly [name: string, resources: LinuxResources, limits: object])[] = [
  ['nothing', {}, {}],
  ['memory', { memory: { limit: 1024, reservation: 512 } }, { memory: { max: 1024, soft: 512 } }],
  ['no limit of memory', { memory: { limit: -1, swap: -1 } }, { memory: { max: 'max', swap: 'max' } }],
  ['swap is what is left of both', { memory: { limit: 1024, swap: 3072 } }, { memory: { max: 1024, swap: '2048n' } }],
  ['no swap', { memory: { limit: 1024, swap: 1024 } }, { memory: { max: 1024, swap: '0n' } }],
  ['zeros, which are no limits', { memory: { limit: 0, swap: 0 }, cpu: { shares: 0, quota: 0, period: 0 } }, {}],
  ['an out-of-memory killer as it always is', { memory: { disableOOMKiller: false } }, {}],
  ['none', { memory: { disableOOMKiller: true } }, { memory: { oomKillDisable: true } }],
  [
    'a quota',
    { cpu: { quota: 50_000, period: 100_000, burst: 5 } },
    { cpu: { quota: 50_000, period: 100_000, burst: 5 } },
  ],
  ['no quota', { cpu: { quota: -1 } }, { cpu: { quota: 'max' } }],
  ['shares within the bounds of the kernel', { cpu: { shares: 1 } }, { cpu: { shares: 2 } }],
  ['processors', { cpu: { cpus: '0-1', mems: '' } }, { cpuset: { cpus: '0-1' } }],
  ['idle', { cpu: { idle: 1 } }, { cpu: { idle: true } }],
  ['tasks', { pids: { limit: 12 } }, { pids: 12 }],
  ['no tasks, which is a limit', { pids: { limit: 0 } }, { pids: 0 }],
  ['any number of tasks', { pids: { limit: -1 } }, { pids: 'max' }],
  ['a weight of block I/O', { blockIO: { weight: 10 } }, { io: { blkioWeight: 10 } }],
  [
    'a disk',
    {
      blockIO: {
        weightDevice: [{ major: 8, minor: 0, weight: 1000 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleWriteIOPSDevice: [
          { major: 8, minor: 0, rate: 0 },
          { major: 8, minor: 16, rate: 300 },
        ],
      },
    },
    {
      io: {
        devices: [
          { major: 8, minor: 0, weight: 10_000, readBytes: 600, writeOps: 'max' },
          { major: 8, minor: 16, writeOps: 300 },
        ],
      },
    },
  ],
  [
    'huge pages',
    {
      hugepageLimits: [
        { pageSize: '2MB', limit: 4194304 },
        { pageSize: '1GB', limit: 2n ** 64n - 1n },
      ],
    },
    {
      hugetlb: [
        { pageSize: '2MB', max: 4194304 },
        { pageSize: '1GB', max: 'max' },
      ],
    },
  ],
  [
    'packets',
    { network: { classID: 7, priorities: [{ name: 'lo', priority: 3 }] } },
    { netClass: 7, netPriorities: { lo: 3 } },
  ],
  ['version 2 itself', { unified: { 'memory.high': '5' } }, { unified: { 'memory.high': '5' } }],
  ['RDMA', { rdma: { mlx5_1: { hcaHandles: 3 } } }, { rdma: { mlx5_1: { hcaHandles: 3 } } }],
]

for (const [name, resources, limits] of cases) {
  test(`limits: ${name}`, () => {
    assert.deepEqual(limitsOf(resources), limits)
  })
}

test('an update of swap alone counts from the memory that there is', () => {
  assert.deepEqual(limitsOf({ memory: { swap: 3072 } }, 1024), { memory: { swap: '2048n' } })
  assert.throws(() => limitsOf({ memory: { swap: 3072 } }), /linux\.resources\.memory\.swap: it limits memory and swap/)
  assert.throws(() => limitsOf({ memory: { swap: 512 } }, 1024), /512 is below the limit of memory alone, 1024/)
})

test('weights of a scheduler that is gone are refused', () => {
  assert.throws(() => limitsOf({ blockIO: { leafWeight: 10 } }), /blockIO\.leafWeight: Linux has none since 5\.0/)
  assert.throws(() => limitsOf({ blockIO: { weight: 9 } }), /blockIO\.weight: 9 is no weight: 10 to 1000/)
})

test('a container whose rules deny everything still has the devices that it must have', () => {
  const denied = deviceRules([{ allow: false, access: 'rwm' }])
  const { allowByDefault, exceptions } = devicePolicy(denied)
  assert.equal(allowByDefault, false)
  assert.deepEqual(exceptions.toSorted(), [
    'b *:* m',
    'c *:* m',
    'c 136:* rwm',
    'c 1:3 rwm',
    'c 1:5 rwm',
    'c 1:7 rwm',
    'c 1:8 rwm',
    'c 1:9 rwm',
    'c 5:0 rwm',
    'c 5:2 rwm',
  ])
  assert.deepEqual(devicePolicy(deviceRules([])), { allowByDefault, exceptions })
})

test('a rule that allows all allows all', () => {
  const policy = devicePolicy(deviceRules([{ allow: true, access: 'rwm' }]))
  assert.deepEqual(policy, { allowByDefault: true, exceptions: [] })
})

test('what no kernel limits any more is told', () => {
  assert.equal(obsoleteLimits({ memory: { kernel: -1, useHierarchy: false } }).length, 2)
  assert.deepEqual(obsoleteLimits({ memory: { useHierarchy: true } }), [])
})
