// `tare boot`. Needs root, for owners that are mapped, and a cgroup hierarchy of version 2.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { getTermios } from '../../src/linux/index.ts'
import { until } from '../until.ts'
import {
  NO_BUSYBOX,
  NO_MACHINES,
  NO_SYSTEMD,
  groupsOf,
  leave,
  logIn,
  makeBusybox,
  makeSystemd,
  processesIn,
  startMachine,
} from './machine.ts'
import { Session } from './session.ts'
import { tare } from './tare.ts'

const NEEDS = NO_MACHINES

test(
  'systemd boots to "running", with a login, and a file is there after the next boot',
  { skip: NEEDS || NO_SYSTEMD, timeout: 60_000 },
  async (t) => {
    const box = await makeSystemd('smallbox')
    const first = startMachine(t, ['boot', box], { rows: 33, columns: 99 })
    const before = getTermios(first.peer)
    await first.see(/smallbox login: /)
    first.type('root\r')
    await first.see(/Password: /)
    first.type('wrong\r')
    await first.see(/Login incorrect/)
    await logIn(first)

    // Until then systemd tells on the console how far it is.
    first.type('systemctl is-system-running --wait >/run/state; echo boot"ed"\r')
    await first.see(/booted\r\n/)
    first.type('echo $(cat /run/state) $(systemctl --failed --plain --no-legend)"."\r')
    await first.see(/\r\nrunning \.\r\n/)
    first.type('tty; stty size; cat /proc/self/cgroup | grep ^0:; cat /run/systemd/container\r')
    await first.see(/\/dev\/console\r\n33 99\r\n0::\/(?:user|system)\.slice\/.*\r\ntare\r\n/)
    first.resize(40, 111)
    first.type('while [ "$(stty size)" != "40 111" ]; do sleep 0.02; done; echo re"sized"\r')
    await first.see(/resized\r\n/)
    first.type('sleep 100\r')
    await first.see(/sleep 100\r\n/)
    first.type('\x1a')
    await first.see(/Stopped +sleep 100\r\n> /)
    first.type('fg\r')
    await first.see(/sleep 100\r\n/)
    first.type('\x03')
    await first.see(/\^C\r\n> /)
    assert.equal(groupsOf(first.pid).length, 1)

    const again = tare(['boot', box])
    assert.equal(again.status, 125)
    assert.match(again.stderr, /^tare: cannot boot .*: it is running already, or a shell is open in it\n/)

    first.type('echo kept >/root/note\r')
    leave(first, 'poweroff')
    assert.equal(await first.end(), 0)
    assert.deepEqual(getTermios(first.peer), before, 'the settings of the terminal are what they were')
    assert.deepEqual(groupsOf(first.pid), [])

    const id = readFileSync(join(box, 'etc/machine-id'), 'ascii').trim()
    assert.match(id, /^[0-9a-f]{32}$/)
    assert.deepEqual(readdirSync(join(box, 'var/log/journal')), [id], 'its journal can be read from outside')

    const second = startMachine(t, ['boot', '--ephemeral', box])
    await logIn(second)
    second.type('sysctl() { echo $2 >/proc/sys/net/$1 && cat /proc/sys/net/$1; }; sysctl ipv4/ip_forward 1\r')
    await second.see(/\r\n1\r\n/)
    second.type(
      'journalctl -q --list-boots | while read n id rest; do [ $id != "$(tr -d - </proc/sys/kernel/random/boot_id)" ] || echo boot $n; done\r',
    )
    await second.see(/\r\nboot 0\r\n/)
    second.type('journalctl -q --list-boots | grep -c .\r')
    await second.see(/\r\n2\r\n/)
    second.type('cat note /etc/machine-id; echo changed >note\r')
    await second.see(new RegExp(`kept\\r\\n${id}\\r\\n`))
    leave(second, 'reboot')
    await logIn(second)
    second.type('cat note\r')
    await second.see(/kept\r\n/)
    leave(second, 'systemctl exit 7')
    assert.equal(await second.end(), 7)
    assert.equal(readFileSync(join(box, 'root/note'), 'ascii'), 'kept\n')
  },
)

test('a signal shuts systemd down in order', { skip: NEEDS || NO_SYSTEMD, timeout: 60_000 }, async (t) => {
  const box = await makeSystemd('stopbox')
  const session = startMachine(t, ['boot', box])
  await session.see(/login: /)
  process.kill(session.pid, 'SIGTERM')
  assert.equal(await session.end(), 0)
  assert.ok(existsSync(join(box, 'root/stopped-in-order')))
})

test('busybox boots, and all ways to its end', { skip: NEEDS || NO_BUSYBOX, timeout: 60_000 }, async (t) => {
  const tiny = makeBusybox()
  const inOrder = startMachine(t, ['boot', tiny])
  await inOrder.see(/tiny login: /)
  inOrder.type('root\r')
  await inOrder.see(/Password: /)
  inOrder.type('wrong\r')
  await inOrder.see(/Login incorrect/)
  process.kill(inOrder.pid, 'SIGTERM')
  assert.equal(await inOrder.end(), 0)
  assert.ok(existsSync(join(tiny, 'root/stopped-in-order')))

  const fromInside = startMachine(t, ['boot', tiny])
  await logIn(fromInside)
  fromInside.type('reboot\r')
  await logIn(fromInside)
  fromInside.type('poweroff\r')
  assert.equal(await fromInside.end(), 0)

  const escaped = startMachine(t, ['boot', tiny])
  await escaped.see(/tiny login: /)
  escaped.type('\x1d\x1d')
  escaped.type('no')
  escaped.type('\x1d')
  await escaped.see(/no/)
  escaped.type('\x1d\x1d')
  assert.equal(await escaped.end(), 137)
  assert.deepEqual(groupsOf(escaped.pid), [])
})

