// Needs root (to make network namespaces), and ip and nsenter (iproute2, util-linux) to compare with.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { addAddress, deleteAddress, listAddresses } from '../../src/linux/netlink/address.ts'
import { createLink, deleteLink, setLink } from '../../src/linux/netlink/link-change.ts'
import type { LinkSpec } from '../../src/linux/netlink/link-change.ts'
import { findLink, getLink, linkIndex, listLinks } from '../../src/linux/netlink/link.ts'
import { deleteNeighbour, listNeighbours, setNeighbour } from '../../src/linux/netlink/neighbour.ts'
import { addRoute, deleteRoute, listRoutes } from '../../src/linux/netlink/route.ts'
import { addRule, deleteRule, listRules } from '../../src/linux/netlink/rule.ts'
import type { Netlink } from '../../src/linux/netlink/socket.ts'
import { openNetlink } from '../../src/linux/netlink/socket.ts'
import { syscall, trySyscall } from '../../src/linux/syscall.ts'

const CLONE_NEWNET = 0x40000000
const AT_FDCWD = -100
const O_CLOEXEC = 0x80000
const OWN = '/proc/thread-self/ns/net'

type Json = Readonly<Record<string, unknown>>

/** A network namespace of the test's own: nobody is in it, its descriptor keeps it. */
interface Namespace extends Disposable {
  readonly fd: number
  readonly netlink: Netlink
  /** Runs `ip -json` in it. */
  ip(...args: readonly string[]): readonly Json[]
  /** Whether `ip` can do something there. */
  can(...args: readonly string[]): boolean
}

const open = (path: string): number => syscall({ operation: 'open', target: path }, 'openat', AT_FDCWD, path, O_CLOEXEC)

const namespace = (): Namespace => {
  const own = open(OWN)
  syscall({ operation: 'make network namespace' }, 'unshare', CLONE_NEWNET)
  const fd = open(OWN)
  syscall({ operation: 'return' }, 'setns', own, CLONE_NEWNET)
  trySyscall('close', own)
  const netlink = openNetlink({ namespace: fd })
  const command = (args: readonly string[]): readonly string[] => [
    `--net=/proc/${process.pid}/fd/${fd}`,
    'ip',
    '-json',
    '-details',
    '-statistics',
    ...args,
  ]
  return {
    fd,
    netlink,
    ip: (...args) => {
      const out = execFileSync('nsenter', command(args), { encoding: 'utf8', maxBuffer: 64 << 20 })
      return out.trim() === '' ? [] : JSON.parse(out)
    },
    can: (...args) => spawnSync('nsenter', command(args)).status === 0,
    [Symbol.dispose]: () => {
      netlink.close()
      trySyscall('close', fd)
    },
  }
}

const hostTest = (name: string, body: (t: TestContext) => void | Promise<void>): void => {
  test(name, async (t) => {
    if (process.getuid?.() !== 0) return t.skip('needs root')
    if (spawnSync('ip', ['-V']).status !== 0) return t.skip('needs ip (iproute2) to compare with')
    if (spawnSync('nsenter', ['-V']).status !== 0) return t.skip('needs nsenter (util-linux)')
    return body(t)
  })
}

const jsonOf = (space: Namespace, name: string): Json => {
  const [link] = space.ip('link', 'show', name)
  assert.ok(link !== undefined)
  return link
}

/** Compares every link with what `ip` says of it. */
const compareLinks = (space: Namespace): void => {
  const ours = listLinks(space.netlink).map((link) => ({
    ifindex: link.index,
    ifname: link.name,
    mtu: link.mtu,
    operstate: link.state.toUpperCase(),
    kind: link.kind,
    up: link.up,
    address: link.mac,
  }))
  const theirs = space.ip('link', 'show').map((link) => ({
    ifindex: link['ifindex'],
    ifname: link['ifname'],
    mtu: link['mtu'],
    operstate: link['operstate'],
    kind: Object(link['linkinfo'])['info_kind'],
    up: Array.isArray(link['flags']) && link['flags'].includes('UP'),
    address: link['address'],
  }))
  assert.deepEqual(ours, theirs)
}

hostTest('a socket belongs to the namespace that it is opened in, and the thread comes back', () => {
  const before = readlinkSync(OWN)
  using space = namespace()
  assert.equal(readlinkSync(OWN), before)
  assert.deepEqual(
    listLinks(space.netlink).map(({ name, index, up, hardware }) => ({ name, index, up, hardware })),
    [{ name: 'lo', index: 1, up: false, hardware: 'loopback' }],
  )
  using here = openNetlink()
  assert.equal(getLink(here, 'lo').index, 1)
  assert.throws(() => openNetlink({ namespace: 99_999 }), { code: 'EBADF', operation: 'enter network namespace' })
  assert.equal(readlinkSync(OWN), before)
})

