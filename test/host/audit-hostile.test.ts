import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { run } from '../../src/engine/run.ts'
import { audit } from '../../src/inspect/audit/audit.ts'
import type { Audit } from '../../src/inspect/audit/audit.ts'
import { TareError } from '../../src/linux/error.ts'
import { lacksProgram, lacksRoot } from './child.ts'
import { said } from './contained.ts'
import { expectNothingLeft, snapshotHost } from './leaks.ts'
import { childrenOf, sleeper, startPeer } from './peers.ts'

const { nothingLeft, scratch } = await expectNothingLeft()

const skip = lacksRoot() ?? lacksProgram('chroot', 'busybox', 'unshare', 'mknod') ?? false

const stateOf = ({ findings }: Audit, wall: string, id: string): string | undefined =>
  findings.find((finding) => finding.wall === wall && finding.id === id)?.state

/** A root directory with busybox, for chroot. */
const makeRoot = (): string => {
  const directory = scratch()
  mkdirSync(join(directory, 'bin'))
  writeFileSync(join(directory, 'bin/busybox'), readFileSync('/bin/busybox'), { mode: 0o755 })
  return directory
}

const SLEEPING = (): readonly string[] => ['/bin/busybox', ...sleeper()]

test('links in place of /dev and /proc lead nowhere', { skip }, async (t) => {
  nothingLeft(t)
  const root = makeRoot()
  // Within the root these lead to nothing; on the host they would lead to the real ones.
  for (const name of ['dev', 'proc', 'sys']) symlinkSync(`/${name}`, join(root, name))
  const sleeping = SLEEPING()
  await using peer = await startPeer(['unshare', '--mount', 'chroot', root, ...sleeping], sleeping)
  const found = audit(peer.pid)
  assert.equal(stateOf(found, 'devices', 'nodes'), 'unknown')
  assert.deepEqual(
    found.findings.filter(({ wall, severity }) => wall === 'devices' && severity === 'escape').map(({ id }) => id),
    ['rules'],
    'it has CAP_MKNOD, and no node was looked for on the host',
  )
})

test('pipes, deep trees and names that are none are looked at without being opened', { skip }, async (t) => {
  nothingLeft(t)
  const root = makeRoot()
  const dev = join(root, 'dev')
  mkdirSync(join(dev, 'a/b/c/d/e/f'), { recursive: true })
  for (const words of [
    ['mkfifo', join(dev, 'pipe'), join(dev, 'null')],
    ['mknod', join(dev, 'a/\u001b[2J'), 'c', '1', '1'],
    ['mknod', join(dev, 'a/b/c/d/e/f/deep'), 'b', '7', '0'],
  ])
    assert.equal(spawnSync(words[0] ?? '', words.slice(1)).status, 0)
  const sleeping = SLEEPING()
  await using peer = await startPeer(['chroot', root, ...sleeping], sleeping)
  // A pipe that is opened would keep it for ever.
  const found = audit(peer.pid)
  const memory = found.findings.find(({ wall, id }) => wall === 'devices' && id === 'memory')
  assert.equal(stateOf(found, 'devices', 'more-nodes'), 'unknown', 'how deep it looks has an end')
  assert.equal(memory?.found, '/dev/a/\u001b[2J', 'as it is; the command line makes it visible')
})

test('thousands of mounts, devices and descriptors take a moment, and no more', { skip }, async (t) => {
  nothingLeft(t)
  const script = `
    mount -t tmpfs none /tmp; mkdir /tmp/m
    i=0; while [ $i -lt 1000 ]; do mount --bind /tmp /tmp/m; i=$((i+1)); done
    i=0; while [ $i -lt 5000 ]; do echo >/dev/shm/$i; i=$((i+1)); done
    echo ready; sleep 1000; true`
  const program = run(['sh', '-c', script], { capAdd: ['SYS_ADMIN'], seccomp: 'unconfined' })
  try {
    await said(program, 'ready')
    const began = performance.now()
    const found = audit(program.pid ?? 0)
    t.diagnostic(`${(performance.now() - began).toFixed(0)} ms`)
    assert.equal(stateOf(found, 'devices', 'more-nodes'), 'unknown', 'it says that it did not look at all')
  } finally {
    program.kill('SIGKILL')
    await program
  }
})

test('a process that has ended is one error, whenever it ends, and leaves nothing open', { skip }, async (t) => {
  nothingLeft(t)
  const child = ['sh', '-c', 'sleep 0 & exec sleep "$0"']
  const sleeping = sleeper()
  await using peer = await startPeer([...child, sleeping[1] ?? ''], sleeping)
  let zombie: number | undefined
  while (zombie === undefined) {
    await sleep(5)
    zombie = childrenOf(peer.pid).find((pid) => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'ascii')))
  }
  const before = snapshotHost().descriptors
  for (const pid of [zombie, 2, 4_194_304, -1, 0.5]) assert.throws(() => audit(pid), TareError)
  assert.throws(() => audit(zombie), /^TareError: cannot audit process \d+: ESRCH \(no such process\)/)
  audit(peer.pid)
  assert.deepEqual(snapshotHost().descriptors, before)
})
