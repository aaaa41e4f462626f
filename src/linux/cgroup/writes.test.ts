import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { CgroupLayout } from './layout.ts'
import type { CgroupLimits, CurrentLimits } from './limits.ts'
import { describeBytes } from './write.ts'
import { cgroupWrites } from './writes.ts'

const v1Names = [
  'cpu',
  'cpuset',
  'memory',
  'blkio',
  'pids',
  'devices',
  'freezer',
  'hugetlb',
  'rdma',
  'net_cls',
  'net_prio',
]
const v1: CgroupLayout = {
  kind: 'v1',
  hierarchies: v1Names.map((name) => ({
    version: 1,
    name,
    controllers: [name],
    mountPoint: `/sys/fs/cgroup/${name}`,
    root: '/',
  })),
}
const v2: CgroupLayout = {
  kind: 'v2',
  hierarchies: [
    {
      version: 2,
      name: 'unified',
      controllers: ['cpu', 'cpuset', 'memory', 'io', 'pids', 'hugetlb', 'rdma'],
      mountPoint: '/sys/fs/cgroup',
      root: '/',
    },
  ],
}
const onlyHugetlb: CgroupLayout = {
  kind: 'v2',
  hierarchies: [{ version: 2, name: 'unified', controllers: ['hugetlb'], mountPoint: '/sys/fs/cgroup', root: '/' }],
}
const hybrid: CgroupLayout = {
  kind: 'hybrid',
  hierarchies: [...v1.hierarchies.filter(({ name }) => name !== 'hugetlb'), ...onlyHugetlb.hierarchies],
}

const values = (layout: CgroupLayout, limits: CgroupLimits, current?: CurrentLimits): readonly string[] =>
  cgroupWrites(layout, limits, current).flatMap((write) =>
    write.kind === 'file'
      ? [`${write.file}=${write.value}`, ...(write.others ?? []).map(({ file, value }) => `(${file}=${value})`)]
      : [`program of ${write.program.length / 8} instructions`],
  )

const MIB = 1024 ** 2

/** Every limit that both versions have. */
const common: CgroupLimits = {
  cpu: { weight: 100, quota: 50_000, period: 100_000, burst: 10_000, idle: true },
  cpuset: { cpus: '0-1,3', mems: '0' },
  memory: { max: 64 * MIB, swap: 16 * MIB, soft: MIB },
  io: {
    weight: 200,
    devices: [{ major: 8, minor: 0, weight: 300, readBytes: MIB, writeBytes: 'max', readOps: 10, writeOps: 20n }],
  },
  pids: 32,
  devices: [{ allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }],
  hugetlb: [{ pageSize: '2MB', max: 4 * MIB }],
  rdma: { mlx4_0: { hcaHandles: 2, hcaObjects: 'max' } },
}

describe('the writes for limits', () => {
  it('on version 1', () => {
    assert.deepEqual(values(v1, { ...common, netClass: 0x100001, netPriorities: { eth0: 5 } }), [
      'cpuset.cpus=0-1,3',
      'cpuset.mems=0',
      'memory.limit_in_bytes=67108864',
      'memory.memsw.limit_in_bytes=83886080',
      'memory.soft_limit_in_bytes=1048576',
      'cpu.shares=1024',
      'cpu.idle=1',
      'cpu.cfs_period_us=100000',
      'cpu.cfs_quota_us=50000',
      'cpu.cfs_burst_us=10000',
      'pids.max=32',
      'blkio.bfq.weight=200',
      '(blkio.weight=200)',
      'blkio.bfq.weight_device=8:0 300',
      '(blkio.weight_device=8:0 300)',
      'blkio.throttle.read_bps_device=8:0 1048576',
      'blkio.throttle.write_bps_device=8:0 0',
      'blkio.throttle.read_iops_device=8:0 10',
      'blkio.throttle.write_iops_device=8:0 20',
      'hugetlb.2MB.limit_in_bytes=4194304',
      '(hugetlb.2MB.rsvd.limit_in_bytes=4194304)',
      'rdma.max=mlx4_0 hca_handle=2 hca_object=max',
      'net_cls.classid=1048577',
      'net_prio.ifpriomap=eth0 5',
      'devices.deny=a',
      'devices.allow=c 1:3 rw',
    ])
  })

  it('on version 2', () => {
    assert.deepEqual(values(v2, { ...common, unified: { 'memory.high': '1M', 'cgroup.max.depth': '3' } }), [
      'cpuset.cpus=0-1,3',
      'cpuset.mems=0',
      'memory.swap.max=16777216',
      'memory.low=1048576',
      'memory.max=67108864',
      'cpu.weight=100',
      'cpu.idle=1',
      'cpu.max=50000 100000',
      'cpu.max.burst=10000',
      'pids.max=32',
      'io.weight=default 200',
      '(io.bfq.weight=200)',
      'io.weight=8:0 300',
      '(io.bfq.weight=8:0 300)',
      'io.max=8:0 rbps=1048576 wbps=max riops=10 wiops=20',
      'hugetlb.2MB.max=4194304',
      '(hugetlb.2MB.rsvd.max=4194304)',
      'rdma.max=mlx4_0 hca_handle=2 hca_object=max',
      'program of 15 instructions',
      'memory.high=1M',
      'cgroup.max.depth=3',
    ])
  })

  it('on a hybrid go where the controller is', () => {
    assert.deepEqual(values(hybrid, { pids: 3, hugetlb: [{ pageSize: '2MB', max: 0 }] }), [
      'pids.max=3',
      'hugetlb.2MB.max=0',
      '(hugetlb.2MB.rsvd.max=0)',
    ])
  })

  it('say in words what they are for', () => {
    const [write] = cgroupWrites(v2, { memory: { max: 64 * MIB } })
    assert.equal(write?.what, 'limit memory to 64 MiB')
  })

  it('convert weights given on the other scale', () => {
    assert.deepEqual(values(v2, { cpu: { shares: 2000 } }), ['cpu.weight=170'])
    assert.deepEqual(values(v1, { cpu: { weight: 10_000 } }), ['cpu.shares=262144'])
    assert.deepEqual(values(v2, { io: { blkioWeight: 1000 } }), ['io.weight=default 10000', '(io.bfq.weight=1000)'])
    assert.deepEqual(values(v1, { io: { blkioWeight: 10 } }), ['blkio.bfq.weight=10', '(blkio.weight=10)'])
  })
})

