import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseMountinfo } from '../../linux/mountinfo.ts'
import { parseDevicesList } from './device-rules.ts'
import { kindOf } from './files.ts'
import { hostPaths } from './host-paths.ts'
import { parseAccounts } from './host-view.ts'
import { parseLabel } from './modules.ts'
import { promptDevices } from './reach.ts'

test('labels of security modules', () => {
  assert.equal(parseLabel('\n'), undefined)
  assert.deepEqual(parseLabel('docker-default (enforce)\n'), {
    module: 'AppArmor',
    text: 'docker-default (enforce)',
    confined: true,
  })
  assert.equal(parseLabel('docker-default (complain)\n')?.confined, false)
  assert.equal(parseLabel('unconfined\n')?.confined, false)
  assert.deepEqual(parseLabel('system_u:system_r:container_t:s0:c1,c2\0'), {
    module: 'SELinux',
    text: 'system_u:system_r:container_t:s0:c1,c2',
    confined: true,
  })
  assert.equal(parseLabel('system_u:system_r:spc_t:s0\0')?.confined, false)
  fc.assert(fc.property(fc.string(), (text) => void parseLabel(text)))
})

test('accounts by id, the first of several', () => {
  const accounts = parseAccounts(
    'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n# none\nbroken\nann:x:1000:1000::/:\n',
  )
  assert.deepEqual([...accounts], [[0, 'root'], [1000, 'ann']]) // prettier-ignore
})

test('device rules of version 1', () => {
  assert.deepEqual(parseDevicesList('a *:* rwm\n'), [{ type: 'a', major: undefined, minor: undefined, access: 'rwm' }])
  assert.deepEqual(parseDevicesList('c 1:3 rwm\nc 136:* rw\nb 8:0 r\nnonsense\n'), [
    { type: 'c', major: 1, minor: 3, access: 'rwm' },
    { type: 'c', major: 136, minor: undefined, access: 'rw' },
    { type: 'b', major: 8, minor: 0, access: 'r' },
  ])
})

const HOST = parseMountinfo(`27 1 254:0 / / rw - ext4 /dev/vda rw
28 27 0:25 / /run rw - tmpfs tmpfs rw
29 27 254:1 /@home /home rw - btrfs /dev/vdb rw
30 27 0:6 / /dev rw - devtmpfs devtmpfs rw
31 27 0:30 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
`)

const seen = (text: string): readonly (readonly [string, string, boolean])[] =>
  hostPaths(parseMountinfo(text), HOST).map(({ mount, path, readOnly }) => [mount.mountPoint, path, readOnly])

test('files of the host are known by file system and directory', () => {
  assert.deepEqual(
    seen(`1 0 0:30 / / rw - overlay overlay rw
2 1 0:40 / /tmp rw - tmpfs tmpfs rw
3 1 254:0 /etc/hosts /etc/hosts ro - ext4 /dev/vda rw
4 1 0:25 /docker.sock /run/docker.sock rw - tmpfs tmpfs rw
5 1 254:1 /@home/ann /work rw - btrfs /dev/vdb ro
6 1 0:6 / /dev rw - devtmpfs devtmpfs rw
7 1 254:0 / /host rw - ext4 /dev/vda rw
8 1 254:1 /@other /other rw - btrfs /dev/vdb rw
`),
    [
      ['/', '/var/lib/docker/overlay2/x/merged', false],
      ['/etc/hosts', '/etc/hosts', true],
      ['/run/docker.sock', '/run/docker.sock', false],
      ['/work', '/home/ann', true],
      ['/host', '/', false],
    ],
  )
})

test('no way leads through a file system that another program serves', () => {
  const mounts = parseMountinfo(`1 0 254:0 / / rw - ext4 /dev/vda rw
2 1 0:50 / /dev rw - fuse.evil evil rw
3 1 0:51 / /net/a rw - nfs4 host:/a rw
4 1 0:52 / /devices rw - tmpfs tmpfs rw
5 1 0:53 / /auto rw - autofs systemd-1 rw
`)
  // The disk that the host has too answers by itself, and so does what is in memory; an overlay of its own might not.
  const host = parseMountinfo('9 1 8:1 / / rw - ext4 /dev/sda rw\n9 1 0:53 / /auto rw - autofs systemd-1 rw\n')
  const own = parseMountinfo('6 1 0:60 / /dev rw - overlay none rw\n7 1 8:1 /a /a rw - ext4 /dev/sda rw\n')
  assert.deepEqual([...promptDevices([...mounts, ...own], host)].toSorted(), ['0:52', '8:1'])
  const shared = parseMountinfo('9 1 0:30 /a / rw - btrfs /dev/sda rw\n')
  const other = parseMountinfo('7 1 0:31 / /b rw - btrfs /dev/loop0 rw\n')
  assert.deepEqual([...promptDevices([...shared, ...other], shared)].toSorted(), ['0:30', 'mount 9'])
})

test('places of the host, by what it means to reach them', () => {
  for (const [path, kind] of [
    ['/', 'whole'],
    ['/home', 'broad'],
    ['/home/ann/project', 'other'],
    ['/etc', 'trusted'],
    ['/etc/shadow', 'trusted'],
    ['/etcetera', 'other'],
    ['/etc/ssl/certs', 'public'],
    ['/usr/lib', 'programs'],
    ['/var/lib/docker/containers/1/hosts', 'engine'],
    ['/home/ann/.local/share/containers/storage/overlay', 'engine'],
    ['/sys/fs/cgroup', 'kernel'],
  ] as const)
    assert.equal(kindOf(path), kind, path)
})
