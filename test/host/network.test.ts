// Containers with a link to the host (network veth). The "host" is a network namespace that this process makes for itself.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Container } from '../../src/engine/container.ts'
import { container } from '../../src/engine/container.ts'
import type { ContainerOptions, RunOptions } from '../../src/engine/options.ts'
import { run } from '../../src/engine/run.ts'
import { readCgroupLayout } from '../../src/linux/cgroup/layout.ts'
import { openNetlink } from '../../src/linux/netlink/socket.ts'
import { deleteTable, listTables } from '../../src/linux/netlink/nft-table.ts'
import { forwardingProblem } from '../../src/network/forwarding.ts'
import { HostLink } from '../../src/network/host-link.ts'
import { NO_BUSYBOX, makeBusybox } from '../cli/machine.ts'
import { startTare, tare } from '../cli/tare.ts'
import { until } from '../until.ts'
import { expectNothingLeft, reapOrphans } from './leaks.ts'
import { failOwnSteps, failStageSteps, subject } from './leaks-fault.ts'
import {
  ELSEWHERE,
  HOST,
  ask,
  askFromElsewhere,
  askFromHere,
  enterScene,
  lacksNetworks,
  leftOfLinks,
  ruleset,
  serve,
  serveElsewhere,
  serveHere,
  setForwarding,
} from './network-scene.ts'
import type { Transport } from './network-scene.ts'

const lack = lacksNetworks()
const { nothingLeft, scratch } = await expectNothingLeft()
const elsewhere = lack === undefined ? enterScene() : { nsenter: [] }
// Makes the file of leases, which stays.
if (lack === undefined) await run(['true'], { network: 'veth' })

const linkTest = (name: string, body: (t: TestContext) => Promise<void>): void => {
  test(name, { skip: lack ?? false }, async (t) => {
    nothingLeft(t)
    await body(t)
    assert.deepEqual(leftOfLinks(), [], 'no link, and no table of rules, is left')
  })
}

/** A container with a server in it that answers on this port. */
const serving = async (port: number, options: ContainerOptions = {}): Promise<Container> => {
  const box = await container({ network: 'veth', ...options })
  const lines = box.exec(serve(port), { buffer: false })
  lines.catch(() => undefined)
  assert.ok(lines.stdout !== undefined)
  await once(lines.stdout, 'data')
  return box
}

const askFrom = async (box: Container, kind: Transport, address: string, port: number): Promise<string> =>
  (await box.exec(ask(kind, address, port))).stdout

linkTest('a server in a container is reached from the host over the link', async () => {
  await using box = await serving(80)
  const { address } = box
  assert.ok(address !== undefined)
  assert.match(address, /^10\.213\.0\.\d+$/)
  const host = await askFromHere('tcp', address, 80)
  assert.match(host, /^10\.213\.0\.\d+$/, 'it sees the address of the host on the link')
  assert.equal(await askFromHere('udp', address, 80), host)
  const { stdout } = await box.exec(['cat', '/proc/net/route'])
  const [, first] = stdout.split('\n')
  assert.match(first ?? '', /^eth0\t00000000\t/, 'its default route is by the link')
})

linkTest('a container reaches others with the address of the host, if the host forwards', async (t) => {
  const close = await serveElsewhere(elsewhere, 7000)
  t.after(close)
  await using box = await container({ network: 'veth' })
  setForwarding('0')
  assert.match(forwardingProblem()?.reason ?? '', /forwards no packets that come in by uplink/)
  assert.equal(await askFrom(box, 'udp', ELSEWHERE, 7000), 'ETIMEDOUT')
  setForwarding('1')
  assert.equal(forwardingProblem(), undefined)
  assert.equal(await askFrom(box, 'tcp', ELSEWHERE, 7000), HOST)
  assert.equal(await askFrom(box, 'udp', ELSEWHERE, 7000), HOST)
  await close()
})

