// Debian's own packages of each init, booted. It takes the mirror, 30 MB and some minutes: "npm run test:boot".
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { after, test } from 'node:test'
import { bootstrap, setPassword } from '../../src/index.ts'
import { NO_MACHINES, groupsOf, leave, logIn, startMachine } from './machine.ts'
import type { Session } from './session.ts'
import { isRoot } from './tare.ts'

const skip =
  (process.env['TARE_TEST_BOOT'] === undefined ? 'needs "npm run test:boot"' : false) ||
  (isRoot ? false : 'needs root, to make its systems') ||
  NO_MACHINES

const base = mkdtempSync(join(tmpdir(), 'tare-boot-debian-'))
after(() => rmSync(base, { recursive: true, force: true }))

const PASSWORD = 'correct horse'

const make = async (name: string, include: readonly string[]): Promise<string> => {
  const box = join(base, name)
  await bootstrap('debian:bookworm', { output: box, include: [...include, 'procps'] })
  await setPassword(box, PASSWORD)
  appendFileSync(join(box, 'root/.bashrc'), "PS1='> '\nbind 'set enable-bracketed-paste off'\n")
  return box
}

interface Case {
  readonly name: string
  readonly include: readonly string[]
  readonly args: readonly string[]
  /** The name of its PID 1. */
  readonly init: string
  /** What is typed to switch it off, and to boot it anew. */
  readonly powerOff: string
  readonly reboot: string
  readonly prepare?: (box: string) => void
}

const CASES: readonly Case[] = [
  {
    name: 'systemd',
    include: ['systemd-sysv', 'dbus'],
    args: [],
    init: 'systemd',
    powerOff: 'poweroff',
    reboot: 'reboot',
  },
  { name: 'sysvinit', include: ['sysvinit-core'], args: [], init: 'init', powerOff: 'poweroff', reboot: 'reboot' },
  {
    name: 'openrc',
    include: ['openrc', 'sysvinit-core'],
    args: [],
    init: 'init',
    powerOff: 'poweroff',
    reboot: 'reboot',
  },
  {
    name: 'openrc-init',
    include: ['openrc', 'sysvinit-core'],
    args: ['--init=/sbin/openrc-init'],
    init: 'openrc-init',
    powerOff: 'openrc-shutdown -p now',
    reboot: 'openrc-shutdown -r now',
    prepare: (box) => {
      symlinkSync('agetty', join(box, 'etc/init.d/agetty.console'))
      symlinkSync('/etc/init.d/agetty.console', join(box, 'etc/runlevels/default/agetty.console'))
    },
  },
  { name: 'runit', include: ['runit-init'], args: [], init: 'runit', powerOff: 'init 0', reboot: 'init 6' },
]

/** Types a password that isn't root's, and sees that nobody is let in. */
const logInWrong = async (session: Session): Promise<void> => {
  await session.see(/login: /)
  session.type('root\r')
  await session.see(/Password: /)
  session.type('wrong\r')
  await session.see(/Login incorrect/)
}

for (const { name, include, args, init, powerOff, reboot, prepare } of CASES)
  test(`${name}: a login with job control, a file kept, and each end`, { skip, timeout: 200_000 }, async (t) => {
    const box = await make(name, include)
    prepare?.(box)
    const boot = (): Session => startMachine(t, ['boot', ...args, box], { rows: 33, columns: 99 })

    const first = boot()
    await logInWrong(first)
    await logIn(first, PASSWORD)
    first.type('cat /proc/1/comm; tty; stty size\r')
    await first.see(new RegExp(`\\n${init}\\r\\n/dev/console\\r\\n33 99\\r\\n`))
    first.resize(40, 111)
    first.type('while [ "$(stty size)" != "40 111" ]; do sleep 0.1; done; echo re"sized"\r')
    await first.see(/resized\r\n/)
    first.type('sleep 100\r')
    await first.see(/sleep 100\r\n/)
    first.type('\x1a')
    await first.see(/Stopped +sleep 100\r\n> /)
    first.type('fg\r')
    await first.see(/sleep 100\r\n/)
    first.type('\x03')
    await first.see(/\^C\r\n> /)
    first.type('echo kept >/root/note; sync\r')
    await first.see(/> /)
    leave(first, powerOff)
    assert.equal(await first.end(60_000), 0)
    assert.equal(readFileSync(join(box, 'root/note'), 'ascii'), 'kept\n')
    assert.deepEqual(groupsOf(first.pid), [])

    const second = boot()
    await logIn(second, PASSWORD)
    second.type('cat /root/note\r')
    await second.see(/kept\r\n/)
    leave(second, reboot)
    await second.see(/login: /)
    process.kill(second.pid, 'SIGTERM')
    assert.equal(await second.end(60_000), 0, 'it was shut down in order, and not booted anew')
    assert.deepEqual(groupsOf(second.pid), [])
  })

const boots = async (t: TestContext, box: string, times: number): Promise<void> => {
  for (let time = 1; time <= times; time++) {
    const session = startMachine(t, ['boot', box])
    await logIn(session, PASSWORD)
    session.type('systemctl is-system-running --wait >/run/state; echo boot"ed"\r')
    await session.see(/booted\r\n/)
    session.type('cat /run/state\r')
    await session.see(/\r\nrunning\r\n/)
    leave(session, 'poweroff')
    assert.equal(await session.end(60_000), 0, `boot ${time}`)
  }
}

test('systemd twenty times in a row', { skip, timeout: 280_000 }, async (t) => {
  await boots(t, await make('twenty', ['systemd-sysv', 'dbus']), 20)
})

test('three systems at once', { skip, timeout: 200_000 }, async (t) => {
  const names = ['one', 'two', 'three']
  const boxes = await Promise.all(names.map((name) => make(name, ['systemd-sysv', 'dbus'])))
  await Promise.all(boxes.map((box) => boots(t, box, 2)))
})
