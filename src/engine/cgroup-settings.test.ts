import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InputError } from '../linux/error.ts'
import { CGROUP_SETTINGS, parseCgroupSettings } from './cgroup-settings.ts'

const MIB = 1024 ** 2

const refused = (words: readonly string[], message: RegExp): void =>
  assert.throws(() => parseCgroupSettings(words), { code: 'ERR_TARE_INPUT', message }, words.join(' '))

test('sizes, times, parts of processors and counts', () => {
  assert.deepEqual(parseCgroupSettings(['memory=64MiB', 'swap=0', 'cpus=0.5', 'cpu-burst=20ms', 'pids=100']), {
    limits: {
      memory: { max: 64 * MIB, swap: 0 },
      cpu: { quota: 50_000, period: 100_000, burst: 20_000 },
      pids: 100,
    },
    files: [],
  })
})

test('max takes limits away', () => {
  assert.deepEqual(parseCgroupSettings(['memory=max', 'cpus=max', 'pids=max', 'read-iops=8:0:max']).limits, {
    memory: { max: 'max' },
    cpu: { quota: 'max' },
    pids: 'max',
    io: { devices: [{ major: 8, minor: 0, readOps: 'max' }] },
  })
})

test('limits of devices, several of a kind and several kinds', () => {
  assert.deepEqual(parseCgroupSettings(['read-bps=8:0:1MiB,8:16:2MiB/s', 'write-iops=8:0:100/s']).limits.io, {
    weight: undefined,
    devices: [
      { major: 8, minor: 0, readBytes: MIB },
      { major: 8, minor: 16, readBytes: 2 * MIB },
      { major: 8, minor: 0, writeOps: 100 },
    ],
  })
  assert.deepEqual(parseCgroupSettings(['io-weight=8:0:50,200']).limits.io, {
    weight: 200,
    devices: [{ major: 8, minor: 0, weight: 50 }],
  })
})

test('a class of packets as tc writes it, or as a number', () => {
  for (const value of ['10:1', '0x100001', '1048577'])
    assert.equal(parseCgroupSettings([`net-class=${value}`]).limits.netClass, 0x100001)
})

test("the kernel's own names are kept as they are", () => {
  assert.deepEqual(parseCgroupSettings(['memory.high=48MiB', 'pids=3', 'cpu.max=1000 100000']), {
    limits: { pids: 3 },
    files: [
      { file: 'memory.high', value: '48MiB' },
      { file: 'cpu.max', value: '1000 100000' },
    ],
  })
})

test('devices: paths, the form of the kernel, and words for many', () => {
  const rules = (text: string): unknown => parseCgroupSettings([`devices=${text}`]).limits.devices
  const none = { allow: false, type: 'a', access: 'rwm' }
  assert.deepEqual(rules('none'), [none])
  assert.deepEqual(rules('/dev/null:rw,c 10:229 rwm,b 8:* r'), [
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rwm' },
    { allow: true, type: 'b', major: 8, minor: undefined, access: 'r' },
  ])
  assert.deepEqual(rules('all,!/dev/zero:w'), [
    { allow: true, type: 'a', access: 'rwm' },
    { allow: false, type: 'c', major: 1, minor: 5, access: 'w' },
  ])
})

test('the example of every setting is one', () => {
  for (const { key, example } of CGROUP_SETTINGS) {
    const words = [`${key}=${example.replace('/dev/sda', '8:0').replace(',/dev/fuse:rw', '')}`]
    assert.notDeepEqual(parseCgroupSettings(words).limits, {}, key)
  }
})

test('nonsense is refused with the form that is right', () => {
  refused(['memory=64XiB'], /^cannot use "64XiB" as memory: it is not a size\nWrite a number of bytes/)
  refused(['memory='], /^cannot set memory to "": its value is missing\nWrite memory=64MiB\.$/)
  refused(['memory'], /^cannot set "memory": it is not KEY=VALUE\nWrite a setting as memory=64MiB/)
  refused(['=5'], /it is not KEY=VALUE/)
  refused(['memroy=5'], /^cannot set "memroy": there is no such setting\nDid you mean memory\?$/)
  refused(
    ['memory.soft=5'],
    /^cannot set memory\.soft: the kernel has no file of this name\nDid you mean memory-soft\?$/,
  )
  refused(['cpus=lots'], /^cannot use "lots" as cpus: it is not a number of processors\nWrite how many/)
  refused(['cpus=-1'], /it is not a number of processors/)
  refused(['pids=many'], /^cannot set pids to "many": it is not a whole number\nWrite pids=100\.$/)
  refused(['cpu-burst=20'], /it has no unit/)
  refused(['cpu-idle=maybe'], /it is either on or off\nWrite cpu-idle=on or cpu-idle=off/)
  refused(
    ['write-bps=1MiB'],
    /^cannot set write-bps to "1MiB": it is not DEVICE:VALUE\nWrite write-bps=\/dev\/sda:10MiB/,
  )
  refused(['write-bps=/no/such:1MiB'], /^cannot find the block device of \/no\/such: there is no such file/)
  refused(['net-class=eins'], /it is no class\nWrite net-class=10:1/)
  refused(['net-class=0x1ffffffff'], /it is no class/)
  refused(['net-priority=eth0'], /it is not INTERFACE:PRIORITY/)
  refused(['devices=/etc/passwd'], /the file is no device/)
  refused(['devices=/dev/null:x'], /its access is not made of r, w, m/)
  refused(['devices=null'], /it is neither a path nor all, none, standard/)
  refused(['pids=1', 'pids=2'], /^cannot set pids: it is given more than once/)
  refused(['read-bps=8:0:1', 'read-bps=8:1:1'], /more than once\nWrite read-bps=\/dev\/sda:1MiB,\/dev\/sdb:2MiB\.$/)
})

test('whatever is given, it is either understood or refused in words', () => {
  const key = fc.oneof(fc.constantFrom(...CGROUP_SETTINGS.map((setting) => setting.key)), fc.string())
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.string())), (pairs) => {
      try {
        parseCgroupSettings(pairs.map(([name, value]) => `${name}=${value}`))
      } catch (error) {
        assert.ok(error instanceof InputError, String(error))
      }
    }),
  )
})