linkTest('published ports are reached at the loopback, from elsewhere, and from the container itself', async () => {
  setForwarding('1')
  await using box = await serving(80, { publish: ['8080:80', '8080:80/udp', '127.0.0.1:8081:80', `${HOST}:8082:80`] })
  const { address = '' } = box
  const gateway = await askFromHere('tcp', address, 80)
  for (const kind of ['tcp', 'udp'] as const) {
    assert.equal(await askFromHere(kind, '127.0.0.1', 8080), gateway, kind)
    assert.equal(await askFromHere(kind, HOST, 8080), HOST, kind)
    assert.equal(askFromElsewhere(elsewhere, kind, HOST, 8080), ELSEWHERE, kind)
    assert.equal(await askFrom(box, kind, HOST, 8080), gateway, kind)
  }
  assert.equal(await askFromHere('tcp', '127.0.0.1', 8081), gateway)
  assert.equal(askFromElsewhere(elsewhere, 'tcp', HOST, 8081), 'ECONNREFUSED', 'it is for the loopback alone')
  assert.equal(askFromElsewhere(elsewhere, 'tcp', HOST, 8082), ELSEWHERE)
  assert.equal(await askFromHere('tcp', '127.0.0.1', 8082), 'ECONNREFUSED', 'it is for one address alone')
  assert.equal(askFromElsewhere(elsewhere, 'tcp', address, 80), 'ECONNREFUSED', 'what is not published is not reached')
})

linkTest('the host itself is not reached from a container, at any of its addresses', async (t) => {
  setForwarding('1')
  const server = await serveHere('0.0.0.0')
  t.after(server.close)
  await using box = await serving(80)
  const gateway = await askFromHere('tcp', box.address ?? '', 80)
  const began = performance.now()
  for (const address of [gateway, HOST])
    assert.equal(await askFrom(box, 'tcp', address, server.port), 'ECONNREFUSED', address)
  assert.ok(performance.now() - began < 4000, 'it is told at once')
  assert.equal(server.visits(), 0)
  assert.equal(await askFromHere('tcp', '127.0.0.1', server.port), 'host')
  await server.close()
})

/** Sends one datagram to 127.0.0.1 of whoever is at the other end, as no honest kernel would. */
const FORGE = `
import socket, struct, sys, time
gateway, port = sys.argv[1], int(sys.argv[2])
source = sys.argv[3]
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', (gateway, 9))
mac = None
while mac is None:
    for line in open('/proc/net/arp').read().splitlines()[1:]:
        fields = line.split()
        if fields[0] == gateway and fields[3] != '00:00:00:00:00:00':
            mac = bytes.fromhex(fields[3].replace(':', ''))
    time.sleep(0.01)
own = bytes.fromhex(open('/sys/class/net/eth0/address').read().strip().replace(':', ''))
body = b'forged'
udp = struct.pack('!HHHH', 4000, port, 8 + len(body), 0) + body
header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(sys.argv[4]))
total = sum(struct.unpack('!10H', header))
total = (total & 0xffff) + (total >> 16)
header = header[:10] + struct.pack('!H', ~(total + (total >> 16)) & 0xffff) + header[12:]
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(('eth0', 0))
raw.send(mac + own + b'\\x08\\x00' + header + udp)
`

linkTest("the host's loopback is not reached by forged packets, which without the walls it would be", async () => {
  const listener = createSocket('udp4')
  const heard: string[] = []
  listener.on('message', (_, { address }) => heard.push(address))
  listener.bind(0, '127.0.0.1')
  await once(listener, 'listening')
  // With a published port, the link may carry packets of the loopback.
  await using box = await serving(80, { publish: ['8080:80'], capAdd: ['NET_RAW'] })
  const { address = '' } = box
  const gateway = await askFromHere('tcp', address, 80)
  const forge = (source: string): Promise<unknown> =>
    Promise.resolve(
      box.exec(['/usr/bin/python3', '-c', FORGE, gateway, String(listener.address().port), source, '127.0.0.1']),
    ).then(({ exitCode, stderr }) => assert.equal(exitCode, 0, stderr))
  await forge(address)
  await forge('192.0.2.77')
  await sleep(200)
  assert.deepEqual(heard, [])
  using rules = openNetlink({ protocol: 'netfilter' })
  const [walls = ''] = listTables(rules).filter((name) => !name.endsWith('.nat'))
  assert.ok(deleteTable(rules, walls))
  await forge(address)
  for (const begin = performance.now(); heard.length === 0 && performance.now() - begin < 5000;) await sleep(10)
  assert.deepEqual(heard, [address])
  listener.close()
})

