import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Spec } from './spec.ts'
import { parseProcess, parseSpec } from './spec.ts'
import { OCI_VERSION_MIN } from './version.ts'

const BASE = { ociVersion: '1.3.0', root: { path: 'rootfs' } }

/** The specification with these properties beside the two that it must have. */
const read = (more: object): Spec => parseSpec(JSON.stringify({ ...BASE, ...more }))

const process = (more: object): object => ({ process: { user: { uid: 0, gid: 0 }, cwd: '/', args: ['sh'], ...more } })

const linux = (more: object): object => ({ linux: more })

const resources = (more: object): object => linux({ resources: more })

test('the least of a specification', () => {
  const spec = read({})
  assert.equal(spec.ociVersion, '1.3.0')
  assert.deepEqual(spec.root, { path: 'rootfs', readonly: undefined })
  assert.equal(spec.process, undefined)
})

test('every version 1 is taken', () => {
  for (const ociVersion of [OCI_VERSION_MIN, '1.0.2-dev', '1.2.1+dev', '1.99.0'])
    assert.equal(read({ ociVersion }).ociVersion, ociVersion)
})

test('limits of 64 bits keep all their bits', () => {
  const text = `{"ociVersion":"1.0.0","root":{"path":"r"},"process":{"cwd":"/","args":["a"],
    "rlimits":[{"type":"RLIMIT_CORE","soft":18446744073709551614,"hard":18446744073709551615}]},
    "linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ERRNO",
    "args":[{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}}}`
  const spec = parseSpec(text)
  assert.deepEqual(spec.process?.rlimits, [{ type: 'RLIMIT_CORE', soft: 2n ** 64n - 2n, hard: 2n ** 64n - 1n }])
  assert.equal(spec.linux?.seccomp?.syscalls?.[0]?.args?.[0]?.value, 2n ** 64n - 1n)
})

test('what is null is absent, and what is unknown is ignored', () => {
  const spec = read({ mounts: null, hooks: null, later: { than: 1.3 }, linux: { namespaces: null, windows: [] } })
  assert.equal(spec.mounts, undefined)
  assert.equal(spec.linux?.namespaces, undefined)
})

test('what there need not be and is empty, as Go writes it, is absent', () => {
  const spec = read(linux({ cgroupsPath: '', rootfsPropagation: '', namespaces: [{ type: 'pid', path: '' }] }))
  assert.equal(spec.linux?.cgroupsPath, undefined)
  assert.equal(spec.linux?.rootfsPropagation, undefined)
  assert.deepEqual(spec.linux?.namespaces, [{ type: 'pid', path: undefined }])
})

test('the size of a terminal is ignored where there is none', () => {
  const consoleSize = { height: -1, width: 'wide' }
  assert.equal(read(process({ consoleSize })).process?.consoleSize, undefined)
  assert.throws(() => read(process({ consoleSize, terminal: true })), /process\.consoleSize\.height: -1 is no integer/)
})

test('a device rule for any number may say -1', () => {
  const spec = read(resources({ devices: [{ allow: true, type: 'c', major: 5, minor: -1, access: 'rw' }] }))
  const rule = { allow: true, type: 'c', major: 5, minor: undefined, access: 'rw' }
  assert.deepEqual(spec.linux?.resources?.devices, [rule])
})

