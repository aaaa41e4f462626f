import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import type { RunOptions } from '../../src/engine/options.ts'
import { run } from '../../src/engine/run.ts'
import { trySyscall } from '../../src/linux/syscall.ts'
import { getXattr } from '../../src/linux/xattr.ts'
import { lacksRoot } from './child.ts'
import { isRoot, lines, said, sh, statusOf } from './contained.ts'
import { expectNothingLeft } from './leaks.ts'
import { ATTACK, attackMount, attemptOnHost, attempts, buildAttack, callOf } from './leaks-attack.ts'

const { nothingLeft, scratch } = await expectNothingLeft()
const attack = buildAttack(scratch())
const skip = attack.lack ?? false

/** The containers that an ordinary user, and root, make: an attack must fail in each. */
const EACH: readonly RunOptions[] = isRoot ? [{}, { userns: 'host' }] : [{}]

/** All attempts must end the same way, in each kind of container. */
const all = async (outcome: string, each: readonly string[], options: RunOptions = {}): Promise<void> => {
  const expected = Object.fromEntries(each.map((attempt) => [attempt, outcome]))
  for (const kind of EACH) assert.deepEqual(await attempts(attack, each, { ...kind, ...options }), expected)
}

const F_GET_SEALS = 1034
const ALL_SEALS = 0xf

test('CVE-2019-5736: the program of the runtime is a sealed copy in memory', { skip }, async (t) => {
  nothingLeft(t)
  for (const kind of EACH) {
    const program = run(['sh', '-c', 'echo ready; sleep 1000'], kind)
    await said(program, 'ready')
    const exe = `/proc/${program.pid}/exe`
    if (isRoot) {
      assert.equal(readlinkSync(exe), '/memfd:tare-stage (deleted)')
      const fd = openSync(exe, 'r')
      assert.equal(trySyscall('fcntl', fd, F_GET_SEALS), ALL_SEALS)
      closeSync(fd)
    }
    program.kill('SIGKILL')
    await program
  }
  // From inside PID 1 is opaque, so the way to it by /proc is closed; and a program can't get hold of it by being it.
  await all('EACCES', ['readlink /proc/1/exe', 'write /proc/1/exe', 'overwrite /proc/1/exe'])
  const directory = scratch()
  writeFileSync(join(directory, 'evil'), '#!/proc/self/exe\n', { mode: 0o755 })
  const mounts = [{ source: directory, target: '/evil' }]
  for (const kind of EACH)
    for (const init of [true, false])
      assert.equal((await run(['/evil/evil'], { ...kind, init, mounts })).exitCode, 125, 'the stage, without a plan')
})

test('CVE-2022-0492: no release_agent is to be had', { skip }, async (t) => {
  nothingLeft(t)
  const agents = (): readonly string[] =>
    ['memory', 'pids', 'systemd', 'rdma'].map((name) => {
      const path = `/sys/fs/cgroup/${name}/release_agent`
      return existsSync(path) ? readFileSync(path, 'ascii') : ''
    })
  const before = agents()
  const script = `
    mkdir -p /tmp/c
    for how in '' 'unshare -UrmC'; do
      for which in memory pids rdma none,name=x; do
        $how sh -c "mount -t cgroup -o $which cgroup /tmp/c && echo '/tmp/evil' >/tmp/c/release_agent && echo owned"
      done
      $how sh -c "mount -t cgroup2 none /tmp/c && echo max >/tmp/c/memory.max && echo owned"
    done 2>/dev/null
    true
  `
  for (const kind of EACH)
    for (const seccomp of ['default', 'unconfined'] as const) assert.equal(await sh(script, { ...kind, seccomp }), '')
  assert.deepEqual(agents(), before)
  assert.equal(await sh('find / -name release_agent -o -name cgroup.procs 2>/dev/null; true'), '')
  if (!isRoot) return
  // With limits it sees its own groups, and can't change them.
  const view =
    'ls /sys/fs/cgroup | grep -c .; find /sys/fs/cgroup -exec sh -c "for f; do test -f $f && (echo 0 >$f) 2>/dev/null && echo wrote $f; done" - {} +; true'
  for (const kind of EACH) {
    const [groups, ...wrote] = await lines(view, { ...kind, memory: '64MiB', pids: 50 })
    assert.notEqual(groups, '0')
    assert.deepEqual(wrote, [])
  }
})

