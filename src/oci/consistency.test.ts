import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSpec } from './spec.ts'

const BASE = { ociVersion: '1.3.0', root: { path: 'rootfs' } }

const parse = (more: object): void => void parseSpec(JSON.stringify({ ...BASE, ...more }))

const within = (types: readonly string[], more: object = {}): object => ({
  linux: {
    namespaces: types.map((type) =>
      type.includes(':') ? { type: type.split(':')[0], path: type.split(':')[1] } : { type },
    ),
    ...more,
  },
})

const MAPPINGS = [{ containerID: 0, hostID: 1000, size: 10 }]

const bind = (...options: readonly string[]): object => ({
  destination: '/a',
  source: '/b',
  options: ['bind', ...options],
})

const refused: readonly (readonly [spec: object, message: string])[] = [
  [{ hostname: 'a' }, 'hostname: it would be the host’s own'],
  [{ domainname: 'a' }, 'domainname: it would be the host’s own'],
  [within(['pid'], { maskedPaths: ['/proc/kcore'] }), 'linux.maskedPaths: it would be for the whole host'],
  [within(['pid'], { readonlyPaths: ['/proc/sys'] }), 'linux.readonlyPaths: it would be for the whole host'],
  [within(['mount'], { uidMappings: MAPPINGS }), 'linux.uidMappings: there is no user namespace'],
  [within(['user'], { uidMappings: MAPPINGS }), 'linux.gidMappings: a new user namespace needs at least one'],
  [
    within(['user:/proc/1/ns/user'], { uidMappings: MAPPINGS }),
    'linux.uidMappings: the user namespace that is joined has mappings already',
  ],
  [within(['mount'], { timeOffsets: { monotonic: { secs: 1 } } }), 'linux.timeOffsets: there is no time namespace'],
  [within(['time:/proc/1/ns/time'], { timeOffsets: { boottime: {} } }), 'linux.timeOffsets: the clocks of the time'],
  [within([], { netDevices: { eth0: {} } }), 'linux.netDevices: there is no network namespace'],
  [within([], { sysctl: { 'net.ipv4.ip_forward': '1' } }), 'linux.sysctl["net.ipv4.ip_forward"]: it would be set for'],
  [within(['ipc'], { sysctl: { 'vm.swappiness': '1' } }), 'linux.sysctl["vm.swappiness"]: it is of the whole host'],
  [within(['uts'], { sysctl: { 'fs.mqueue.msg_max': '1' } }), 'linux.sysctl["fs.mqueue.msg_max"]: it would be set for'],
  [within([], { sysctl: { 'user.max_user_namespaces': '0' } }), 'linux.sysctl["user.max_user_namespaces"]: it would'],
  [
    { hostname: 'a', ...within(['uts'], { sysctl: { 'kernel.hostname': 'b' } }) },
    'linux.sysctl["kernel.hostname"]: there is the property hostname for it',
  ],
  [{ mounts: [bind('idmap')] }, 'mounts[0].options: idmap needs uidMappings and gidMappings, or a user namespace'],
  [
    { mounts: [{ destination: '/a', type: 'tmpfs', uidMappings: MAPPINGS, gidMappings: MAPPINGS }] },
    'mounts[0]: ids are mapped for bind mounts only',
  ],
  [{ mounts: [bind('size=5')] }, 'mounts[0].options: a bind mount can’t change what is the file system’s: "size"'],
  [{ mounts: [{ destination: '/a', options: ['rbind'] }] }, 'mounts[0].source: a bind mount needs one'],
]

for (const [spec, message] of refused) {
  test(`refused: ${message}`, () => {
    assert.throws(
      () => parse(spec),
      (error) => error instanceof Error && error.message.startsWith(`cannot use config.json: ${message}`),
    )
  })
}

test('what has its namespace is taken, a joined one too', () => {
  parse({ hostname: 'a', domainname: 'b', ...within(['uts:/proc/1/ns/uts']) })
  parse(within(['mount'], { maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'] }))
  parse(within(['user'], { uidMappings: MAPPINGS, gidMappings: MAPPINGS }))
  parse(within(['user:/proc/1/ns/user']))
  parse(within(['time'], { timeOffsets: { monotonic: { secs: 1 } } }))
  parse(
    within(['network', 'ipc', 'uts'], {
      sysctl: { 'net.core.somaxconn': '1', 'kernel.sem': '1 2 3 4', 'kernel.domainname': 'a' },
    }),
  )
  parse({ mounts: [bind('idmap')], ...within(['user'], { uidMappings: MAPPINGS, gidMappings: MAPPINGS }) })
  parse({ mounts: [{ ...bind('ridmap'), uidMappings: MAPPINGS, gidMappings: MAPPINGS }] })
})

test('names of parameters may be written with slashes, and then have dots in them', () => {
  parse(within(['network'], { sysctl: { 'net/ipv4/conf/eno2.100/rp_filter': '1' } }))
  assert.throws(() => parse(within(['network'], { sysctl: { 'vm/net.a': '1' } })), /it is of the whole host/)
})
