import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

import { run } from '../../src/engine/run.ts'
import type { RunOptions } from '../../src/engine/options.ts'
import type { Audit } from '../../src/inspect/audit/audit.ts'
import { audit } from '../../src/inspect/audit/audit.ts'
import type { Finding, Wall } from '../../src/inspect/audit/finding.ts'
import { TareError } from '../../src/linux/error.ts'
import { lacksProgram, lacksRoot } from './child.ts'
import { said } from './contained.ts'
import { expectNothingLeft } from './leaks.ts'
import { childrenOf, makeBundle, reapAllBut, runWith, sleeper, startPeer } from './peers.ts'

const { nothingLeft, scratch } = await expectNothingLeft()

const skip = lacksRoot() ?? false

const needs = (...programs: readonly string[]): string | false => lacksRoot() ?? lacksProgram(...programs) ?? false

/** The findings of a wall that are no notes: `escape shared-net`. */
const grave = ({ findings }: Audit, ...walls: readonly Wall[]): readonly string[] =>
  findings
    .filter(({ wall, severity }) => walls.includes(wall) && severity !== undefined && severity !== 'note')
    .map(({ severity, id }) => `${severity} ${id}`)

const findingOf = ({ findings }: Audit, wall: Wall, id: string): Finding => {
  const found = findings.find((finding) => finding.wall === wall && finding.id === id)
  assert.ok(found, `${wall} ${id} is not among ${findings.map((each) => `${each.wall} ${each.id}`).join(', ')}`)
  return found
}

const LIMITED = { memory: '64MiB', pids: 20, cpus: 0.5 } as const

/** Audits the program of a container of Tare's: PID 1's child. */
const auditRun = async (options: RunOptions): Promise<Audit> => {
  const program = run(['sh', '-c', 'echo ready; exec sleep 1000'], { init: false, ...options })
  try {
    await said(program, 'ready')
    return audit(program.pid ?? 0)
  } finally {
    program.kill('SIGKILL')
    await program
  }
}

test('a container with limits is contained', { skip }, async (t) => {
  nothingLeft(t)
  const found = await auditRun(LIMITED)
  assert.deepEqual(
    found.findings.filter(({ severity }) => severity === 'escape' || severity === 'weakness'),
    [],
  )
  assert.equal(found.verdict, 'contained')
  assert.match(findingOf(found, 'limits', 'memory').found, /64MiB/)
  assert.match(findingOf(found, 'limits', 'pids').found, /20/)
  assert.match(findingOf(found, 'limits', 'cpus').found, /0\.5/)
})

test('without limits it has gaps, and nothing but those', { skip }, async (t) => {
  nothingLeft(t)
  const found = await auditRun({})
  assert.equal(found.verdict, 'gaps')
  assert.deepEqual(grave(found, ...WALLS_BUT_LIMITS), [])
  assert.deepEqual(grave(found, 'limits'), ['weakness memory', 'weakness pids'])
})

const WALLS_BUT_LIMITS: readonly Wall[] = [
  'namespaces', 'ids', 'capabilities', 'privileges', 'seccomp', 'root', 'files', 'kernel', 'devices', 'sockets',
  'descriptors', 'terminal', 'modules',
] // prettier-ignore

test('each option that takes a wall down is found', { skip }, async (t) => {
  nothingLeft(t)
  const network = await auditRun({ ...LIMITED, network: 'host' })
  assert.deepEqual(grave(network, 'namespaces'), ['weakness shared-net'])

  const ids = await auditRun({ ...LIMITED, userns: 'host' })
  assert.deepEqual(grave(ids, 'namespaces', 'ids'), ['weakness shared-user', 'weakness root'])

  const filter = await auditRun({ ...LIMITED, seccomp: 'unconfined', noNewPrivileges: false })
  assert.deepEqual(grave(filter, 'seccomp'), ['weakness no-filter'])

  const admin = await auditRun({ ...LIMITED, capAdd: ['SYS_ADMIN', 'NET_ADMIN'] })
  assert.deepEqual(grave(admin, 'capabilities'), ['weakness CAP_SYS_ADMIN', 'weakness CAP_NET_ADMIN'])

  const both = await auditRun({ ...LIMITED, userns: 'host', capAdd: ['SYS_ADMIN'] })
  assert.ok(grave(both, 'capabilities').includes('escape CAP_SYS_ADMIN'))
  assert.equal(both.verdict, 'not contained')
})

test('files of the host that are mounted in, by what they are', { skip }, async (t) => {
  nothingLeft(t)
  const mounted = (source: string, options: RunOptions = {}, readOnly = false) =>
    auditRun({
      ...LIMITED,
      ...options,
      mounts: [{ source, target: '/seen', readOnly, ...(options.userns === 'host' ? {} : { idmap: false }) }],
    })
  assert.deepEqual(grave(await mounted('/etc', { userns: 'host' }), 'files'), ['escape host-files'])
  assert.deepEqual(grave(await mounted('/etc', { userns: 'host' }, true), 'files'), ['weakness host-files'])
  assert.deepEqual(grave(await mounted('/usr/share', {}, true), 'files'), [])
  assert.ok(grave(await mounted('/', { userns: 'host' }), 'files').includes('escape host-root'))
})

