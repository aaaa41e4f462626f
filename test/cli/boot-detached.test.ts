// `tare boot -d` and what there is for machines in the background. Needs root, for owners that are mapped, and a cgroup
// hierarchy of version 2. Names are this process's own: all machines of a user are in one place.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { MachineInfo } from '../../src/index.ts'
import { readCgroupLayout } from '../../src/linux/index.ts'
import { until } from '../until.ts'
import { NO_BUSYBOX, makeBusybox, processesIn } from './machine.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { NO_CONTAINERS, isRoot, startTare, tare } from './tare.ts'

const unified = readCgroupLayout().hierarchies.find(({ version }) => version === 2)
const NEEDS =
  NO_CONTAINERS ||
  NO_BUSYBOX ||
  (isRoot ? false : 'needs root, to map owners') ||
  (unified === undefined ? 'needs cgroup v2' : false)

const STATE = '/run/tare/machines'

let made = 0
/** A name that no other test has. */
const newName = (): string => `t${process.pid}-${(made += 1)}`

/** What is kept of a machine; undefined where nothing is. */
const recordOf = (name: string): Record<string, unknown> | undefined => {
  const path = join(STATE, `${name}.json`)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

const pidIn = (record: Record<string, unknown> | undefined, field: 'monitor' | 'container'): number => {
  const identity = record?.[field]
  assert.ok(typeof identity === 'object' && identity !== null && 'pid' in identity, `the record has a ${field}`)
  return Number(identity.pid)
}

const listed = (): readonly MachineInfo[] => {
  const { status, stdout, stderr } = tare(['boot', 'ls', '--json'])
  assert.deepEqual([status, stderr], [0, ''])
  return JSON.parse(stdout)
}

const find = (name: string): MachineInfo | undefined => listed().find((machine) => machine.name === name)

const isAlive = (pid: number): boolean => {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && !/\) [ZX] /.test(readFileSync(path, 'latin1'))
}

/** That nothing of a machine is there any more, apart from its directory. */
const assertGone = (name: string, record: Record<string, unknown> | undefined): void => {
  assert.deepEqual(
    readdirSync(STATE).filter((file) => file.startsWith(`${name}.`)),
    [],
  )
  if (record === undefined) return
  for (const field of ['monitor', 'container'] as const)
    assert.ok(!isAlive(pidIn(record, field)), `the ${field} has ended`)
  assert.ok(!existsSync(`${unified?.mountPoint ?? ''}/${String(record['cgroup'])}`), 'its control group is gone')
}

const boot = (t: TestContext, name: string, directory: string, ...options: readonly string[]): void => {
  t.after(() => tare(['poweroff', '--force', name]))
  assert.deepEqual(tare(['boot', '-d', '--name', name, ...options, directory]), {
    status: 0,
    stdout: `${name}\n`,
    stderr: '',
  })
}

const ok = { status: 0, stdout: '', stderr: '' }

test('a machine in the background: listed, refused twice, switched off in order', { skip: NEEDS }, (t) => {
  const tiny = makeBusybox()
  const other = makeBusybox()
  const name = newName()
  boot(t, name, tiny)
  const record = recordOf(name)
  const info = find(name)
  assert.deepEqual(
    { ...info, pid: undefined, uptime: 0, memory: undefined, tasks: 0 },
    {
      name,
      directory: tiny,
      state: 'running',
      background: true,
      pid: undefined,
      init: '/sbin/init',
      uptime: 0,
      boots: 1,
      memory: undefined,
      tasks: 0,
      addresses: [],
    },
  )
  assert.match(readFileSync(`/proc/${info?.pid}/status`, 'utf8'), /^NSpid:\t\d+\t2\t1$/m, 'its init')
  assert.ok((info?.memory ?? 0) > 10_000 && (info?.tasks ?? 0) >= 1)
  const plain = tare(['boot', 'ls'])
  assert.match(plain.stdout, new RegExp(`^NAME +STATE .*\\n(?:.*\\n)*${name} +running +${info?.pid} +/sbin/init `))

  const again = tare(['boot', '-d', '--name', newName(), tiny])
  assert.match(again.stderr, /^tare: cannot boot .*: it is running already, or a shell is open in it\n/)
  const taken = tare(['boot', '-d', '--name', name, other])
  assert.match(taken.stderr, /^tare: cannot boot .* as machine .*: there is one of this name already, of .*tiny\n/)
  const wrong = tare(['boot', '-d', '--name', 'a/b', other])
  assert.match(wrong.stderr, /^tare: cannot use as the name of a machine "a\/b": /)
  assert.deepEqual([again.status, taken.status, wrong.status], [125, 125, 125])

  assert.deepEqual(tare(['poweroff', name]), ok)
  assert.ok(existsSync(join(tiny, 'root/stopped-in-order')))
  assertGone(name, record)
  const gone = tare(['poweroff', name])
  assert.match(gone.stderr, /^tare: cannot find machine .*: none of this name is running\n/)
  assert.equal(gone.status, 125)
})