describe('the order of writes', () => {
  it('keeps memory below memory and swap, raising and lowering', () => {
    const amount = fc.integer({ min: 0, max: 1000 })
    const limit = fc.oneof(amount, fc.constant('max' as const))
    const size = (value: string): number => (value === '-1' ? Infinity : Number(value))
    fc.assert(
      fc.property(amount, amount, limit, limit, (oldMax, oldSwap, max, wanted) => {
        // Version 1 can't limit swap alone.
        const swap = max === 'max' ? max : wanted
        let memory = oldMax
        let memsw = oldMax + oldSwap
        const current = { memoryMax: oldMax, memswMax: oldMax + oldSwap }
        for (const write of cgroupWrites(v1, { memory: { max, swap } }, current)) {
          assert.ok(write.kind === 'file')
          if (write.file === 'memory.limit_in_bytes') memory = size(write.value)
          else memsw = size(write.value)
          assert.ok(memory <= memsw, `${memory} is more than ${memsw}`)
        }
        assert.equal(memory, max === 'max' ? Infinity : max)
      }),
    )
  })

  it('takes swap alone from the memory limit that is there', () => {
    assert.deepEqual(values(v1, { memory: { swap: 5 } }, { memoryMax: 10 }), ['memory.memsw.limit_in_bytes=15'])
    assert.throws(() => values(v1, { memory: { swap: 5 } }), /cannot limit swap to 5 bytes.*\nGive memory.max too/)
    for (const [limits, current] of [
      [{ swap: 5, max: 'max' }, { memoryMax: 10 }],
      [{ swap: 5 }, { memoryMax: 'max' }],
    ] as const)
      assert.throws(() => values(v1, { memory: limits }, current), /memory has no limit here\nGive memory.max too/)
  })

  it('lowers a burst before the quota and raises it after', () => {
    assert.deepEqual(values(v2, { cpu: { quota: 5, burst: 3 } }, { cpuBurst: 4 }), ['cpu.max.burst=3', 'cpu.max=5'])
    assert.deepEqual(values(v2, { cpu: { quota: 5, burst: 5 } }, { cpuBurst: 4 }), ['cpu.max=5', 'cpu.max.burst=5'])
  })

  it('never exceeds the larger ratio of quota to period between two writes', () => {
    const [quota, period] = [fc.integer({ min: 1000, max: 10_000 }), fc.integer({ min: 1000, max: 10_000 })]
    fc.assert(
      fc.property(quota, period, quota, period, (oldQuota, oldPeriod, newQuota, newPeriod) => {
        const state = { quota: oldQuota, period: oldPeriod }
        const most = Math.max(oldQuota / oldPeriod, newQuota / newPeriod)
        const cpu = { quota: newQuota, period: newPeriod }
        for (const write of cgroupWrites(v1, { cpu }, { cpuPeriod: oldPeriod })) {
          assert.ok(write.kind === 'file')
          if (write.file === 'cpu.cfs_quota_us') state.quota = Number(write.value)
          else state.period = Number(write.value)
          assert.ok(state.quota / state.period <= most)
        }
        assert.deepEqual(state, cpu)
      }),
    )
  })

  it('keeps the quota when only the period changes', () => {
    assert.deepEqual(values(v2, { cpu: { period: 2000 } }, { cpuQuota: 700 }), ['cpu.max=700 2000'])
    assert.deepEqual(values(v2, { cpu: { period: 2000 } }), ['cpu.max=max 2000'])
  })

  it('weighs before going idle, and after coming back', () => {
    assert.deepEqual(values(v1, { cpu: { shares: 2, idle: true } }), ['cpu.shares=2', 'cpu.idle=1'])
    assert.deepEqual(values(v1, { cpu: { shares: 2, idle: false } }), ['cpu.idle=0', 'cpu.shares=2'])
  })
})