test('CVE-2024-21626: no descriptor and no working directory leads out', { skip }, async (t) => {
  const directory = scratch()
  nothingLeft(t)
  const marker = join(directory, 'marker')
  writeFileSync(marker, 'found')
  for (const kind of EACH) {
    assert.deepEqual(await lines('ls /proc/self/fd', kind), ['0', '1', '2', '3'])
    // PID 1 keeps the pipe by which it tells how the program ended; nobody may open it.
    assert.deepEqual(await lines('ls /proc/1/fd', kind), ['5'])
    assert.equal(await sh('cat /proc/1/fd/5 2>/dev/null || echo denied', kind), 'denied')
    for (let fd = 3; fd < 40; fd += 1) {
      const script = `for up in . .. ../.. ../../.. ../../../../../../../..; do cat $up${marker} 2>/dev/null; done; true`
      const options = { ...kind, workdir: `/proc/self/fd/${fd}` }
      const found = await run(['sh', '-c', script], options).then(
        ({ stdout }) => stdout,
        () => 'refused',
      )
      assert.notEqual(found, 'found')
      assert.ok(['', 'refused'].includes(found), `/proc/self/fd/${fd}: ${found}`)
    }
  }
})

test('a second chroot is no way out', { skip }, async (t) => {
  const directory = scratch()
  nothingLeft(t)
  const marker = join(directory, 'marker')
  writeFileSync(marker, '')
  assert.equal(attemptOnHost(attack, 'open', marker), 'done')
  if (isRoot) assert.equal(attemptOnHost(attack, 'escape', marker), 'done', 'from chroot(2) it is')
  await all('ENOENT', [`escape ${marker}`, `open /proc/1/root${marker}`.replace('/proc/1/root', '/proc/self/root')])
})

test('device nodes can be neither made nor used', { skip }, async (t) => {
  nothingLeft(t)
  const nodes = ['/dev/disk b 254 0', '/tmp/disk b 254 0', '/dev/memory c 1 1', '/dev/kmsg c 1 11', '/dev/zero2 c 1 5']
  await all(
    'EPERM',
    nodes.map((node) => `device ${node}`),
  )
  await all(
    'EPERM',
    nodes.map((node) => `device ${node}`),
    { seccomp: 'unconfined' },
  )
  const usual = ['full', 'null', 'random', 'tty', 'urandom', 'zero']
  assert.deepEqual(await lines('cd /dev; for f in *; do test -c $f && test ! -L $f && echo $f; done; true'), usual)
  assert.equal(await sh('find / -xdev -type b -o -path /dev -prune -o -type c -print 2>/dev/null; true'), '')
  if (!isRoot) return
  // In a user namespace not even the capability is enough; without one, the device cgroup stops what is not the usual.
  const may = { capAdd: ['mknod'], seccomp: 'unconfined' } as const
  const [disk = ''] = nodes.map((node) => `device ${node}`)
  assert.deepEqual(await attempts(attack, [disk], may), { [disk]: 'EPERM' })
  const zero = 'device /dev/zero2 c 1 5'
  assert.deepEqual(await attempts(attack, [disk, zero], { ...may, userns: 'host' }), {
    [disk]: 'EPERM',
    [zero]: 'done',
  })
})