hostTest('a veth pair, its peer made straight in another namespace', () => {
  using outer = namespace()
  using inner = namespace()
  createLink(outer.netlink, {
    kind: 'veth',
    name: 'tare0',
    index: 40,
    up: true,
    mtu: 1400,
    mac: '02:00:00:00:00:01',
    peer: { name: 'eth0', index: 7, mtu: 1400, mac: '02:00:00:00:00:02', namespace: { fd: inner.fd } },
  })
  setLink(inner.netlink, 'eth0', { up: true })
  const link = getLink(outer.netlink, 'tare0')
  const peer = getLink(inner.netlink, 7)
  assert.deepEqual(
    [link.index, link.kind, link.up, link.state, link.mtu, link.mac, link.parent],
    [40, 'veth', true, 'up', 1400, '02:00:00:00:00:01', 7],
  )
  assert.deepEqual([peer.name, peer.mac, peer.up, peer.parent], ['eth0', '02:00:00:00:00:02', true, 40])
  assert.equal(typeof link.parentNamespace, 'number')
  compareLinks(outer)
  compareLinks(inner)
  deleteLink(outer.netlink, 'tare0')
  assert.equal(findLink(outer.netlink, 'tare0'), undefined)
  assert.equal(findLink(inner.netlink, 'eth0'), undefined)
})

hostTest('a bridge and its port', () => {
  using space = namespace()
  const { netlink } = space
  createLink(netlink, { kind: 'bridge', name: 'tare-br', up: true, stp: false, forwardDelay: 400 })
  const master = linkIndex(netlink, 'tare-br')
  createLink(netlink, { kind: 'veth', name: 'a', master, peer: { name: 'b' } })
  assert.equal(getLink(netlink, 'a').master, master)
  assert.equal(getLink(netlink, 'b').master, undefined)
  assert.equal(jsonOf(space, 'a')['master'], 'tare-br')
  const { info_data: data } = Object(jsonOf(space, 'tare-br')['linkinfo'])
  assert.deepEqual([data.stp_state, data.forward_delay], [0, 400])
  setLink(netlink, 'b', { master })
  setLink(netlink, 'a', { master: null })
  assert.deepEqual([getLink(netlink, 'a').master, getLink(netlink, 'b').master], [undefined, master])
  compareLinks(space)
})

hostTest('a bridge that filters by VLAN', (t) => {
  using space = namespace()
  if (!space.can('link', 'add', 'name', 'probe', 'type', 'bridge', 'vlan_filtering', '1')) {
    return t.skip('this kernel has no bridge that filters by VLAN')
  }
  createLink(space.netlink, { kind: 'bridge', name: 'tare-br', vlanFiltering: true })
  assert.equal(Object(Object(jsonOf(space, 'tare-br')['linkinfo'])['info_data']).vlan_filtering, 1)
})

hostTest('a link is changed', () => {
  using space = namespace()
  const { netlink } = space
  createLink(netlink, { kind: 'veth', name: 'a', peer: { name: 'b' } })
  setLink(netlink, 'a', { name: 'c', mtu: 1234, mac: '02:00:00:00:00:0a' })
  setLink(netlink, 'c', { up: true })
  setLink(netlink, 'lo', { up: true })
  const link = jsonOf(space, 'c')
  assert.deepEqual([link['mtu'], link['address']], [1234, '02:00:00:00:00:0a'])
  assert.equal(getLink(netlink, 'c').up, true)
  compareLinks(space)
  setLink(netlink, 'c', { up: false })
  assert.equal(getLink(netlink, 'c').up, false)
  assert.equal(getLink(netlink, 'c').mtu, 1234)
})

