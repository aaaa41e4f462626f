import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { container } from '../../src/engine/container.ts'
import type { RunOptions } from '../../src/engine/options.ts'
import { run } from '../../src/engine/run.ts'
import type { Audit } from '../../src/inspect/audit/audit.ts'
import { audit } from '../../src/inspect/audit/audit.ts'
import { hierarchyOf, readCgroupLayout } from '../../src/linux/cgroup/layout.ts'
import { lacksProgram, lacksRoot } from './child.ts'
import { said } from './contained.ts'
import { expectNothingLeft } from './leaks.ts'

const { nothingLeft, scratch } = await expectNothingLeft()

const skip = lacksRoot() ?? lacksProgram('nsenter') ?? false

const LIMITED = { memory: '64MiB', pids: 20, cpus: 0.5 } as const

/** Waits without a program that has yet to be started: by then it may be out of sight. */
const WAIT = 'mkfifo /tmp/f && echo ready && read x </tmp/f'

/** Calls `look` with the pid of PID 1 of a container. */
const withContainer = async (options: RunOptions, look: (pid: number) => Promise<void> | void): Promise<void> => {
  const program = run(['sh', '-c', WAIT], options)
  try {
    await said(program, 'ready')
    await look(program.pid ?? 0)
  } finally {
    program.kill('SIGKILL')
    await program
  }
}

const promisesOf = ({ container: found }: Audit): NonNullable<NonNullable<Audit['container']>['promises']> => {
  assert.ok(found?.promises, 'it is known as one of Tare, with its promises')
  return found.promises
}

/** Walls of which a promise is not kept, with what was found. */
const broken = (found: Audit): readonly string[] =>
  promisesOf(found)
    .filter(({ kept }) => kept === false)
    .map((check) => `${check.wall}: ${check.found}`)

const notKept = (found: Audit): readonly string[] =>
  promisesOf(found)
    .filter(({ kept }) => kept !== true)
    .map((check) => `${check.wall}: ${check.promised}: ${check.found}`)

test('every promise is kept, whatever was asked for', { skip }, async (t) => {
  const directory = scratch()
  nothingLeft(t)
  const kinds: readonly RunOptions[] = [
    {},
    LIMITED,
    { ...LIMITED, init: false },
    { userns: 'host' },
    { network: 'host' },
    { seccomp: 'unconfined', noNewPrivileges: false, capAdd: ['SYS_ADMIN'] },
    { readOnly: true, tty: true, user: 1000, mounts: [{ source: directory, target: '/work' }] },
    { rootfs: 'host', overlay: true, capDrop: ['ALL'] },
    { mounts: [{ source: '/usr/share', target: '/a/b', readOnly: true }, { type: 'tmpfs', target: '/scratch' }] },
  ] // prettier-ignore
  for (const options of kinds)
    // Twice and once more: the third is made from a template.
    for (const _ of [1, 2, 3])
      await withContainer(options, (pid) => assert.deepEqual(notKept(audit(pid)), [], JSON.stringify(options)))
})

test('two at once are told from each other', { skip }, async (t) => {
  nothingLeft(t)
  await withContainer({ memory: '64MiB' }, (first) =>
    withContainer({ memory: '32MiB' }, (second) => {
      const memory = (pid: number): string | undefined =>
        promisesOf(audit(pid)).find(({ wall }) => wall === 'limits')?.promised
      assert.equal(memory(first), 'memory: 64MiB')
      assert.equal(memory(second), 'memory: 32MiB')
    }),
  )
})

test('PID 1 of Tare stands for the program beside it', { skip }, async (t) => {
  nothingLeft(t)
  await withContainer(LIMITED, (pid) => {
    const found = audit(pid)
    assert.equal(found.container?.init, pid)
    assert.notEqual(found.pid, pid)
    assert.equal(found.name, 'sh')
    assert.equal(found.verdict, 'contained')
  })
})

test('a container of this process, and a program that runs in it', { skip }, async (t) => {
  nothingLeft(t)
  await using box = await container(LIMITED)
  const empty = audit(box)
  assert.deepEqual(broken(empty), [])
  assert.equal(empty.pid, box.pid)
  assert.equal(empty.verdict, 'contained', 'PID 1 alone, which Tare has put there')
  assert.equal(audit(box.pid).verdict, 'gaps', 'by its number it is a process like any other, without a filter')
  const program = box.exec(['sh', '-c', 'echo ready; sleep 1000; true'])
  await said(program, 'ready')
  // It may speak before this side knows its number.
  while (program.pid === undefined) await sleep(5)
  for (const found of [audit(box), audit(program.pid)]) {
    assert.deepEqual(notKept(found), [])
    assert.equal(found.pid, program.pid)
    assert.equal(found.container?.init, box.pid)
  }
  program.kill('SIGKILL')
  await program
})

/** Does something in the mount namespace of a container, as root of the host. */
const inside = (pid: number, ...words: readonly string[]): void => {
  const done = spawnSync('nsenter', ['-t', String(pid), '-m', '-p', '--', ...words], { encoding: 'utf8' })
  assert.equal(done.status, 0, `${words.join(' ')}: ${done.stderr}`)
}

test('what is changed from outside is found', { skip }, async (t) => {
  nothingLeft(t)
  const changes: readonly (readonly [words: readonly string[], found: string])[] = [
    [['mount', '-o', 'remount,bind,rw,nosuid,nodev', '/usr'], 'files: nosuid, nodev'],
    [['mount', '-o', 'remount,bind,ro,suid,nodev', '/usr'], 'files: ro, nodev'],
    [['umount', '/proc/keys'], 'kernel: not hidden: /proc/keys'],
    [['umount', '-l', '/proc/sys'], 'kernel: not read-only: /proc/sys'],
    [['mount', '-t', 'tmpfs', 'none', '/tmp'], 'files: /tmp'],
    [['umount', '-l', '/usr'], 'files: not mounted'],
  ]
  for (const [words, expected] of changes)
    await withContainer(LIMITED, (pid) => {
      assert.equal(audit(pid).verdict, 'contained')
      inside(pid, ...words)
      const found = audit(pid)
      assert.deepEqual(broken(found), [expected], words.join(' '))
      assert.notEqual(found.verdict, 'contained')
    })
})

test('a device that was brought in from outside is found', { skip }, async (t) => {
  nothingLeft(t)
  await withContainer({ userns: 'host' }, (pid) => {
    inside(pid, 'mknod', '/dev/disk', 'b', '7', '0')
    assert.deepEqual(broken(audit(pid)), ['devices: also /dev/disk'])
  })
})

test('a process that was moved out of its control group is found', { skip }, async (t) => {
  nothingLeft(t)
  const layout = readCgroupLayout()
  const group = `${hierarchyOf(layout, 'memory')?.mountPoint}/tare-test-audit-${process.pid}`
  mkdirSync(group)
  t.after(() => rmdirSync(group))
  await withContainer({ memory: '64MiB', pids: 20 }, (pid) => {
    writeFileSync(`${group}/cgroup.procs`, String(audit(pid).pid))
    const found = audit(pid)
    assert.ok(broken(found).includes('limits: no limit'), broken(found).join('; '))
    assert.equal(found.verdict, 'gaps')
  })
})