test('masks and read-only mounts stay, and nothing can be mounted', { skip }, async (t) => {
  nothingLeft(t)
  const script = `
    for path in /proc/sys /proc/keys /proc/acpi /sys/firmware /proc /sys /dev /usr /; do
      umount $path && echo umounted $path; umount -l $path && echo detached $path
      mount -o remount,rw $path && echo remounted $path; mount -o remount,rw,bind $path && echo rebound $path
    done 2>/dev/null
    for type in proc sysfs tmpfs devtmpfs cgroup2 overlay mqueue; do mount -t $type none /tmp && echo mounted $type; done 2>/dev/null
    mount --bind /usr /tmp 2>/dev/null && echo bound
    mount -t ext4 /dev/vda /tmp 2>/dev/null && echo mounted disk
    cat /proc/keys /proc/timer_list /proc/interrupts; ls -A /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v ':$' | grep .
    true
  `
  for (const kind of EACH)
    for (const seccomp of ['default', 'unconfined'] as const) assert.equal(await sh(script, { ...kind, seccomp }), '')
})

test('CAP_SYS_ADMIN in a user namespace takes masks down, and gives no power over the host', { skip }, async (t) => {
  nothingLeft(t)
  const script = `
    umount /proc/sys && umount /proc/keys && mount -o remount,rw,bind /usr && echo down
    for path in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/drop_caches /proc/sysrq-trigger /usr/bin/x; do
      (echo x >$path) 2>/dev/null && echo wrote $path
    done
    mkdir /tmp/m; for type in devtmpfs ext4; do mount -t $type /dev/vda /tmp/m 2>/dev/null && echo mounted $type; done
    true
  `
  assert.deepEqual(await lines(script, { capAdd: ['SYS_ADMIN'] }), ['down'])
})

test('what changes the whole host is not to be written', { skip }, async (t) => {
  nothingLeft(t)
  const paths = [
    '/proc/sys/kernel/core_pattern',
    '/proc/sys/kernel/modprobe',
    '/proc/sys/kernel/hostname',
    '/proc/sys/vm/drop_caches',
    '/proc/sys/net/ipv4/ip_forward',
    '/proc/sys/fs/file-max',
    '/proc/sysrq-trigger',
    '/proc/irq/default_smp_affinity',
    '/sys/kernel/uevent_helper',
    '/sys/kernel/mm/ksm/run',
    '/sys/power/state',
    '/sys/block/vda/uevent',
  ].filter((path) => existsSync(path))
  assert.ok(paths.length >= 5)
  // As an ordinary user's root, what belongs to the host's root is refused before its being read-only is looked at.
  for (const kind of EACH)
    for (const seccomp of ['default', 'unconfined'] as const)
      for (const path of paths) {
        const script = `(echo x >${path}) 2>&1 | grep -o -e 'Read-only file system' -e 'Permission denied'`
        const readOnly =
          path === '/proc/sys/net/ipv4/ip_forward' || path === '/proc/sys/kernel/hostname' || 'userns' in kind
        if (readOnly) assert.equal(await sh(script, { ...kind, seccomp }), 'Read-only file system', path)
        else assert.notEqual(await sh(script, { ...kind, seccomp }), '', path)
      }
})

test("the kernel's memory, messages and keys are not to be read", { skip }, async (t) => {
  nothingLeft(t)
  for (const kind of EACH) {
    const script = `
      cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null
      head -c 1 /proc/kmsg 2>/dev/null; dmesg 2>/dev/null
      ls /dev/mem /dev/kmem /dev/kmsg /dev/port /dev/fuse /dev/net /dev/kvm 2>/dev/null
      grep -v '^0000000000000000' /proc/kallsyms | head -n 1
      true
    `
    assert.equal(await sh(script, kind), '')
  }
  await all('EPERM', ['keyctl'])
})