linkTest(
  'two containers at once have addresses of their own, and reach only what the other has published',
  async () => {
    setForwarding('1')
    await using one = await serving(80, { publish: ['8080:80'], hostname: 'twin' })
    await using other = await serving(81, { publish: ['8081:81'], hostname: 'twin' })
    assert.notEqual(one.address, other.address)
    assert.equal(await askFrom(one, 'tcp', other.address ?? '', 81), 'ECONNREFUSED')
    assert.equal(await askFrom(one, 'tcp', HOST, 8081), await askFromHere('tcp', other.address ?? '', 81))
    assert.equal(await askFrom(other, 'tcp', HOST, 8080), await askFromHere('tcp', one.address ?? '', 80))
    const many = await Promise.all(Array.from({ length: 5 }, () => container({ network: 'veth' })))
    const addresses = [one, other, ...many].map(({ address }) => address)
    assert.equal(new Set(addresses).size, 7)
    await Promise.all(many.map((box) => box.stop()))
  },
)

linkTest('an address of choice, which is then in use', async () => {
  await using box = await container({ network: 'veth', ip: '10.77.0.9' })
  assert.equal(box.address, '10.77.0.9')
  const refused = (ip: string): Promise<void> =>
    assert.rejects(run(['true'], { network: 'veth', ip }), { code: 'ERR_TARE_INPUT', message: /it is in use/ })
  await refused('10.77.0.9')
  await refused('10.77.0.8')
  await refused('192.0.2.30')
})

