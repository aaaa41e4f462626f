import assert from 'node:assert/strict'
import { test } from 'node:test'

import { container } from '../../src/engine/container.ts'
import { run } from '../../src/engine/run.ts'
import { isRoot, lines, refusal, sh, statusOf } from './contained.ts'
import { expectNothingLeft } from './leaks.ts'

const { nothingLeft } = await expectNothingLeft()

const DEFAULT = '00000000000405fb'
const NONE = '0000000000000000'

test('the working directory, the umask and the host name are what was asked for', async (t) => {
  nothingLeft(t)
  const script = 'pwd; umask; hostname; grep -o box.example /etc/hosts; getent hosts $(hostname) | awk "{print \\$1}"'
  const options = { workdir: '/var/tmp', umask: 0o077, hostname: 'box.example' }
  const [directory, umask, name, file] = await lines(script, options)
  assert.deepEqual([directory, umask, name, file], ['/var/tmp', '0077', 'box.example', 'box.example'])
  assert.equal(await sh('pwd; umask'), '/\n0022')
  assert.match(await sh('hostname'), /^[0-9a-f]{12}$/)
  await assert.rejects(
    async () => run(['true'], { workdir: '/nowhere' }),
    /^TareError: cannot enter \/nowhere: ENOENT .*\nThe working/,
  )
})

test('nothing of the environment goes in but what is given', async (t) => {
  nothingLeft(t)
  process.env['TARE_TEST_SECRET'] = 'secret'
  t.after(() => delete process.env['TARE_TEST_SECRET'])
  const { stdout } = await run(['env'], { hostname: 'box', env: { GIVEN: 'a=b', EMPTY: '', HOME: undefined } })
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  assert.deepEqual(stdout.trim().split('\n').toSorted(), ['EMPTY=', 'GIVEN=a=b', 'HOSTNAME=box', path])
  assert.equal(await sh('cat /proc/1/environ | tr "\\0" "\\n"; true'), '', 'neither does PID 1 have it')
})

test('a program is told another name, the same by each of the ways to start one', async (t) => {
  nothingLeft(t)
  const program = { argv0: '-shell', stdin: { text: 'echo $0' } }
  // The first is planned, the second kept as a template, the third filled in.
  for (let round = 0; round < 3; round++) assert.equal((await run(['sh'], program)).stdout, '-shell\n')
  assert.equal((await run(['sh'], { stdin: { text: 'echo $0' } })).stdout, 'sh\n', 'and not the next one')
  await using box = await container()
  assert.equal((await box.exec(['/bin/sh'], program)).stdout, '-shell\n')
  assert.match(await refusal({ argv0: 'a\0b' }), /a word of the command is no text without NUL characters/)
})

test('no descriptor goes in but 0, 1 and 2', async (t) => {
  nothingLeft(t)
  assert.deepEqual(await lines('ls /proc/self/fd'), ['0', '1', '2', '3'], 'the last is that of ls itself')
  assert.equal(await sh('ls -l /proc/self/fd/0 | sed "s/.* -> //"'), '/dev/null')
})

test('the default user is root with few capabilities and no more to be had', async (t) => {
  nothingLeft(t)
  assert.equal(await sh('id -u; id -g; id -G'), '0\n0\n0')
  for (const [field, value] of [
    ['CapInh', NONE],
    ['CapPrm', DEFAULT],
    ['CapEff', DEFAULT],
    ['CapBnd', DEFAULT],
    ['CapAmb', NONE],
    ['NoNewPrivs', '1'],
    ['Seccomp', '2'],
  ] as const)
    assert.equal(await statusOf(field), value, field)
})

test('capabilities are added and dropped', async (t) => {
  nothingLeft(t)
  const bounding = (options: object): Promise<string> => statusOf('CapBnd', options)
  const netRaw = 1n << 13n
  const hex = (set: bigint): string => set.toString(16).padStart(16, '0')
  assert.equal(await bounding({ capAdd: ['net_raw'] }), hex(BigInt(`0x${DEFAULT}`) | netRaw))
  assert.equal(await bounding({ capDrop: ['CAP_KILL', 'chown'] }), hex(BigInt(`0x${DEFAULT}`) & ~0x21n))
  assert.equal(await bounding({ capDrop: ['ALL'] }), NONE)
  assert.equal(await statusOf('CapEff', { capDrop: ['all'] }), NONE)
  assert.equal(await bounding({ capDrop: ['ALL'], capAdd: ['NET_RAW'] }), hex(netRaw))
  assert.match(await bounding({ capAdd: ['ALL'] }), /^000001ffffffffff$/)
  assert.equal(await bounding({ capAdd: ['ALL'], capDrop: ['sys_admin'] }), hex(0x1ffffffffffn & ~(1n << 21n)))
  assert.match(await refusal({ capAdd: ['CAP_FLY'] }), /CAP_FLY/)
})