test('a machine reboots under its name, from outside and from inside', { skip: NEEDS }, async (t) => {
  const tiny = makeBusybox()
  const name = newName()
  boot(t, name, tiny)
  const bootId = (): string =>
    readFileSync(`/proc/${find(name)?.pid}/root/proc/sys/kernel/random/boot_id`, 'ascii').trim()
  const [first, before] = [recordOf(name), bootId()]
  assert.deepEqual(tare(['reboot', name]), ok)
  assert.ok(existsSync(join(tiny, 'root/stopped-in-order')))
  assert.notEqual(bootId(), before)
  assert.equal(find(name)?.boots, 2)
  for (const field of ['monitor', 'container'] as const) assert.ok(!isAlive(pidIn(first, field)))
  assert.ok(!existsSync(`${unified?.mountPoint ?? ''}/${String(first?.['cgroup'])}`), 'its first control group is gone')

  // As its own `reboot` does it: a signal to init, of which nobody outside knows.
  process.kill(find(name)?.pid ?? 0, 'SIGTERM')
  await until('it was booted again', () => recordOf(name)?.['boots'] === 3 && recordOf(name)?.['started'] === true)
  const last = recordOf(name)
  assert.deepEqual(tare(['poweroff', '--force', name]), ok)
  assertGone(name, last)
})

test('a machine ends with its monitor, and what is left is removed', { skip: NEEDS }, async (t) => {
  const tiny = makeBusybox()
  const name = newName()
  boot(t, name, tiny)
  const record = recordOf(name)
  process.kill(pidIn(record, 'monitor'), 'SIGKILL')
  await until('it has ended too', () => !isAlive(pidIn(record, 'container')))
  assert.equal(find(name), undefined)
  assertGone(name, record)
  boot(t, name, tiny)
  const second = recordOf(name)
  process.kill(pidIn(second, 'container'), 'SIGKILL')
  await until('its monitor has cleaned up, and ended', () => !isAlive(pidIn(second, 'monitor')))
  assertGone(name, second)
})

test('whatever of it is killed in mid-boot, it is there as a whole or not at all', { skip: NEEDS }, async (t) => {
  const tiny = makeBusybox()
  const name = newName()
  t.after(() => tare(['poweroff', '--force', name]))
  for (let round = 0; round < 24; round++) {
    const child = startTare(['boot', '-d', '--name', name, tiny], 'ignore')
    const exited = once(child, 'exit')
    // From when the name is taken on: as far as it has come after so many milliseconds.
    while (recordOf(name) === undefined && child.exitCode === null) await sleep(1)
    await sleep(round)
    const record = recordOf(name)
    if (round % 3 > 0 && (record?.['monitor'] ?? undefined) !== undefined)
      process.kill(pidIn(record, 'monitor'), 'SIGKILL')
    if (round % 3 < 2) child.kill('SIGKILL')
    await exited
    const there = find(name)
    if (there === undefined) {
      assert.deepEqual(processesIn(tiny), [], `round ${round}`)
      assertGone(name, undefined)
    } else {
      assert.ok(isAlive(there.pid ?? 0), `round ${round}`)
      assert.ok(processesIn(tiny).length > 0, `round ${round}`)
      assert.deepEqual(tare(['poweroff', '--force', name]), ok)
    }
  }
  boot(t, name, tiny)
  assert.equal(find(name)?.state, 'running')
})

test('three machines are booted and switched off at once', { skip: NEEDS }, async (t) => {
  const names = [newName(), newName(), newName()]
  const directories = names.map(() => makeBusybox())
  t.after(() => names.forEach((name) => tare(['poweroff', '--force', name])))
  const all = async (args: (index: number) => readonly string[]): Promise<void> => {
    const children = names.map((_, index) => startTare(args(index), 'ignore'))
    for (const [status] of await Promise.all(children.map((child) => once(child, 'exit')))) assert.equal(status, 0)
  }
  await all((index) => ['boot', '-d', '--name', names[index] ?? '', directories[index] ?? ''])
  assert.equal(listed().filter(({ name }) => names.includes(name)).length, 3)
  const records = names.map(recordOf)
  await all((index) => ['poweroff', names[index] ?? ''])
  names.forEach((name, index) => assertGone(name, records[index]))
})

test('the list is read while machines come and go', { skip: NEEDS }, async (t) => {
  const tiny = makeBusybox()
  const name = newName()
  for (let round = 0; round < 4; round++) {
    boot(t, name, tiny)
    const child = startTare(['poweroff', '--force', name], 'ignore')
    const exited = once(child, 'exit')
    while (child.exitCode === null) {
      listed()
      await sleep(1)
    }
    const [status] = await exited
    assert.equal(status, 0)
    assert.equal(find(name), undefined)
  }
})

test('a machine on a terminal is listed too, and switched off by name', { skip: NEEDS || NO_TERMINAL }, async (t) => {
  const tiny = makeBusybox()
  const name = newName()
  const session = new Session(['boot', '--name', name, tiny])
  t.after(() => session.close())
  await session.see(/tiny login: /)
  assert.deepEqual([find(name)?.state, find(name)?.background], ['running', false])
  assert.match(tare(['boot', 'ls']).stdout, new RegExp(`^${name} +running, attended `, 'm'))
  assert.deepEqual(tare(['poweroff', name]), ok)
  assert.equal(await session.status, 0)
  assertGone(name, undefined)
})
