import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import type { RunOptions } from '../../src/engine/options.ts'
import { run } from '../../src/engine/run.ts'
import type { Audit } from '../../src/inspect/audit/audit.ts'
import { audit } from '../../src/inspect/audit/audit.ts'
import type { Wall } from '../../src/inspect/audit/finding.ts'
import { readCgroupLayout } from '../../src/linux/cgroup/layout.ts'
import { lacksProgram, lacksRoot } from './child.ts'
import { said } from './contained.ts'
import { expectNothingLeft } from './leaks.ts'
import { makeBundle, runWith, sleeper, startPeer } from './peers.ts'

const { nothingLeft, scratch } = await expectNothingLeft()

const skip = lacksRoot() ?? false

const needs = (...programs: readonly string[]): string | false => lacksRoot() ?? lacksProgram(...programs) ?? false

/** What an audit says of a wall, and whether an attack on it succeeds in the same container. */
interface Tried {
  readonly found: Audit
  readonly succeeded: boolean
}

/** Runs an attack (a shell script that succeeds or fails) in a container, and audits that. */
const attack = async (script: string, options: RunOptions): Promise<Tried> => {
  const program = run(
    ['sh', '-c', `if { ${script}; } >/dev/null 2>&1; then echo yes-; else echo no-; fi; sleep 1000; true`],
    {
      init: false,
      ...options,
    },
  )
  let output = ''
  program.stdout?.on('data', (data) => (output += String(data)))
  try {
    await said(program, '-')
    return { found: audit(program.pid ?? 0), succeeded: output.includes('yes-') }
  } finally {
    program.kill('SIGKILL')
    await program
  }
}

const isOpen = ({ findings }: Audit, wall: Wall, id: string): boolean =>
  findings.some(
    (finding) => finding.wall === wall && finding.id === id && finding.state !== 'holds' && finding.severity !== 'note',
  )

/** The audit must say what the attack shows: open where it succeeds, and only there. */
const agree = async (
  wall: Wall,
  id: string,
  script: string,
  cases: readonly (readonly [succeeds: boolean, options: RunOptions])[],
): Promise<void> => {
  for (const [succeeds, options] of cases) {
    const { found, succeeded } = await attack(script, options)
    const of = `${script} with ${JSON.stringify(options)}`
    assert.equal(succeeded, succeeds, of)
    assert.equal(
      isOpen(found, wall, id),
      succeeds,
      `${of}: ${JSON.stringify(found.findings.filter((each) => each.wall === wall))}`,
    )
  }
}

const ADMIN: RunOptions = { capAdd: ['SYS_ADMIN'], seccomp: 'unconfined' }

test('CAP_SYS_ADMIN: mounts are made, and masks come off', { skip }, async (t) => {
  nothingLeft(t)
  for (const script of ['mount -t tmpfs none /tmp', 'umount /proc/keys', 'mount -o remount,rw,bind /proc/sys'])
    await agree('capabilities', 'CAP_SYS_ADMIN', script, [
      [true, ADMIN],
      [false, {}],
    ])
})

test('CAP_SYS_ADMIN on the host: the program that the kernel starts is named', { skip }, async (t) => {
  nothingLeft(t)
  const pattern = '/proc/sys/kernel/core_pattern'
  // What is there already is written once more.
  const script = `mount -o remount,rw,bind /proc/sys && cat ${pattern} >${pattern}`
  const host = await attack(script, { ...ADMIN, userns: 'host' })
  assert.equal(host.succeeded, true)
  assert.equal(host.found.verdict, 'not contained')
  assert.ok(isOpen(host.found, 'kernel', 'sys/kernel/core_pattern'), 'it is seen to be writable by now')
  const mapped = await attack(script, ADMIN)
  assert.equal(mapped.succeeded, false, 'in a user namespace of its own it has not the ids for that')
  assert.equal(isOpen(mapped.found, 'kernel', 'sys/kernel/core_pattern'), false)
  assert.notEqual(mapped.found.verdict, 'not contained')
})

test('files of the host are changed', { skip }, async (t) => {
  nothingLeft(t)
  const name = `/seen/tare-test-${process.pid}`
  const mounts = (readOnly: boolean, idmap?: boolean): NonNullable<RunOptions['mounts']> => [
    { source: '/etc', target: '/seen', readOnly, ...(idmap === undefined ? {} : { idmap }) },
  ]
  await agree('files', 'host-files', `mkdir ${name} && rmdir ${name}`, [
    [true, { userns: 'host', mounts: mounts(false) }],
    [true, { mounts: mounts(false) }],
  ])
  for (const options of [{ mounts: mounts(true) }, { mounts: mounts(false, false) }] satisfies RunOptions[]) {
    const { found, succeeded } = await attack(`mkdir ${name}`, options)
    assert.equal(succeeded, false)
    assert.equal(
      found.findings.some(({ wall, severity }) => wall === 'files' && severity === 'escape'),
      false,
    )
  }
})