const KINDS: readonly { readonly spec: LinkSpec; readonly ip: readonly string[]; readonly data: Json }[] = [
  { spec: { kind: 'dummy', name: 'x' }, ip: ['type', 'dummy'], data: {} },
  {
    spec: { kind: 'macvlan', name: 'x', parent: 10, mode: 'bridge' },
    ip: ['link', 'a', 'type', 'macvlan', 'mode', 'bridge'],
    data: { mode: 'bridge' },
  },
  {
    spec: { kind: 'ipvlan', name: 'x', parent: 10, mode: 'l3' },
    ip: ['link', 'a', 'type', 'ipvlan', 'mode', 'l3'],
    data: { mode: 'l3' },
  },
  {
    spec: { kind: 'vlan', name: 'x', parent: 10, id: 42, protocol: '802.1ad' },
    ip: ['link', 'a', 'type', 'vlan', 'id', '42'],
    data: { id: 42, protocol: '802.1ad' },
  },
  {
    spec: { kind: 'vxlan', name: 'x', parent: 10, id: 42, remote: '10.0.0.9', local: '10.0.0.1', learning: false },
    ip: ['type', 'vxlan', 'id', '42', 'dstport', '4789'],
    data: { id: 42, remote: '10.0.0.9', local: '10.0.0.1', port: 4789, learning: false, link: 'a' },
  },
]

for (const { spec, ip, data } of KINDS) {
  hostTest(`a link of kind ${spec.kind}`, (t) => {
    using space = namespace()
    createLink(space.netlink, { kind: 'veth', name: 'a', index: 10, up: true, peer: { name: 'b' } })
    if (!space.can('link', 'add', 'name', 'probe', ...ip)) {
      return t.skip(`this kernel has no driver for links of kind ${spec.kind}`)
    }
    deleteLink(space.netlink, 'probe')
    createLink(space.netlink, spec)
    const info = Object(jsonOf(space, 'x')['linkinfo'])
    assert.equal(info.info_kind, spec.kind)
    const known = Object(info.info_data)
    for (const [key, value] of Object.entries(data)) {
      assert.equal(String(known[key]).toLowerCase(), String(value), key)
    }
    assert.equal(getLink(space.netlink, 'x').kind, spec.kind)
  })
}

const sleeper = async (): Promise<ChildProcess> => {
  const child = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  assert.ok(child.stdout !== null)
  await once(child.stdout, 'data')
  return child
}