test('another user has what was added by name, and nothing else', async (t) => {
  if (!isRoot) return t.skip('needs root, for more than one id')
  nothingLeft(t)
  const user = { user: '54321:1001', groups: [5, 2000] }
  assert.equal(await sh('id -u; id -g; id -G; echo $HOME; whoami', user), '54321\n1001\n1001 5 2000\n/home\nuser54321')
  assert.deepEqual([await statusOf('CapEff', user), await statusOf('CapAmb', user)], [NONE, NONE])
  const added = { ...user, capAdd: ['net_raw'] }
  const netRaw = '0000000000002000'
  assert.deepEqual(
    [await statusOf('CapEff', added), await statusOf('CapPrm', added), await statusOf('CapAmb', added)],
    [netRaw, netRaw, netRaw],
  )
  assert.match(await refusal({ user: 'someone' }), /^cannot use user someone: the root has no user of that name/)
  assert.match(
    await refusal({ user: 70000 }),
    /^cannot run as user 70000: the id is not mapped in the container\nMap it/,
  )
  assert.match(await refusal({ groups: [70000] }), /^cannot run as group 70000: /)
  assert.match(await refusal({ user: 'a:b:c' }), /it is not NAME, UID/)
})

test('the system calls are filtered by default, not at all, or by a profile', async (t) => {
  nothingLeft(t)
  assert.equal(await statusOf('Seccomp', { seccomp: 'unconfined' }), '0')
  assert.equal(await sh('unshare -U true 2>&1 | grep -o "not permitted"'), 'not permitted')
  assert.equal(await sh('unshare -U true && echo made', { seccomp: 'unconfined' }), 'made')
  const profile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: [process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64'],
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 74 }],
  } as const
  const denied = await run(['mkdir', '/x'], { seccomp: profile })
  assert.match(denied.stderr, /Bad message/)
  const kept = await run(['mkdir', '/x'], { seccomp: profile, noNewPrivileges: false })
  assert.match(kept.stderr, /Bad message/)
  assert.match(await refusal({ seccomp: 'strict' }), /it is default, unconfined or a profile/)
  assert.match(
    await refusal({
      seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] },
    }),
    /SCMP_ACT_NOTIFY needs/,
  )
})

test('privileges can be gained only if that is allowed', async (t) => {
  nothingLeft(t)
  assert.equal(await statusOf('NoNewPrivs', { noNewPrivileges: false }), '0')
  assert.equal(await statusOf('CapEff', { noNewPrivileges: false }), DEFAULT)
  assert.equal(await statusOf('Seccomp', { noNewPrivileges: false }), '2')
})

test('limits of processes are set, to one value or two', async (t) => {
  nothingLeft(t)
  const ulimits = { nofile: [100, 200], core: 0, fsize: '4096' } as const
  assert.equal(await sh('ulimit -Sn; ulimit -Hn; ulimit -c', { ulimits }), '100\n200\n0')
  const { signal, exitCode } = await run(['sh', '-c', 'exec dd if=/dev/zero of=/big bs=8k count=4 2>/dev/null'], {
    ulimits,
  })
  assert.deepEqual([signal, exitCode], ['SIGXFSZ', undefined])
  assert.match(await refusal({ ulimits: { files: 3 } }), /files/)
  assert.match(await refusal({ ulimits: { nofile: [5, 3] } }), /nofile|NOFILE/)
})