const refused: readonly (readonly [spec: object, place: string, reason: string])[] = [
  [{ ociVersion: undefined }, 'ociVersion', 'it is required, and missing'],
  [{ ociVersion: '1.0' }, 'ociVersion', '"1.0" is no semantic version such as 1.3.0'],
  [{ ociVersion: '2.0.0' }, 'ociVersion', '"2.0.0" is no version 1 of the runtime specification'],
  [{ root: undefined }, 'root', 'it is required, and missing'],
  [{ root: { path: '' } }, 'root.path', 'it is empty'],
  [{ root: { path: 7 } }, 'root.path', '7 is no string'],
  [{ root: { path: 'r', readonly: 'yes' } }, 'root.readonly', '"yes" is neither true nor false'],
  [{ hostname: 'a\0b' }, 'hostname', '"a\\u0000b" has a NUL in it'],
  [{ mounts: {} }, 'mounts', 'an object is no array'],
  [{ mounts: [{ type: 'proc' }] }, 'mounts[0].destination', 'it is required, and missing'],
  [
    { mounts: [{ destination: '/a', uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] }] },
    'mounts[0]',
    'it has uidMappings and no gidMappings',
  ],
  [{ annotations: { 'a.b': 1 } }, '["a.b"]', '1 is no string'],
  [process({ cwd: 'etc' }), 'process.cwd', '"etc" is no absolute path'],
  [process({ args: [] }), 'process.args', 'it is empty'],
  [process({ user: { uid: 0 } }), 'process.user.gid', 'it is required, and missing'],
  [process({ user: { uid: 4294967295, gid: 0 } }), 'process.user.uid', '4294967295 is no integer from 0 to 4294967294'],
  [process({ oomScoreAdj: 1001 }), 'process.oomScoreAdj', '1001 is no integer from -1000 to 1000'],
  [process({ rlimits: [{ type: 'RLIMIT_FOO', soft: 1, hard: 1 }] }), 'process.rlimits[0].type', '"RLIMIT_FOO" is not'],
  [
    process({ rlimits: [1, 1].map((soft) => ({ type: 'RLIMIT_CORE', soft, hard: 1 })) }),
    'process.rlimits[1]',
    'RLIMIT_CORE is there twice',
  ],
  [
    process({ rlimits: [{ type: 'RLIMIT_CORE', soft: 2, hard: 1 }] }),
    'process.rlimits[0]',
    'the soft limit, 2, is above the hard one, 1',
  ],
  [process({ scheduler: { policy: 'SCHED_ISO' } }), 'process.scheduler.policy', 'Linux has reserved SCHED_ISO'],
  [process({ scheduler: { policy: 'SCHED_FIFO' } }), 'process.scheduler.priority', '0 is no priority of SCHED_FIFO'],
  [process({ scheduler: { policy: 'SCHED_OTHER', nice: 20 } }), 'process.scheduler.nice', '20 is not from -20 to 19'],
  [
    process({ scheduler: { policy: 'SCHED_OTHER', runtime: 9 } }),
    'process.scheduler.runtime',
    'it is for SCHED_DEADLINE only',
  ],
  [
    process({ ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 8 } }),
    'process.ioPriority.priority',
    '8 is no integer',
  ],
  [process({ execCPUAffinity: { initial: '3-1' } }), 'process.execCPUAffinity.initial', 'the range 3-1 runs backwards'],
  [{ hooks: { prestart: [{ path: 'a' }] } }, 'hooks.prestart[0].path', '"a" is no absolute path'],
  [{ hooks: { poststop: [{ path: '/a', timeout: 0 }] } }, 'hooks.poststop[0].timeout', '0 is no integer from 1 to'],
  [linux({ namespaces: [{ type: 'net' }] }), 'linux.namespaces[0].type', '"net" is not one of pid, network'],
  [linux({ namespaces: [{ type: 'pid', path: 'x' }] }), 'linux.namespaces[0].path', '"x" is no absolute path'],
  [linux({ namespaces: [{ type: 'pid' }, { type: 'pid' }] }), 'linux.namespaces[1]', 'pid is there twice'],
  [
    linux({ uidMappings: [0, 1].map((hostID) => ({ containerID: 0, hostID, size: 1 })) }),
    'linux.uidMappings',
    '0 inside of the namespace is mapped twice',
  ],
  [linux({ timeOffsets: { realtime: {} } }), 'linux.timeOffsets.realtime', 'realtime is no clock'],
  [linux({ devices: [{ path: '/dev/a', type: 'c', major: 1 }] }), 'linux.devices[0].minor', 'it is required'],
  [
    linux({ devices: [1, 2].map((minor) => ({ path: '/dev/a', type: 'c', major: 1, minor })) }),
    'linux.devices[1]',
    '/dev/a is there twice',
  ],
  [linux({ netDevices: { 'a/b': {} } }), '["a/b"]', '"a/b" is no name of a network interface'],
  [linux({ netDevices: { eth0: { name: 23 } } }), 'linux.netDevices.eth0.name', '23 is no string'],
  [resources({ devices: [{ allow: true, access: 'x' }] }), 'linux.resources.devices[0].access', '"x" is not made of'],
  [resources({ memory: { limit: '1G' } }), 'linux.resources.memory.limit', '"1G" is no integer from -1 to'],
  [resources({ memory: { limit: 2, swap: 1 } }), 'linux.resources.memory.swap', '1 is below the limit, 2'],
  [resources({ memory: { swappiness: 101 } }), 'linux.resources.memory.swappiness', '101 is no integer from 0 to 100'],
  [resources({ cpu: { quota: 1, burst: 2 } }), 'linux.resources.cpu.burst', '2 is above the quota, 1'],
  [resources({ cpu: { cpus: 'all' } }), 'linux.resources.cpu.cpus', '"all" is no list such as 0-3,7'],
  [
    resources({ blockIO: { weightDevice: [{ major: 8, minor: 0 }] } }),
    'linux.resources.blockIO.weightDevice[0]',
    'it has',
  ],
  [
    resources({ hugepageLimits: [{ pageSize: '64kB', limit: 1 }] }),
    'linux.resources.hugepageLimits[0].pageSize',
    '"64kB"',
  ],
  [resources({ rdma: { mlx5_1: {} } }), 'linux.resources.rdma.mlx5_1', 'it has neither hcaHandles nor hcaObjects'],
  [resources({ unified: { 'memory.high': 5 } }), 'linux.resources.unified["memory.high"]', '5 is no string'],
  [linux({ sysctl: { hostname: 'a' } }), 'linux.sysctl.hostname', '"hostname" is no name of a kernel parameter'],
  [linux({ seccomp: {} }), 'linux.seccomp.defaultAction', 'undefined is no action'],
  [linux({ intelRdt: { closID: 'a/b' } }), 'linux.intelRdt.closID', '"a/b" is not the name of one directory'],
  [linux({ intelRdt: { memBwSchema: 'L3:' } }), 'linux.intelRdt.memBwSchema', '"L3:" doesn\'t start with MB:'],
  [linux({ memoryPolicy: { mode: 'MPOL_BIND' } }), 'linux.memoryPolicy.nodes', 'MPOL_BIND needs at least one node'],
  [linux({ personality: { domain: 'LINUX', flags: ['X'] } }), 'linux.personality.flags', '"X" is no flag'],
  [linux({ rootfsPropagation: 'public' }), 'linux.rootfsPropagation', '"public" is not one of shared'],
  [linux({ maskedPaths: ['proc'] }), 'linux.maskedPaths[0]', '"proc" is no absolute path'],
]

for (const [spec, place, reason] of refused) {
  test(`refused: ${place}: ${reason}`, () => {
    assert.throws(
      () => read(spec),
      (error) => {
        assert.ok(error instanceof Error && 'code' in error)
        assert.equal(error.code, 'ERR_TARE_INPUT')
        assert.ok(error.message.startsWith('cannot use config.json: '), error.message)
        assert.ok(error.message.includes(`${place}: ${reason}`), error.message)
        return true
      },
    )
  })
}

test('a process by itself names its own file', () => {
  assert.equal(parseProcess('{"cwd":"/","args":["a"]}').args[0], 'a')
  assert.throws(() => parseProcess('{"cwd":"/"}'), /cannot use process\.json: args: it is required/)
  assert.throws(() => parseProcess('[]'), /cannot use process\.json: an array is no object/)
})

test('whatever it is given, a reader returns or throws an InputError', () => {
  const keys = fc.constantFrom('process', 'linux', 'mounts', 'hooks', 'root', 'annotations')
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), (more) => {
      try {
        read(more)
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error && error.code === 'ERR_TARE_INPUT', String(error))
      }
    }),
  )
})