test('PID 1 is not to be looked into, changed or ended from inside', { skip }, async (t) => {
  nothingLeft(t)
  await all('EPERM', ['ptrace 1'])
  await all('EPERM', ['ptrace 1'], { seccomp: 'unconfined' })
  await all('EACCES', [
    'open /proc/1/mem',
    'write /proc/1/mem',
    'readlink /proc/1/root',
    'readlink /proc/1/cwd',
    'open /proc/1/environ',
  ])
  for (const kind of EACH)
    assert.equal(await sh('kill -KILL 1; kill -STOP 1; kill -KILL 1; sleep 0.2; echo alive', kind), 'alive')
})

test('other processes are neither seen nor reached', { skip }, async (t) => {
  nothingLeft(t)
  const victim = run(['sh', '-c', 'echo ready; exec sleep 1000'])
  await said(victim, 'ready')
  const pids = [process.pid, process.ppid, victim.pid ?? 0]
  for (const kind of EACH) {
    assert.deepEqual(await lines('for p in /proc/[0-9]*; do echo ${p#/proc/}; done', kind), ['1', '2'])
    assert.equal(await sh('sleep 1000 & kill -KILL -1; echo me', kind), 'me')
    for (const pid of pids) assert.equal(await sh(`kill -KILL ${pid} 2>/dev/null || echo none`, kind), 'none')
  }
  assert.equal(victim.kill('SIGTERM'), true, 'it was there all the time')
  assert.equal((await victim).signal, 'SIGTERM')
})

test('a terminal takes no characters as if typed', { skip }, async (t) => {
  nothingLeft(t)
  for (const kind of EACH) {
    const { stdout } = await run([ATTACK, 'type', '0'], { ...kind, tty: true, mounts: [attackMount(attack)] })
    assert.equal(stdout, '1\r\n', 'EPERM')
  }
})

test('no new namespaces, and with them no new capabilities', { skip }, async (t) => {
  nothingLeft(t)
  const flags = [
    '0x10000000',
    '0x20000',
    '0x40000000',
    '0x20000000',
    '0x8000000',
    '0x4000000',
    '0x2000000',
    '0x10020000',
  ]
  await all(
    'EPERM',
    flags.flatMap((flag) => [`unshare ${flag}`, `clone ${flag}`]),
  )
  // Its flags lie in memory, where no filter sees them: C libraries then use clone(2).
  await all('ENOSYS', ['clone3'])
})

test('calls that reach deep into the kernel are refused', { skip }, async (t) => {
  nothingLeft(t)
  const calls = [
    'mount',
    'umount2',
    'pivot_root',
    'setns',
    'open_tree',
    'move_mount',
    'fsopen',
    'bpf',
    'perf_event_open',
    'userfaultfd',
    'io_uring_setup',
    'keyctl',
    'add_key',
    'request_key',
    'init_module',
    'finit_module',
    'delete_module',
    'kexec_load',
    'reboot',
    'swapon',
    'settimeofday',
    'clock_settime',
    'sethostname',
    'open_by_handle_at',
    'syslog',
    'acct',
    'quotactl',
    'process_madvise',
    'pidfd_getfd',
    'kcmp',
  ] as const
  await all('EPERM', calls.map(callOf))
  const [AF_ALG, AF_VSOCK] = [38, 40]
  await all('EAFNOSUPPORT', [`socket ${AF_ALG} 5`, `socket ${AF_VSOCK} 1`])
})

test('sockets, shared memory and message queues of the host are not reached', { skip }, async (t) => {
  nothingLeft(t)
  const server = createServer()
  const name = `tare-test-${process.pid}`
  server.listen(`\0${name}`)
  await once(server, 'listening')
  try {
    await all('ECONNREFUSED', [`connect ${name}`])
    assert.deepEqual(await attempts(attack, [`connect ${name}`], { network: 'host' }), { [`connect ${name}`]: 'done' })
    assert.equal(await sh(`grep -c ${name} /proc/net/unix; true`), '0')
  } finally {
    server.close()
    await once(server, 'close')
  }
  const key = `0x7a7e${(process.pid & 0xffff).toString(16).padStart(4, '0')}`
  const own = [`shm ${key}`, `msg ${key}`, `mq /${name}`]
  try {
    for (const each of own) assert.equal(attemptOnHost(attack, ...each.split(' '), 'make'), 'done')
    for (const each of own) assert.equal(attemptOnHost(attack, ...each.split(' ')), 'done')
    await all('ENOENT', own)
    assert.equal(
      await sh('ls -A /dev/shm /dev/mqueue | grep -v : | grep . ; ipcs -q -m 2>/dev/null | grep -c 7a7e; true'),
      '0',
    )
  } finally {
    for (const kind of ['shm-remove', 'msg-remove']) attemptOnHost(attack, kind, key)
    attemptOnHost(attack, 'mq-remove', `/${name}`)
  }
})

