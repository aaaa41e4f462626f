import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { parseCgroupSettings } from '../engine/cgroup-settings.ts'
import type { CgroupHierarchy } from '../linux/cgroup/index.ts'
import { Cgroup } from '../linux/cgroup/index.ts'
import { limitReader } from './cgroup-limits.ts'

const scratch = mkdtempSync(join(tmpdir(), 'tare-limits-'))
after(() => rmSync(scratch, { recursive: true }))
let count = 0

/** The limits of a group whose control files have these texts; `web` below the mount point. */
const limitsOf = (
  version: 1 | 2,
  controllers: readonly string[],
  files: Readonly<Record<string, string>>,
  parent: Readonly<Record<string, string>> = {},
): readonly string[] => {
  const mountPoint = join(scratch, String((count += 1)))
  mkdirSync(`${mountPoint}/web`, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(`${mountPoint}/web/${name}`, text)
  for (const [name, text] of Object.entries(parent)) writeFileSync(`${mountPoint}/${name}`, text)
  const hierarchy: CgroupHierarchy = { version, name: 'x', controllers, mountPoint, root: '/' }
  const cgroup = new Cgroup({ kind: version === 1 ? 'v1' : 'v2', hierarchies: [hierarchy] }, [
    { hierarchy, directory: `${mountPoint}/web` },
  ])
  return limitReader()(cgroup).map(({ key, value }) => `${key}=${value}`)
}

test('what nobody has set is not told', () => {
  const files = {
    'memory.max': 'max\n',
    'memory.low': '0\n',
    'cpu.max': 'max 100000\n',
    'cpu.weight': '100\n',
    'io.max': '',
    'io.weight': 'default 100\n',
    'pids.max': 'max\n',
    'cpuset.cpus': '\n',
  }
  assert.deepEqual(limitsOf(2, [], files), [])
  const v1 = { 'memory.limit_in_bytes': '9223372036854771712\n', 'cpu.cfs_quota_us': '-1\n', 'cpuset.cpus': '0-1\n' }
  assert.deepEqual(limitsOf(1, ['memory', 'cpu', 'cpuset'], v1, { 'cpuset.cpus': '0-1\n' }), [])
})

test('what is set is told as it can be set', () => {
  assert.deepEqual(
    limitsOf(2, [], {
      'memory.max': '67108864\n',
      'memory.high': '1000\n',
      'memory.oom.group': '1\n',
      'cpu.max': '25000 50000\n',
      'cpu.max.burst': '20000\n',
      'cpu.idle': '1\n',
      'io.max': '511:7 rbps=1048576 wbps=max riops=max wiops=100\n511:8 rbps=512 wbps=max riops=max wiops=max\n',
      'io.weight': 'default 200\n511:7 50\n',
      'cgroup.max.depth': '3\n',
    }).toSorted(),
    [
      'cgroup.max.depth=3',
      'cpu-burst=20ms',
      'cpu-idle=on',
      'cpus=0.5',
      'io-weight=200,511:7:50',
      'memory-high=1000B',
      'memory=64MiB',
      'oom-group=on',
      'read-bps=511:7:1MiB,511:8:512B',
      'write-iops=511:7:100',
    ],
  )
  assert.deepEqual(
    limitsOf(
      1,
      ['cpu', 'cpuset', 'blkio', 'devices', 'net_cls'],
      {
        'cpu.cfs_quota_us': '50000\n',
        'cpu.cfs_period_us': '100000\n',
        'cpuset.cpus': '0\n',
        'blkio.throttle.write_iops_device': '511:7 20\n',
        'devices.list': 'c 1:3 rwm\nc 1:5 r\n',
        'net_cls.classid': '1048577\n',
      },
      { 'cpuset.cpus': '0-1\n' },
    ).toSorted(),
    ['cpus=0.5', 'cpuset-cpus=0', 'devices=c 1:3 rwm,c 1:5 r', 'net-class=10:1', 'write-iops=511:7:20'],
  )
})

test('sizes come back as they were, to the byte', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
      const [limit = ''] = limitsOf(2, [], { 'memory.max': `${bytes}\n` })
      assert.deepEqual(parseCgroupSettings([limit]).limits.memory?.max, bytes)
    }),
    { numRuns: 50 },
  )
})