describe('a limit that cannot be set', () => {
  const refusals: readonly (readonly [CgroupLayout, CgroupLimits, RegExp])[] = [
    [v1, { memory: { high: 2 * MIB } }, /cannot set memory.high to 2 MiB: cgroup version 1/],
    [v1, { memory: { low: 1 } }, /cannot set memory.low to 1 bytes: cgroup version 1.*\n.*memory.soft/],
    [v1, { memory: { min: 1 } }, /cannot set memory.min/],
    [v1, { memory: { oomGroup: true } }, /cannot set memory.oomGroup/],
    [
      v1,
      { unified: { 'memory.high': '1' } },
      /cannot write "1" to memory.high: this host has the memory controller on cgroup version 1/,
    ],
    [v2, { memory: { swappiness: 10 } }, /cannot set memory.swappiness to 10: cgroup version 2/],
    [v2, { memory: { oomKillDisable: true } }, /cannot disable the out-of-memory killer/],
    [v2, { memory: { kernelTcp: 1 } }, /cannot limit TCP buffers/],
    [v2, { memory: { low: 1, soft: 2 } }, /cannot set both memory.low and memory.soft/],
    [v2, { cpu: { realtimeRuntime: 1 } }, /cannot limit realtime scheduling: cgroup version 2/],
    [v2, { netClass: 1 }, /cannot tag packets with a class: no mounted cgroup hierarchy has the net_cls controller/],
    [v2, { netPriorities: { lo: 1 } }, /no mounted cgroup hierarchy has the net_prio controller/],
    [
      onlyHugetlb,
      { pids: 3 },
      /cannot limit the number of processes: no mounted.*pids controller\nThis host has hugetlb/,
    ],
    [onlyHugetlb, { unified: { 'memory.max': '1' } }, /cannot write "1" to memory.max: no mounted cgroup hierarchy/],
    [v2, { unified: { '../memory.max': '1' } }, /not the name of a file that sets a limit/],
    [v2, { unified: { 'cgroup.procs': '1' } }, /not the name of a file that sets a limit/],
    [v2, { unified: { memory: '1' } }, /not the name of a file/],
    [v2, { cpu: { weight: 0 } }, /cannot set cpu.weight to 0: it is not a whole number from 1 to 10000/],
    [v2, { cpu: { weight: 1, shares: 2 } }, /cannot set both cpu.weight and cpu.shares/],
    [v2, { cpu: { quota: 1.5 } }, /cannot set cpu.quota to 1.5/],
    [v2, { cpuset: { cpus: '0-' } }, /cannot set cpuset.cpus to 0-/],
    [v2, { pids: -1 }, /cannot set pids to -1/],
    [v2, { memory: { max: 2n ** 63n } }, /cannot set memory.max/],
    [v2, { hugetlb: [{ pageSize: '2M', max: 1 }] }, /cannot limit huge pages of 2M/],
    [v2, { rdma: { 'a b': { hcaHandles: 1 } } }, /RDMA device "a b"/],
    [v2, { devices: [{ allow: true, type: 'c', access: 'x' }] }, /cannot read device access x/],
    [v2, { devices: [{ allow: true, type: 'c', access: '' }] }, /names no access/],
    [v2, { io: { devices: [{ major: -1, minor: 0, readBytes: 1 }] } }, /major number/],
  ]
  for (const [layout, limits, message] of refusals) {
    it(
      JSON.stringify(limits, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
      () => {
        assert.throws(() => cgroupWrites(layout, limits), { code: 'ERR_TARE_INPUT', message })
      },
    )
  }
})

describe('an amount in words', () => {
  it('is exact', () => {
    assert.equal(describeBytes('max'), 'no limit')
    assert.equal(describeBytes(0), '0 bytes')
    assert.equal(describeBytes(1536), '1536 bytes')
    assert.equal(describeBytes(3n * 2n ** 30n), '3 GiB')
  })
})