linkTest('what can not be had is said before anything is started', async (t) => {
  const server = createServer().listen(8090)
  await once(server, 'listening')
  t.after(() => server.close())
  const refused = (options: RunOptions, message: RegExp): Promise<void> =>
    assert.rejects(run(['true'], { network: 'veth', ...options }), { message })
  await refused(
    { publish: ['8090:80'] },
    /^cannot publish the port 8090:80\/tcp: EADDRINUSE .*\nPort 8090 of 0\.0\.0\.0 must/,
  )
  await refused({ publish: ['8091:80', '8090:80'] }, /^cannot publish the port 8090:80\/tcp: EADDRINUSE/)
  await refused({ publish: ['198.51.100.1:8091:80'] }, /^cannot publish the port .*: EADDRNOTAVAIL/)
  await refused({ publish: ['8091:80', '127.0.0.1:8091:81'] }, /^cannot publish the port 8091: it is given twice/)
  await refused({ publish: ['0:80'] }, /0 is no port/)
  await refused({ publish: ['80:65536'] }, /65536 is no port/)
  await refused({ ip: '10.1.2' }, /^cannot read IP address "10\.1\.2"/)
  await refused({ dns: ['here'] }, /^cannot read IP address "here"/)
  await refused({ network: 'none', publish: ['1:1'] }, /^cannot use publish: the container has no link to anywhere/)
  await refused({ network: 'host', ip: '10.1.1.1' }, /^cannot use ip: the network is the host's/)
  await refused({ network: 'none', dns: ['10.1.1.1'] }, /^cannot use dns/)
  assert.deepEqual(leftOfLinks(), [])
  server.close()
  await once(server, 'close')
})

linkTest('a port is free again when the container has ended', async () => {
  for (let round = 0; round < 3; round++) {
    await using box = await serving(80, { publish: ['8080:80', '8080:80/udp'] })
    assert.notEqual(await askFromHere('tcp', '127.0.0.1', 8080), '')
    await box.stop()
    assert.deepEqual(leftOfLinks(), [])
    assert.equal(await askFromHere('tcp', '127.0.0.1', 8080), 'ECONNREFUSED')
  }
})

linkTest('of a container whose tare was killed, its walls are left until the next is started', async (t) => {
  const child = startTare(
    ['run', '--network=veth', '-p', '8080:80', '-h', 'victim', 'sleep', '1000'],
    ['ignore', 'ignore', 'inherit'],
  )
  t.after(() => child.kill('SIGKILL'))
  await until('the link and both tables are there', () => leftOfLinks().length === 3)
  const [name = ''] = leftOfLinks()
  assert.match(name, /^tare\d+-victim$/)
  child.kill('SIGKILL')
  await once(child, 'close')
  await until('all but one of them is gone', () => leftOfLinks().length === 1)
  assert.deepEqual(leftOfLinks(), [name], 'its link and what leads to it are gone at once')
  // Its PID 1 was given to this process when its parent was killed.
  await until('that has ended', () => reapOrphans() > 0)
  const { exitCode } = await run(['true'], { network: 'veth', publish: ['8080:80'] })
  assert.equal(exitCode, 0)
})

linkTest('nothing is left whichever step fails', async (t) => {
  const each = { ...subject({ network: 'veth', publish: ['8080:80'] }), network: newLink }
  const own = await failOwnSteps(each)
  const stage = await failStageSteps(each)
  assert.equal(own.failed + own.infallible, each.plan.prepare.length + each.plan.grant.length + 1)
  assert.equal(stage.failed + stage.infallible, each.plan.stage.length)
  t.diagnostic(`${own.failed + stage.failed} failures`)
})

const newLink = (): HostLink => new HostLink({ hostname: 'fault', ports: [{ hostPort: 8080, port: 80 }] })

linkTest('nothing is left where the link can not be made', async () => {
  const { plan, host } = subject({ network: 'veth' })
  const { startContainer } = await import('../../src/runtime/start.ts')
  const link = newLink()
  const network = {
    attach: (pid: number) => {
      link.attach(pid)
      throw new Error('no more')
    },
    descriptors: link.descriptors,
    leave: () => link.leave(),
    release: () => link.release(),
  }
  await assert.rejects(startContainer(plan, { stdio: [0, 1, 2], host, network }), /no more/)
})

linkTest('the rules are those that are meant', async () => {
  await using box = await container({ network: 'veth', hostname: 'a', publish: ['8080:80', '127.0.0.1:53:5353/udp'] })
  const rules = ruleset()
    .replaceAll(leftOfLinks()[0] ?? '', 'LINK')
    .replaceAll(box.address ?? '', 'ADDRESS')
    .replace(/ # progname .*/, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !/^(?:type |\}|$)/.test(line))
  assert.deepEqual(rules, [
    'table inet LINK {',
    'chain prerouting {',
    'iifname "LINK" ip saddr != ADDRESS drop',
    'iifname "LINK" ip daddr 127.0.0.0/8 drop',
    'chain input {',
    'iifname "LINK" ct state established,related accept',
    'iifname "LINK" meta l4proto tcp reject with tcp reset',
    'iifname "LINK" reject with icmpx admin-prohibited',
    'chain forward {',
    'oifname "LINK" ct state established,related accept',
    'oifname "LINK" ct status dnat accept',
    'oifname "LINK" meta l4proto tcp reject with tcp reset',
    'oifname "LINK" reject with icmpx admin-prohibited',
    'table inet LINK.nat {',
    'flags owner',
    'chain prerouting {',
    'meta nfproto ipv4 fib daddr type local tcp dport 8080 dnat ip to ADDRESS:80',
    'chain output {',
    'meta nfproto ipv4 fib daddr type local tcp dport 8080 dnat ip to ADDRESS:80',
    'ip daddr 127.0.0.1 udp dport 53 dnat ip to ADDRESS:5353',
    'chain postrouting {',
    'ip saddr ADDRESS masquerade',
    'oifname "LINK" ip saddr 127.0.0.0/8 masquerade',
  ])
})

linkTest('names: its own, and name servers of the host or of choice', async () => {
  const files = ['cat', '/etc/resolv.conf', '/etc/hosts']
  const { stdout } = await run(files, { network: 'veth', hostname: 'named', dns: ['198.51.100.53'] })
  assert.match(stdout, /^nameserver 198\.51\.100\.53\n/)
  assert.match(stdout, /^127\.0\.1\.1\tnamed$/m)
  const host = await run(files, { network: 'veth', hostname: 'named', dns: ['198.51.100.53'], rootfs: 'host' })
  assert.match(host.stdout, /^nameserver 198\.51\.100\.53\n/)
  assert.match(host.stdout, /^127\.0\.1\.1\tnamed$/m)
  const lookup = await run(
    ['/usr/bin/python3', '-c', 'import socket; print(socket.gethostbyname(socket.gethostname()))'],
    {
      network: 'veth',
      rootfs: 'host',
    },
  )
  assert.equal(lookup.stdout, '127.0.1.1\n')
})

linkTest('names in a tree whose files lead elsewhere, and say so already', async () => {
  const tree = scratch()
  for (const directory of ['etc', 'usr', 'proc', 'sys', 'dev', 'run']) mkdirSync(join(tree, directory))
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) symlinkSync(`usr/${name}`, join(tree, name))
  symlinkSync('../run/systemd/resolve/stub-resolv.conf', join(tree, 'etc/resolv.conf'))
  writeFileSync(join(tree, 'etc/hosts'), '127.0.0.1 localhost named # mine\n')
  const options: RunOptions = {
    network: 'veth',
    hostname: 'named',
    rootfs: tree,
    overlay: true,
    dns: ['198.51.100.53'],
    mounts: [{ source: '/usr', target: '/usr', readOnly: true, idmap: false }],
  }
  const { stdout, stderr } = await run(['cat', '/etc/resolv.conf', '/etc/hosts'], options)
  assert.equal(stderr, '')
  assert.match(stdout, /^nameserver 198\.51\.100\.53\n/)
  assert.match(stdout, /^127\.0\.0\.1 localhost named # mine$/m)
  assert.doesNotMatch(stdout, /127\.0\.1\.1/)
  const own = await run(['cat', '/etc/resolv.conf'], {
    ...options,
    mounts: [
      ...(options.mounts ?? []),
      { source: join(tree, 'etc/hosts'), target: '/run/systemd/resolve/stub-resolv.conf' },
    ],
  })
  assert.match(own.stdout, /^127\.0\.0\.1 localhost named # mine$/m, 'what the caller mounts there is what is there')
})

const NO_MACHINE =
  NO_BUSYBOX || (readCgroupLayout().hierarchies.some(({ version }) => version === 2) ? false : 'needs cgroup v2')
// Here, so that it goes with the file and not with the test.
const box = (lack ?? NO_MACHINE) === false ? makeBusybox() : ''

test(
  'a machine in the background: a service that its init starts is reached, also after it was booted anew',
  { skip: lack ?? NO_MACHINE },
  async (t) => {
    nothingLeft(t)
    symlinkSync('busybox', join(box, 'bin/httpd'))
    writeFileSync(join(box, 'root/index.html'), 'served\n')
    writeFileSync(join(box, 'etc/inittab'), '::respawn:/bin/httpd -f -p 80 -h /root\n')
    const name = `net${process.pid}`
    const call = (...args: readonly string[]): string => {
      const { status, stdout, stderr } = tare(args)
      assert.equal(status, 0, stderr)
      return stdout
    }
    const get = async (url: string): Promise<string> => {
      for (const begin = performance.now(); ; await sleep(20)) {
        try {
          return await (await fetch(url, { headers: { connection: 'close' } })).text()
        } catch (error) {
          if (performance.now() - begin > 10_000) throw error
        }
      }
    }
    call('boot', '-d', '--name', name, '--network=veth', '-p', '127.0.0.1:8080:80', '--ip', '10.213.7.7', box)
    t.after(() => tare(['poweroff', '--force', name]))
    assert.equal(await get('http://127.0.0.1:8080/'), 'served\n')
    assert.equal(await get('http://10.213.7.7/'), 'served\n')
    const inUse = tare(['run', '--network=veth', '-p', '8080:80', 'true'])
    assert.equal(inUse.status, 125)
    assert.match(inUse.stderr, /^tare: cannot publish the port 8080:80\/tcp: EADDRINUSE/)
    assert.equal(leftOfLinks().length, 3, 'what another start cleans up is not what is in use')
    call('reboot', name)
    assert.equal(await get('http://127.0.0.1:8080/'), 'served\n')
    assert.equal(leftOfLinks().length, 3)
    call('poweroff', '--force', name)
    assert.deepEqual(leftOfLinks(), [])
    // One for each boot: what kept the machine is no child of who started it, and so was given to this process.
    let orphans = 0
    await until('both have ended', () => (orphans += reapOrphans()) >= 2)
    assert.equal(await askFromHere('tcp', '127.0.0.1', 8080), 'ECONNREFUSED')
  },
)

linkTest('it is planned and performed the same way again and again', async () => {
  for (let round = 0; round < 3; round++) {
    const { stdout, exitCode } = await run(['cat', '/sys/class/net/eth0/operstate'], {
      network: 'veth',
      userns: 'host',
    })
    assert.deepEqual([stdout, exitCode], ['up\n', 0])
    const direct = await run(['cat', '/sys/class/net/eth0/mtu'], { network: 'veth', init: false })
    assert.deepEqual([direct.stdout, direct.exitCode], ['1500\n', 0])
  }
})