test('sysctls of its own namespaces are set, those of the host refused', async (t) => {
  nothingLeft(t)
  const sysctls = { 'net.ipv4.ip_forward': 1, 'kernel.msgmax': '16384', 'fs/mqueue/msg_max': 20 }
  const read = 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max'
  assert.equal(await sh(read, { sysctls }), '1\n16384\n20')
  assert.match(await refusal({ sysctls: { 'kernel.core_pattern': '|/x' } }), /it belongs to the whole host/)
  assert.match(await refusal({ sysctls: { 'kernel.shm_rmid_forced/../core_pattern': 1 } }), /^cannot set the sysctl/)
  assert.match(await refusal({ sysctls: { 'net.x': 1 }, network: 'host' }), /the network is the host's/)
  await assert.rejects(
    async () => run(['true'], { sysctls: { 'net.ipv4.no_such_thing': 1 } }),
    /^TareError: cannot set the sysctl net.ipv4.no_such_thing to 1: ENOENT/,
  )
})

test('a device of the host is there if it is given, and works', async (t) => {
  nothingLeft(t)
  const devices = ['/dev/zero:/dev/given/nothing', '/dev/full']
  if (isRoot) {
    assert.equal(await sh('head -c 3 /dev/given/nothing | od -An -c', { devices }), '  \\0  \\0  \\0')
    assert.equal(await sh('head -c 2 /dev/given/nothing | wc -c', { devices: [devices[0] ?? ''], userns: 'host' }), '2')
  }
  assert.match(await refusal({ devices: ['/dev/no-such-device'] }), /the host has no such device/)
  assert.match(await refusal({ devices: ['/etc/passwd'] }), /both below \/dev/)
  assert.match(await refusal({ devices: ['/dev/../etc/passwd'] }), /both below \/dev/)
  assert.match(await refusal({ devices: ['/dev/pts'] }), /is not a device/)
})

test("only a loopback by default, and it is up; with the host's network all of it", async (t) => {
  nothingLeft(t)
  const interfaces = "sed -n 's/^ *\\([^:]*\\):.*/\\1/p' /proc/net/dev"
  assert.deepEqual(await lines(interfaces), ['lo'])
  assert.equal(await sh('cat /sys/class/net/lo/flags; ls /sys/class/net'), '0x9\nlo')
  assert.equal(await sh('grep -c . /proc/net/route'), '1', 'no route but the heading')
  const { readFileSync } = await import('node:fs')
  const own =
    readFileSync('/proc/net/dev', 'ascii')
      .match(/^ *[^ :]+(?=:)/gm)
      ?.map((name) => name.trim()) ?? []
  assert.deepEqual(await lines(interfaces, { network: 'host' }), own)
  assert.match(await refusal({ network: 'bridge' }), /it is none, host or veth/)
})

test('ids of the container are the ones of the host that the mappings say', async (t) => {
  nothingLeft(t)
  const maps = 'cat /proc/self/uid_map /proc/self/gid_map'
  const words = async (options: object): Promise<readonly string[]> =>
    (await lines(maps, options)).map((line) => line.trim().split(/\s+/).join(' '))
  if (!isRoot) {
    const [uid, gid] = [process.geteuid?.(), process.getegid?.()]
    assert.deepEqual(await words({}), [`0 ${uid} 1`, `0 ${gid} 1`])
    assert.match(await refusal({ userns: 'host' }), /that takes root/)
    return
  }
  const [uids = '', gids] = await words({})
  const [, outside = '', size] = uids.split(' ')
  assert.equal(uids, gids)
  assert.equal(size, '65536')
  assert.ok(Number(outside) >= 0x80000 && Number(outside) < 0x70000000 && Number(outside) % 65536 === 0, outside)
  assert.deepEqual(await words({ userns: 'host' }), ['0 0 4294967295', '0 0 4294967295'])
  const uidMappings = [
    { inside: 0, outside: 700000, size: 10 },
    { inside: 10, outside: 800000, size: 5 },
  ]
  assert.deepEqual(await words({ uidMappings }), ['0 700000 10', '10 800000 5', '0 700000 10', '10 800000 5'])
  const gidMappings = [{ inside: 0, outside: 900000, size: 1 }]
  assert.deepEqual((await words({ uidMappings, gidMappings })).at(-1), '0 900000 1')
  assert.match(await refusal({ uidMappings: [{ inside: 1, outside: 700000, size: 10 }] }), /they leave out id 0/)
  assert.match(await refusal({ userns: 'keep-id' }), /the caller is root/)
  assert.match(await refusal({ userns: 'own' }), /it is auto, host or keep-id/)
  assert.match(await refusal({ userns: 'auto', uidMappings }), /are given too/)
})

test('what is no option, no command or no value is refused before anything starts', async (t) => {
  nothingLeft(t)
  assert.match(
    await refusal({ memroy: 1 }),
    /^cannot use option memroy: there is none of that name\nDid you mean memory\?/,
  )
  assert.match(await refusal({}, []), /there is no command/)
  assert.match(await refusal({}, ['']), /there is no command/)
  assert.match(await refusal({}, ['a', 'b\0c']), /NUL/)
  assert.match(await refusal({ workdir: 'x' }), /not an absolute path/)
  assert.match(await refusal({ hostname: 'a_b' }), /at most 64 letters/)
  assert.match(await refusal({ env: { 'A=B': 'x' } }), /a name has no "="/)
  assert.match(await refusal({ env: { A: 'x\0y' } }), /NUL/)
  assert.match(await refusal({ stdin: 'text' }), /it is ignore, inherit, pipe/)
  assert.match(await refusal({ stdout: 'file' }), /it is pipe, inherit or ignore/)
  assert.match(await refusal({ timeout: 'soon' }), /soon/)
  assert.match(await refusal({ timeout: '600h' }), /the longest is 24 days/)
  assert.match(await refusal({ maxBuffer: -1 }), /-1/)
  assert.match(await refusal({ umask: 0o1000 }), /umask/)
  assert.match(await refusal({ umask: 1.5 }), /umask/)
})

test('a program that is not there, or can not be run, is told by name', async (t) => {
  nothingLeft(t)
  const failing = async (command: readonly string[], options = {}): Promise<string> => {
    const error: unknown = await run(command, options).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof Error)
    return error.message
  }
  assert.match(
    await failing(['no-such-program']),
    /^cannot find no-such-program in \/usr\/local\/sbin:.*: ENOENT .*\nGive/,
  )
  assert.match(await failing(['/no/such']), /^cannot run \/no\/such: ENOENT/)
  assert.match(await failing(['/etc/passwd']), /^cannot run \/etc\/passwd: EACCES/)
  assert.match(await failing(['passwd'], { env: { PATH: '/etc' } }), /^cannot run passwd: EACCES .*\nIt was found/)
  const path = '/etc:/nowhere:/etc/passwd:/usr/bin'
  assert.equal((await run(['true'], { env: { PATH: path } })).exitCode, 0)
})