test(
  'a terminal that is hung up shuts the system down in order',
  { skip: NEEDS || NO_BUSYBOX, timeout: 60_000 },
  async () => {
    const tiny = makeBusybox()
    const session = new Session(['boot', tiny])
    await session.see(/tiny login: /)
    session.close()
    assert.equal(await session.end(), 0)
    assert.ok(existsSync(join(tiny, 'root/stopped-in-order')))
  },
)

test(
  'an audit takes what the init does for its own affair',
  { skip: NEEDS || NO_BUSYBOX, timeout: 60_000 },
  async (t) => {
    const tiny = makeBusybox()
    const session = startMachine(t, ['boot', '-m', '64m', tiny])
    await logIn(session)
    session.type(
      'mkdir /run/a; mount -t tmpfs none /run/a; mount --bind /root /tmp; mkdir /sys/fs/cgroup/part; echo do"ne"\r',
    )
    await session.see(/done\r\n/)
    const childOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'ascii').trim())
    const init = childOf(childOf(session.pid))
    const { stdout } = tare(['audit', '-v', String(init)])
    assert.match(stdout, /\nfiles +kept +no other mounts but its own +2 of its own\n/)
    assert.doesNotMatch(stdout, / broken /)
    assert.match(stdout, /it may divide its control group, and not lift what limits that:\s+\/sys\/fs\/cgroup\n/)

    // A wall that its root takes down is one that was promised.
    session.type('umount -l /proc/sys; echo do"ne"\r')
    await session.see(/done\r\n/)
    assert.match(tare(['audit', String(init)]).stdout, /\nkernel +broken +read-only: .* +not read-only: \/proc\/sys\n/)
  },
)

test('three at once, and each by itself', { skip: NEEDS || NO_BUSYBOX, timeout: 60_000 }, async (t) => {
  const sessions = [1, 2, 3].map(() => startMachine(t, ['boot', makeBusybox()]))
  await Promise.all(sessions.map((session) => logIn(session)))
  for (const session of sessions) {
    session.type('poweroff\r')
    assert.equal(await session.end(), 0)
    assert.deepEqual(groupsOf(session.pid), [])
  }
})

test(
  'killed at any moment of a boot, tare takes all of it along, and it boots again',
  { skip: NEEDS || NO_SYSTEMD, timeout: 120_000 },
  async (t) => {
    const box = await makeSystemd('killedbox')
    for (const wait of [50, 150, 250, 350, 500, 700, 1000]) {
      const session = startMachine(t, ['boot', box])
      await sleep(wait)
      process.kill(session.pid, 'SIGKILL')
      assert.equal(await session.status, 'SIGKILL')
      await until('nothing of it is there', () => processesIn(box).length === 0)
    }
    const session = startMachine(t, ['boot', box])
    await logIn(session)
    assert.ok(processesIn(box).length > 1)
    leave(session, 'poweroff')
    assert.equal(await session.end(), 0)
    assert.deepEqual(groupsOf(session.pid), [])
  },
)

test('a system that asks for no login is said to', { skip: NEEDS || NO_BUSYBOX, timeout: 60_000 }, async (t) => {
  const tiny = makeBusybox()
  writeFileSync(join(tiny, 'etc/inittab'), '::once:/bin/true\n')
  const session = startMachine(t, ['boot', tiny])
  await session.see(/tare: nothing in .*tiny asks for a login on the console: /)
  // A login on the first screen of a machine is one on the console.
  const other = makeBusybox()
  writeFileSync(join(other, 'etc/inittab'), 'tty1::respawn:/sbin/getty -L 0 tty1 vt220\n')
  await logIn(startMachine(t, ['boot', other]))
})

test('what is no system is refused', { skip: NEEDS }, () => {
  const tiny = makeBusybox()
  mkdirSync(join(tiny, '../empty'))
  for (const path of ['bin', 'etc']) mkdirSync(join(tiny, '../noinit', path), { recursive: true })
  writeFileSync(join(tiny, '../file'), '')
  const cases: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [[join(tiny, '../empty')], /^tare: cannot use .* as a system: it has neither/],
    [[join(tiny, '../noinit')], /^tare: cannot boot .*: there is no init in it\n.*systemd-sysv/],
    [[join(tiny, '../none')], /^tare: cannot use .* as a system: it does not exist\n/],
    [[join(tiny, '../file')], /^tare: cannot use .* as a system: it is not a directory\n/],
    [['--init=/sbin/other', tiny], /^tare: cannot boot .*: there is no program \/sbin\/other in it\n/],
    [['--pids-limit=many', tiny], /^tare: .*pids-limit/],
    [['--env=X', tiny], /^tare: .*NAME=VALUE/],
    [[], /^tare: .*MACHINE/],
  ]
  for (const [args, said] of cases) {
    const { status, stderr, stdout } = tare(['boot', ...args])
    assert.match(stderr, said)
    assert.deepEqual([status, stdout], [125, ''])
  }
})