hostTest('a link is moved to the namespace of a process, and renamed and set up there', async () => {
  using space = namespace()
  const child = await sleeper()
  try {
    assert.ok(child.pid !== undefined)
    const fd = open(`/proc/${child.pid}/ns/net`)
    using there = openNetlink({ namespace: fd })
    createLink(space.netlink, { kind: 'veth', name: 'a', peer: { name: 'b' } })
    setLink(space.netlink, 'b', { namespace: { pid: child.pid }, name: 'eth0', up: true })
    assert.equal(findLink(space.netlink, 'b'), undefined)
    assert.equal(getLink(there, 'eth0').up, true)
    setLink(there, 'eth0', { namespace: { fd: space.fd }, name: 'back' })
    assert.equal(getLink(space.netlink, 'back').kind, 'veth')
    assert.equal(findLink(there, 'eth0'), undefined)
    trySyscall('close', fd)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const gone = { namespace: { pid: child.pid ?? 0 } }
  assert.throws(() => setLink(space.netlink, 'a', gone), { code: 'ESRCH', hint: /has ended/ })
})

hostTest('addresses, IPv4 and IPv6', () => {
  using space = namespace()
  const { netlink } = space
  createLink(netlink, { kind: 'veth', name: 'a', up: true, peer: { name: 'b' } })
  setLink(netlink, 'b', { up: true })
  setLink(netlink, 'lo', { up: true })
  addAddress(netlink, 'a', { address: '10.0.0.1/24', broadcast: '10.0.0.255', label: 'a:x' })
  addAddress(netlink, 'a', { address: '10.1.0.1/32', peer: '10.1.0.2', scope: 'link' })
  addAddress(netlink, 'a', { address: 'fd00::1/64', detectDuplicates: false })
  addAddress(netlink, linkIndex(netlink, 'b'), { address: 'fd00::2/64' })
  const ours = listAddresses(netlink)
    .filter(({ address }) => !address.startsWith('fe80'))
    .map(({ address, length, broadcast, label, scope, link, peer }) => [
      link,
      address,
      length,
      broadcast,
      label,
      scope,
      peer,
    ])
  const theirs = space.ip('address', 'show').flatMap((link) =>
    Object(link['addr_info'])
      .filter(({ local }: { local: string }) => !local.startsWith('fe80'))
      .map((info: Json) => [
        link['ifindex'],
        info['local'],
        info['prefixlen'],
        info['broadcast'],
        info['label'],
        info['scope'],
        info['address'],
      ]),
  )
  const sort = (rows: readonly (readonly unknown[])[]): readonly string[] =>
    rows.map((row) => JSON.stringify(row)).toSorted()
  assert.deepEqual(sort(ours), sort(theirs))
  assert.equal(ours.length, 6)
  const [usable] = listAddresses(netlink, 'a').filter(({ address }) => address === 'fd00::1')
  assert.deepEqual([usable?.tentative, usable?.permanent, usable?.family], [false, true, 6])
  const [asking] = listAddresses(netlink, 'b').filter(({ address }) => address === 'fd00::2')
  assert.equal(asking?.tentative, true)
  assert.deepEqual(
    listAddresses(netlink, 'lo').map(({ address, scope }) => [address, scope]),
    [
      ['127.0.0.1', 'host'],
      ['::1', 'host'],
    ],
  )
  deleteAddress(netlink, 'a', '10.0.0.1/24')
  deleteAddress(netlink, 'a', 'fd00::1/64')
  assert.deepEqual(
    listAddresses(netlink, 'a')
      .map(({ address }) => address)
      .filter((address) => !address.startsWith('fe80')),
    ['10.1.0.1'],
  )
})

hostTest('routes, IPv4 and IPv6', () => {
  using space = namespace()
  const { netlink } = space
  createLink(netlink, { kind: 'veth', name: 'a', up: true, peer: { name: 'b' } })
  setLink(netlink, 'b', { up: true })
  const link = linkIndex(netlink, 'a')
  addAddress(netlink, 'a', { address: '10.0.0.2/24' })
  addAddress(netlink, 'a', { address: 'fd00::2/64', detectDuplicates: false })
  addRoute(netlink, { destination: 'default', via: '10.0.0.1' })
  addRoute(netlink, { destination: '10.9.0.0/16', link, metric: 7, source: '10.0.0.2' })
  addRoute(netlink, { destination: '10.8.0.0/16', via: '192.0.2.1', link, onLink: true })
  addRoute(netlink, { destination: '10.7.0.0/16', via: 'fd00::1', link })
  addRoute(netlink, { destination: '10.6.0.0/16', type: 'blackhole' })
  addRoute(netlink, { destination: 'default', via: 'fd00::1', metric: 5 })
  addRoute(netlink, { destination: 'fd01::/64', link })
  addRoute(netlink, { destination: '10.5.0.0/16', link, table: 1000 })
  space.ip('route', 'add', '10.4.0.0/16', 'nexthop', 'via', '10.0.0.1', 'weight', '3', 'nexthop', 'via', '10.0.0.9')
  // The kernel adds the routes of link-local networks in its own time.
  const linkLocal = (destination: unknown): boolean => String(destination).startsWith('fe80:')
  const routes = listRoutes(netlink).filter(({ destination }) => !linkLocal(destination))
  const ours = routes.map((route) => [
    route.destination,
    route.nextHops.map(({ via, weight }) => `${via} ${weight}`).join(),
    route.metric,
    route.scope,
    route.type,
    route.source,
  ])
  const gateway = (hop: Json): unknown => hop['gateway'] ?? Object(hop['via'])['host']
  const theirs = ['-4', '-6'].flatMap((family) =>
    space
      .ip(family, 'route', 'show')
      .map((route) => [
        route['dst'],
        Array.isArray(route['nexthops'])
          ? route['nexthops'].map((hop: Json) => `${gateway(hop)} ${hop['weight']}`).join()
          : route['dev'] === undefined
            ? ''
            : `${gateway(route)} 1`,
        route['metric'] ?? 0,
        route['scope'],
        route['type'],
        route['prefsrc'],
      ]),
  )
  assert.deepEqual(
    ours,
    theirs.filter(([destination]) => !linkLocal(destination)),
  )
  assert.equal(ours.length, 10)
  assert.deepEqual(
    listRoutes(netlink, { table: 1000 }).map(({ destination, table }) => [destination, table]),
    [['10.5.0.0/16', 1000]],
  )
  addRoute(netlink, { destination: '10.3.0.0/16', link: linkIndex(netlink, 'b') })
  const ofB = listRoutes(netlink, { link: 'b' }).map(({ destination }) => destination)
  assert.deepEqual(
    ofB.filter((destination) => !linkLocal(destination)),
    ['10.3.0.0/16'],
  )
  deleteRoute(netlink, { destination: 'default' })
  deleteRoute(netlink, { destination: 'default', family: 6 })
  deleteRoute(netlink, { destination: '10.6.0.0/16', type: 'blackhole' })
  deleteRoute(netlink, { destination: '10.5.0.0/16', table: 1000 })
  assert.deepEqual(listRoutes(netlink, { table: 1000 }), [])
  assert.deepEqual(
    listRoutes(netlink)
      .map(({ destination }) => destination)
      .filter((text) => text === 'default' || text.startsWith('10.6')),
    [],
  )
  assert.throws(() => deleteRoute(netlink, { destination: 'default' }), { code: 'ESRCH', hint: /no such route/ })
})

hostTest('neighbours', () => {
  using space = namespace()
  const { netlink } = space
  createLink(netlink, { kind: 'veth', name: 'a', up: true, peer: { name: 'b' } })
  setLink(netlink, 'b', { up: true })
  setNeighbour(netlink, 'a', { address: '10.0.0.5', mac: '02:00:00:00:00:04' })
  setNeighbour(netlink, 'a', { address: '10.0.0.5', mac: '02:00:00:00:00:05' })
  setNeighbour(netlink, 'a', { address: 'fd00::5', mac: '02:00:00:00:00:06' })
  const ours = listNeighbours(netlink, 'a').filter(({ permanent }) => permanent)
  const theirs = space.ip('neighbour', 'show', 'dev', 'a', 'nud', 'permanent')
  const rows = (pairs: readonly (readonly unknown[])[]): readonly string[] => pairs.map(String).toSorted()
  assert.deepEqual(
    rows(ours.map(({ address, mac }) => [address, mac])),
    rows(theirs.map((entry) => [entry['dst'], entry['lladdr']])),
  )
  assert.equal(ours.length, 2)
  deleteNeighbour(netlink, 'a', '10.0.0.5')
  assert.throws(() => deleteNeighbour(netlink, 'a', '10.0.0.6'), { code: 'ENOENT' })
})

hostTest('rules', (t) => {
  using space = namespace()
  const { netlink } = space
  if (!space.can('rule', 'show')) return t.skip('this kernel has no policy routing')
  addRule(netlink, { family: 4, priority: 100, source: '10.0.0.0/8', table: 1000, mark: 1, markMask: 3 })
  addRule(netlink, { family: 6, priority: 101, destination: 'fd00::/8', incoming: 'lo', action: 'unreachable' })
  const ours = listRules(netlink).map(({ priority, source, table }) => [priority, source ?? 'all', table])
  const names: Readonly<Record<string, number>> = { local: 255, main: 254, default: 253 }
  const theirs = ['-4', '-6'].flatMap((family) =>
    space.ip(family, 'rule', 'show').map((rule) => {
      const table = rule['table']
      const length = rule['srclen'] === undefined ? '' : `/${rule['srclen']}`
      const number = table === undefined ? undefined : (names[String(table)] ?? Number(table))
      return [rule['priority'], `${rule['src']}${length}`, number]
    }),
  )
  assert.deepEqual(ours, theirs)
  assert.throws(
    () => addRule(netlink, { family: 4, priority: 100, source: '10.0.0.0/8', table: 1000, mark: 1, markMask: 3 }),
    {
      code: 'EEXIST',
    },
  )
  deleteRule(netlink, { family: 4, priority: 100 })
  assert.throws(() => deleteRule(netlink, { family: 4, priority: 100 }), { code: 'ENOENT' })
  assert.equal(listRules(netlink).filter(({ priority }) => priority === 101)[0]?.action, 'unreachable')
})

hostTest('errors say what, why and what to do', () => {
  using space = namespace()
  const { netlink } = space
  createLink(netlink, { kind: 'veth', name: 'eth0', up: true, peer: { name: 'b' } })
  setLink(netlink, 'b', { up: true })
  addAddress(netlink, 'eth0', { address: '10.0.0.1/24' })
  assert.throws(() => addAddress(netlink, 'eth0', { address: '10.0.0.1/24' }), {
    code: 'EEXIST',
    operation: 'add address',
    target: '10.0.0.1/24 to eth0',
    message:
      /^cannot add address 10\.0\.0\.1\/24 to eth0: EEXIST \(file exists\).*\nThe link has that address already\.$/,
  })
  assert.throws(() => getLink(netlink, 'none'), {
    message: /^cannot find link none: ENODEV \(.*\)\nThere is no such link in this network namespace\.$/,
  })
  assert.throws(() => addAddress(netlink, 'none', { address: '10.0.0.1/24' }), { code: 'ENODEV' })
  assert.throws(() => deleteAddress(netlink, 'eth0', '10.0.0.9/24'), { code: 'EADDRNOTAVAIL' })
  assert.throws(() => deleteLink(netlink, 'lo'), { code: 'EOPNOTSUPP', hint: /cannot be deleted/ })
  assert.throws(() => addRoute(netlink, { destination: 'default', via: '192.0.2.1' }), {
    code: 'ENETUNREACH',
    message: /the kernel says "Nexthop has invalid gateway"\nThe gateway must be/,
  })
  assert.throws(() => createLink(netlink, { kind: 'veth', name: 'eth0', peer: { name: 'c' } }), { code: 'EEXIST' })
  assert.throws(() => setLink(netlink, 'eth0', { mtu: 1 }), {
    code: 'EINVAL',
    message: /the kernel says "mtu less than/,
  })
})

hostTest('input that can be known to be wrong does not reach the kernel', () => {
  using space = namespace()
  const { netlink } = space
  const input = { code: 'ERR_TARE_INPUT' }
  assert.throws(() => getLink(netlink, 'a-name-too-long-for-it'), input)
  assert.throws(() => createLink(netlink, { kind: 'dummy', name: 'x%d' }), input)
  assert.throws(() => createLink(netlink, { kind: 'dummy', name: 'x', mac: '02:00' }), input)
  assert.throws(() => createLink(netlink, { kind: 'vlan', name: 'x', parent: 1, id: 4095 }), input)
  assert.throws(() => setLink(netlink, 1, { mtu: 1.5 }), input)
  assert.throws(() => deleteLink(netlink, 0), input)
  assert.throws(() => addAddress(netlink, 1, { address: '10.0.0.1/33' }), input)
  assert.throws(() => addAddress(netlink, 1, { address: '10.0.0.1/24', peer: 'fd00::1' }), input)
  assert.throws(() => addRoute(netlink, { destination: 'fd00::/8', via: '10.0.0.1' }), input)
  assert.throws(() => addRoute(netlink, { destination: '10.0.0.0/8', source: 'fd00::1' }), input)
})

hostTest('statistics count', () => {
  using space = namespace()
  setLink(space.netlink, 'lo', { up: true })
  const path = `--net=/proc/${process.pid}/fd/${space.fd}`
  const send = `require('dgram').createSocket('udp4').send('x'.repeat(100), 9, '127.0.0.1', () => process.exit())`
  execFileSync('nsenter', [path, process.execPath, '-e', send])
  const ours = getLink(space.netlink, 'lo').statistics
  const { rx, tx } = Object(jsonOf(space, 'lo')['stats64'])
  assert.ok(ours !== undefined && ours.receivedBytes >= 128)
  assert.deepEqual(
    [ours.receivedBytes, ours.receivedPackets, ours.sentBytes, ours.sentPackets, ours.receiveDropped],
    [rx.bytes, rx.packets, tx.bytes, tx.packets, rx.dropped],
  )
})

hostTest('a list of many is whole', () => {
  using space = namespace()
  for (let i = 0; i < 2000; i++) addAddress(space.netlink, 'lo', { address: `10.1.${i >> 8}.${i & 255}/32` })
  const found = new Set(listAddresses(space.netlink).map(({ address }) => address))
  assert.equal(found.size, 2000)
  for (let i = 0; i < 100; i++) createLink(space.netlink, { kind: 'veth', name: `a${i}`, peer: { name: `b${i}` } })
  assert.equal(listLinks(space.netlink).length, 201)
  compareLinks(space)
})

hostTest('without the right to, it is refused with a hint', () => {
  const child = spawnSync('setpriv', [
    '--reuid',
    '65534',
    '--regid',
    '65534',
    '--clear-groups',
    process.execPath,
    '--input-type=module',
    '-e',
    `import { openNetlink } from ${JSON.stringify(new URL('../../src/linux/netlink/socket.js', import.meta.url).href)}
     import { getLink } from ${JSON.stringify(new URL('../../src/linux/netlink/link.js', import.meta.url).href)}
     import { createLink } from ${JSON.stringify(new URL('../../src/linux/netlink/link-change.js', import.meta.url).href)}
     const netlink = openNetlink()
     console.log(getLink(netlink, 'lo').index)
     try { createLink(netlink, { kind: 'bridge', name: 'tare-never' }) } catch (error) { console.log(error.message) }`,
  ])
  assert.equal(
    String(child.stdout),
    `1
cannot create link tare-never of kind bridge: EPERM (operation not permitted)
Changing a network needs CAP_NET_ADMIN in the user namespace that owns the network namespace.
`,
    String(child.stderr),
  )
})