test('set-user-id programs give nothing', async (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(`${lack}, to make one`)
  const directory = scratch()
  nothingLeft(t)
  const { copyFileSync, chmodSync } = await import('node:fs')
  copyFileSync('/usr/bin/id', join(directory, 'id'))
  chmodSync(join(directory, 'id'), 0o4755)
  const user = (options: RunOptions): Promise<string> =>
    sh('/data/id -u', { user: 1000, mounts: [{ source: directory, target: '/data', privileged: true }], ...options })
  assert.equal(await user({}), '1000')
  assert.equal(await user({ userns: 'host' }), '1000')
  assert.equal(await user({ noNewPrivileges: false }), '0', 'where both walls are taken down it does')
  const nosuid = { mounts: [{ source: directory, target: '/data' }] }
  assert.equal(await user({ noNewPrivileges: false, ...nosuid }), '1000', 'each is enough')
  assert.equal(await statusOf('CapBnd', { user: 1000 }), '00000000000405fb')
})

test('no set-user-id program is planted in a writable directory of the host', async (t) => {
  if (!isRoot) return t.skip('needs root, whose files it would be')
  const directory = scratch()
  nothingLeft(t)
  const tries = [
    'cp /usr/bin/id a; chmod 4755 a',
    'cp /usr/bin/id b; chmod u+s,g+s b',
    'install -m 6755 /usr/bin/id c',
    'python3 -c "import os; os.close(os.open(\'d\', os.O_CREAT | os.O_WRONLY, 0o4755))"',
    'python3 -c "import os; os.mknod(\'e\', 0o104755)"',
    'cp /usr/bin/id f; chmod 755 f; setcap cap_sys_admin+ep f',
  ]
  const plant = async (options: RunOptions): Promise<readonly number[]> => {
    await sh(`cd /data; umask 0; ${tries.map((each) => `(${each}) 2>/dev/null`).join('; ')}; true`, {
      mounts: [{ source: directory, target: '/data' }],
      ...options,
    })
    return readdirSync(directory).map((name) => statSync(join(directory, name)).mode & 0o6000)
  }
  const modes = await plant({})
  assert.ok(modes.length >= 4, 'the files themselves are made')
  assert.deepEqual([...new Set(modes)], [0])
  assert.equal(getXattr(join(directory, 'f'), 'security.capability'), undefined)
  for (const name of readdirSync(directory)) rmSync(join(directory, name))
  assert.ok(
    (await plant({ seccomp: 'unconfined' })).some((mode) => mode !== 0),
    'it is the filter that keeps them out',
  )
})

test('a fork bomb ends with its container', async (t) => {
  if (!isRoot) return t.skip('needs root or a delegated cgroup')
  nothingLeft(t)
  const bomb = 'bomb() { bomb | bomb & }; bomb; while :; do :; done'
  const begin = performance.now()
  const { timedOut, signal } = await run(['sh', '-c', bomb], { pids: 100, timeout: 2000, stderr: 'ignore' })
  assert.deepEqual([timedOut, signal], [true, 'SIGKILL'])
  assert.ok(performance.now() - begin < 15_000)
  await sleep(10)
  assert.ok(readdirSync('/proc').length > 0)
})