test('a container of another program: unshare', { skip: needs('unshare') }, async (t) => {
  nothingLeft(t)
  const sleeping = sleeper()
  await using peer = await startPeer(
    ['unshare', '--user', '--map-root-user', '--mount', '--pid', '--fork', ...sleeping],
    sleeping,
  )
  const found = audit(peer.pid)
  assert.equal(found.verdict, 'not contained', 'it has the root directory of the host, and its ids')
  assert.deepEqual(grave(found, 'namespaces'), ['weakness shared-ipc', 'weakness shared-net'])
  assert.deepEqual(grave(found, 'ids'), ['weakness root-mapped'])
  assert.deepEqual(grave(found, 'seccomp'), ['weakness no-filter'])
  assert.deepEqual(grave(found, 'files'), ['escape host-root'])
})

const BWRAP = ['bwrap', '--unshare-all', '--unshare-user', '--uid', '1000', '--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64', '--proc', '/proc', '--dev', '/dev', '--new-session'] // prettier-ignore

test('a container of another program: bwrap of an ordinary user', { skip: needs('bwrap') }, async (t) => {
  nothingLeft(t)
  const sleeping = sleeper()
  await using peer = await startPeer([...BWRAP, ...sleeping], sleeping, { uid: 65534, gid: 65534, cwd: '/' })
  const found = audit(peer.pid)
  assert.equal(found.verdict, 'gaps')
  assert.deepEqual(grave(found, ...WALLS_BUT_LIMITS), ['weakness no-filter'], 'it has no filter unless it is given one')
})

test('a container of another program: bwrap of root', { skip: needs('bwrap') }, async (t) => {
  nothingLeft(t)
  const sleeping = sleeper()
  await using peer = await startPeer([...BWRAP, ...sleeping], sleeping)
  const found = audit(peer.pid)
  assert.deepEqual(grave(found, 'ids'), ['weakness root-mapped'], "1000 in it is the host's root, which started it")
  const pattern = 'sys/kernel/core_pattern'
  const isOpen = grave(found, 'kernel').includes(`escape ${pattern}`)
  // Whether it is so is tried: what is there already is written once more.
  const before = childrenOf(process.pid)
  const attack = spawnSync(BWRAP[0] ?? '', [...BWRAP.slice(1), 'sh', '-c', `cat /proc/${pattern} >/proc/${pattern}`])
  await reapAllBut(before)
  assert.equal(attack.status === 0, isOpen)
  assert.equal(found.verdict, isOpen ? 'not contained' : 'gaps')
})

for (const runtime of ['runc', 'crun'] as const) {
  test(
    `a container of another program: ${runtime}`,
    { skip: needs('runc', runtime, 'busybox', 'unshare') },
    async (t) => {
      nothingLeft(t)
      const sleeping = sleeper()
      const bundle = makeBundle(scratch(), sleeping)
      await using peer = await startPeer(runWith(runtime, bundle), sleeping)
      const found = audit(peer.pid)
      assert.equal(found.verdict, 'gaps')
      assert.deepEqual(grave(found, 'namespaces', 'ids'), ['weakness shared-user', 'weakness root'])
      assert.deepEqual(grave(found, 'seccomp'), ['weakness no-filter'], 'runc spec has none')
      assert.deepEqual(grave(found, 'root', 'files', 'kernel', 'devices', 'sockets', 'descriptors', 'terminal'), [])
      assert.equal(findingOf(found, 'privileges', 'no-new-privs').state, 'holds')
      assert.equal(findingOf(found, 'devices', 'rules').state, 'holds')
    },
  )
}

test('a process of the host is contained by nothing', { skip }, () => {
  const found = audit(process.pid)
  assert.equal(found.verdict, 'not contained')
  assert.equal(findingOf(found, 'root', 'host-root').severity, 'escape')
})

/** A thread of this process that isn't its first. */
const threadOf = (): number => Number(readdirSync('/proc/self/task').findLast((task) => Number(task) !== process.pid))

test('what is no process of its own can not be audited', () => {
  const refused = (pid: number): TareError => {
    try {
      audit(pid)
    } catch (error) {
      assert.ok(error instanceof TareError)
      return error
    }
    return assert.fail('it was audited')
  }
  assert.equal(refused(0).code, 'ERR_TARE_INPUT')
  assert.equal(refused(1.5).code, 'ERR_TARE_INPUT')
  const { pid } = spawnSync('true')
  assert.match(refused(pid).message, /^cannot audit process \d+: ESRCH \(no such process\)\n/)
  if (process.geteuid?.() === 0) assert.match(refused(2).message, /thread of the kernel/)
  assert.match(refused(threadOf()).message, new RegExp(`it is a thread of process ${process.pid}`))
})