test('sockets of the host are connected to', { skip: needs('node') }, async (t) => {
  const directory = scratch()
  const path = join(directory, 'docker.sock')
  const abstract = `tare-test-${process.pid}`
  const servers = [createServer().listen(path), createServer().listen(`\0${abstract}`)]
  t.after(() => servers.forEach((server) => server.close()))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  for (const server of servers) server.on('connection', (socket) => socket.end())
  const connect = (name: string): string =>
    `node -e "require('net').connect('${name}').on('error', () => process.exit(1)).on('close', () => process.exit(0))"`
  chmodSync(path, 0o666)
  const mounts = [{ source: directory, target: '/seen' }]
  await agree('sockets', 'service', connect('/seen/docker.sock'), [
    [true, { mounts }],
    [false, {}],
  ])
  chmodSync(path, 0o600)
  await agree('sockets', 'service', connect('/seen/docker.sock'), [[false, { mounts, user: 1000 }]])
  await agree('sockets', 'abstract', connect(String.raw`\x00${abstract}`), [
    [true, { network: 'host' }],
    [false, {}],
  ])
})

/** A disk that every host has, if it has any, and on which nothing is. */
const DISK = '/dev/loop0'

/** The kernel wakes a process up that is let go of: it takes a moment to wait, or stop, again. */
const comesTo = async (condition: () => boolean, what: string): Promise<void> => {
  for (const began = performance.now(); !condition(); await sleep(1)) assert.ok(performance.now() - began < 5000, what)
}

test('what a filter lets through', { skip: needs('unshare') }, async (t) => {
  nothingLeft(t)
  const content = async (options: RunOptions): Promise<readonly string[]> => {
    const script = 'mkfifo /tmp/f && if unshare -U true; then echo made-; else echo refused-; fi 2>&1 && read x </tmp/f'
    const program = run(['sh', '-c', script], { init: false, ...options })
    let output = ''
    program.stdout?.on('data', (data) => (output += String(data)))
    try {
      await said(program, '-')
      const pid = audit(program.pid ?? 0).pid
      const state = (): readonly string[] =>
        readFileSync(`/proc/${pid}/status`, 'ascii')
          .split('\n')
          .filter((line) => /^(?:State|TracerPid)/.test(line))
      const waiting = ['State:\tS (sleeping)', 'TracerPid:\t0']
      await comesTo(() => state().join() === waiting.join(), 'it waits')
      const { findings } = audit(pid, { filter: true })
      await comesTo(() => state().join() === waiting.join(), 'it goes on as it did')
      process.kill(pid, 'SIGSTOP')
      await comesTo(() => state().includes('State:\tT (stopped)'), 'it stops')
      audit(pid, { filter: true })
      await comesTo(() => state().includes('State:\tT (stopped)'), 'and one that was stopped stops again')
      const found = findings.find(({ wall, id }) => wall === 'seccomp' && id === 'filter-content')
      return [output.includes('made-') ? 'made' : 'refused', `${found?.state} ${found?.found}`]
    } finally {
      program.kill('SIGKILL')
      await program
    }
  }
  const [made, loose] = await content({
    seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['bpf'], action: 'SCMP_ACT_ERRNO' }] },
  })
  assert.equal(made, 'made')
  assert.match(loose ?? '', /^partial the filter lets through unshare of user namespaces, .*mount/)
  assert.doesNotMatch(loose ?? '', /bpf/)
  const [refused, tight] = await content({})
  assert.equal(refused, 'refused')
  assert.match(tight ?? '', /^holds the filter refuses all \d+ dangerous calls/)
})

/** A container of runc that tries to read a disk of the host, and says how that went in its root. */
const disk = async (change: (config: Record<string, unknown>) => void): Promise<Tried> => {
  const sleeping = sleeper()
  const directory = scratch()
  const script = `busybox mknod /disk b 7 0 && busybox dd if=/disk of=/dev/null count=1 && busybox touch /succeeded`
  const bundle = makeBundle(
    directory,
    ['busybox', 'sh', '-c', `{ ${script}; } 2>/dev/null; busybox touch /done; exec busybox ${sleeping.join(' ')}`],
    (config) => {
      config['root'] = { path: 'rootfs', readonly: false }
      change(config)
    },
  )
  await using peer = await startPeer(runWith('runc', bundle), ['busybox', ...sleeping])
  assert.ok(existsSync(join(directory, 'rootfs/done')))
  return { found: audit(peer.pid), succeeded: existsSync(join(directory, 'rootfs/succeeded')) }
}

