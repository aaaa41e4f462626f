import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { CgroupHierarchy, CgroupLayout } from './layout.ts'
import {
  cgroupDirectory,
  hierarchyOf,
  parseCgroupMounts,
  parseCgroupPaths,
  readCgroupLayout,
  readCgroupOf,
  requireHierarchy,
} from './layout.ts'

const v2: CgroupHierarchy = {
  version: 2,
  name: 'unified',
  controllers: ['cpu', 'memory'],
  mountPoint: '/sys/fs/cgroup',
  root: '/',
}
const blkio: CgroupHierarchy = {
  version: 1,
  name: 'blkio',
  controllers: ['blkio'],
  mountPoint: '/sys/fs/cgroup/blkio',
  root: '/',
}
const hybrid: CgroupLayout = { kind: 'hybrid', hierarchies: [blkio, v2] }

describe('cgroup mounts', () => {
  it('are found among others, each hierarchy once, the whole before a part', () => {
    const text = [
      '30 22 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
      '31 30 0:28 /docker/1 /mnt/part rw,relatime shared:5 - cgroup cgroup rw,cpuacct,cpu',
      '32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 master:2 - cgroup cgroup rw,cpu,cpuacct',
      '33 30 0:36 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd',
      '34 30 0:37 / /sys/fs/cgroup/a\\040b rw,relatime - cgroup2 cgroup2 rw,nsdelegate',
    ].join('\n')
    assert.deepEqual(parseCgroupMounts(text), [
      {
        version: 1,
        name: 'cpu,cpuacct',
        controllers: ['cpu', 'cpuacct'],
        mountPoint: '/sys/fs/cgroup/cpu,cpuacct',
        root: '/',
      },
      {
        version: 1,
        name: 'name=systemd',
        controllers: ['name=systemd'],
        mountPoint: '/sys/fs/cgroup/systemd',
        root: '/',
      },
      { version: 2, name: 'unified', controllers: [], mountPoint: '/sys/fs/cgroup/a b', root: '/' },
    ])
  })

  it('come back from any mount point and root', () => {
    const path = fc
      .array(
        fc.string({ minLength: 1 }).filter((part) => !/[/\0]/.test(part)),
        { minLength: 1 },
      )
      .map((parts) => `/${parts.join('/')}`)
    const escape = (text: string): string =>
      text.replace(/[ \t\n\\#]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`)
    fc.assert(
      fc.property(path, path, (root, mountPoint) => {
        const line = `31 30 0:28 ${escape(root)} ${escape(mountPoint)} rw,relatime shared:5 - cgroup2 cgroup2 rw`
        assert.deepEqual(parseCgroupMounts(line), [{ version: 2, name: 'unified', controllers: [], mountPoint, root }])
      }),
    )
  })

  it('of this host name the hierarchies that this process is in', () => {
    const { hierarchies } = readCgroupLayout()
    const own = readCgroupOf('self')
    assert.ok(hierarchies.length > 0)
    for (const { name } of hierarchies) assert.ok(own.get(name)?.startsWith('/'), name)
  })
})

describe('the group of a process', () => {
  it('is read by hierarchy', () => {
    const paths = parseCgroupPaths('9:name=systemd:/\n4:memory:/a:b/c\n1:cpuacct,cpu:/x\n0::/init.scope\n')
    assert.deepEqual(
      [...paths],
      [
        ['name=systemd', '/'],
        ['memory', '/a:b/c'],
        ['cpu,cpuacct', '/x'],
        ['unified', '/init.scope'],
      ],
    )
  })

  it('may be named with any character but the end of a line', () => {
    assert.deepEqual([...parseCgroupPaths('0::/a\rb\u2028c\n')], [['unified', '/a\rb\u2028c']])
  })

  it('has a directory as far as the mount shows it', () => {
    const part = { ...v2, root: '/docker/1' }
    assert.equal(cgroupDirectory(v2, '/'), '/sys/fs/cgroup')
    assert.equal(cgroupDirectory(v2, '/a/b'), '/sys/fs/cgroup/a/b')
    assert.equal(cgroupDirectory(part, '/docker/1'), '/sys/fs/cgroup')
    assert.equal(cgroupDirectory(part, '/docker/1/a'), '/sys/fs/cgroup/a')
    assert.equal(cgroupDirectory(part, '/docker/12'), undefined)
    assert.equal(cgroupDirectory(v2, '/../other'), undefined)
  })
})

describe('a controller', () => {
  it('is looked for in both versions, by the name of version 2', () => {
    assert.equal(hierarchyOf(hybrid, 'io'), blkio)
    assert.equal(hierarchyOf(hybrid, 'memory'), v2)
    assert.equal(hierarchyOf(hybrid, 'devices'), v2)
    assert.equal(hierarchyOf(hybrid, 'pids'), undefined)
  })

  it('that is missing is named', () => {
    assert.throws(() => requireHierarchy(hybrid, 'pids', 'limit processes'), {
      code: 'ERR_TARE_INPUT',
      message:
        /^cannot limit processes: no mounted cgroup hierarchy has the pids controller\nThis host has blkio, cpu, memory;/,
    })
  })
})
