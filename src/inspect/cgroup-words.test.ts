import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controlFileDescriber } from '../linux/cgroup/index.ts'
import { controlFileWords } from './cgroup-words.ts'

const words = (version: 1 | 2, file: string, text: string, siblings: Readonly<Record<string, string>> = {}): string => {
  const known = controlFileDescriber(version)(file)
  assert.ok(known !== undefined, file)
  return controlFileWords(known, text, (name) => siblings[name])
}

test('sizes and counts, and none of them', () => {
  assert.equal(words(2, 'memory.max', '67108864\n'), '64MiB')
  assert.equal(words(2, 'memory.max', 'max\n'), 'no limit')
  assert.equal(words(1, 'memory.limit_in_bytes', '9223372036854771712\n'), 'no limit')
  assert.equal(words(2, 'pids.max', '100\n'), '100')
})

test('processor time', () => {
  assert.equal(words(2, 'cpu.max', '50000 100000\n'), '0.5 processors')
  assert.equal(words(2, 'cpu.max', 'max 100000\n'), 'no limit')
  assert.equal(words(1, 'cpu.cfs_quota_us', '50000\n', { 'cpu.cfs_period_us': '25000\n' }), '2 processors')
  assert.equal(words(1, 'cpu.cfs_quota_us', '-1\n', { 'cpu.cfs_period_us': '25000\n' }), 'no limit')
  assert.equal(words(1, 'cpuacct.usage', '1500000000\n'), '1.5s')
  assert.equal(words(2, 'cpu.max.burst', '20000\n'), '20ms')
})

test('disks: a line for each', () => {
  // No host has a device of this number, so it has no name either.
  assert.equal(
    words(2, 'io.max', '511:7 rbps=1048576 wbps=max riops=max wiops=100\n'),
    '511:7 read 1MiB/s, write 100 operations/s',
  )
  assert.equal(words(1, 'blkio.throttle.read_bps_device', '511:7 1048576\n511:8 512\n'), '511:7 1MiB/s, 511:8 512B/s')
  assert.equal(words(1, 'blkio.throttle.read_bps_device', ''), '')
})

test('what is many values is counted', () => {
  assert.equal(words(2, 'cgroup.events', 'populated 1\nfrozen 0\n'), 'populated 1, frozen 0')
  assert.equal(words(2, 'memory.stat', Array.from({ length: 9 }, (_, at) => `a${at} 1\n`).join('')), '9 values')
  assert.equal(words(2, 'cgroup.procs', '1\n2\n'), '2 of them')
})

test('classes of packets, as tc writes them', () => {
  assert.equal(words(1, 'net_cls.classid', '1048577\n'), '10:1')
  assert.equal(words(1, 'net_cls.classid', '0\n'), 'none')
})

test('pressure', () => {
  const line = (kind: string): string => `${kind} avg10=12.50 avg60=0.00 avg300=0.00 total=7\n`
  assert.equal(words(2, 'memory.pressure', line('some') + line('full')), 'some 12.5%, full 12.5% of the last 10s')
})