/** Those of version 2 are programs, which can't be asked. */
const HAS_LISTS = readCgroupLayout().hierarchies.some(
  ({ version, controllers }) => version === 1 && controllers.includes('devices'),
)

const lacksDisks = !existsSync(DISK) ? `needs ${DISK}` : !HAS_LISTS && 'needs device rules of cgroup v1'

test(
  'disks of the host are read through nodes of its own',
  { skip: needs('runc', 'busybox') || lacksDisks },
  async (t) => {
    nothingLeft(t)
    const capable = (config: Record<string, unknown>): void => {
      const given = ['CAP_MKNOD', 'CAP_DAC_OVERRIDE']
      const capabilities = Object.fromEntries(['bounding', 'effective', 'permitted'].map((set) => [set, given]))
      config['process'] = { ...(config['process'] as object), capabilities }
    }
    const all = { devices: [{ allow: true, access: 'rwm' }] }
    const open = await disk((config) => {
      capable(config)
      config['linux'] = { ...(config['linux'] as object), resources: all }
    })
    assert.equal(open.succeeded, true)
    assert.ok(isOpen(open.found, 'devices', 'rules'))
    assert.ok(isOpen(open.found, 'capabilities', 'CAP_MKNOD'))
    const ruled = await disk(capable)
    assert.equal(ruled.succeeded, false, 'the device rules do not let it')
    assert.equal(isOpen(ruled.found, 'devices', 'rules'), false)
    assert.equal(isOpen(ruled.found, 'capabilities', 'CAP_MKNOD'), false)
  },
)

test('a directory that was left open leads out of a root', { skip: needs('chroot', 'busybox') }, async (t) => {
  nothingLeft(t)
  const directory = scratch()
  mkdirSync(join(directory, 'bin'))
  writeFileSync(join(directory, 'bin/busybox'), readFileSync('/bin/busybox'), { mode: 0o755 })
  const start = async (redirection: string) => {
    const sleeping = ['/bin/busybox', ...sleeper()]
    return startPeer(['sh', '-c', `exec chroot ${directory} ${sleeping.join(' ')} ${redirection}`], sleeping)
  }
  await using leaky = await start('9</')
  assert.ok(isOpen(audit(leaky.pid), 'descriptors', 'fd/9'))
  assert.ok(existsSync(`/proc/${leaky.pid}/fd/9/etc/passwd`), 'from there all is in reach')
  await using tight = await start(`9<${directory}/bin`)
  assert.deepEqual(
    audit(tight.pid).findings.filter(({ wall, state }) => wall === 'descriptors' && state !== 'holds'),
    [],
    'a directory within its root is none that leads out',
  )
  await using writing = await start(`9>>${directory}.log`)
  t.after(() => rmSync(`${directory}.log`))
  assert.ok(isOpen(audit(writing.pid), 'descriptors', 'host-files'))
  await using reading = await start('9</etc/passwd')
  assert.equal(isOpen(audit(reading.pid), 'descriptors', 'host-files'), false, 'what it may read there it has read')
  const own = audit(tight.pid).findings.find(({ wall, id }) => wall === 'files' && id === 'own-files')
  assert.equal(own?.found, `${directory} as /, writable: made for it`, 'its root is a directory of the host')
  assert.ok(isOpen(audit(tight.pid), 'root', 'chroot'), 'and so is a root by chroot(2) for who may call it')
})

test("a terminal of the host's", { skip: needs('script', 'unshare') }, async (t) => {
  nothingLeft(t)
  const sleeping = sleeper()
  const contained = ['unshare', '--pid', '--fork', ...sleeping]
  const start = (words: readonly string[]) => startPeer(['script', '-qc', words.join(' '), '/dev/null'], sleeping)
  const typed = existsSync('/proc/sys/dev/tty/legacy_tiocsti')
    ? readFileSync('/proc/sys/dev/tty/legacy_tiocsti', 'ascii').trim() !== '0'
    : true
  {
    await using peer = await start(contained)
    await sleep(20)
    assert.equal(isOpen(audit(peer.pid), 'terminal', 'tiocsti'), typed)
  }
  await using peer = await start(['setsid', '-w', ...contained])
  assert.equal(isOpen(audit(peer.pid), 'terminal', 'tiocsti'), false, 'it is not its controlling terminal any more')
})
