import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'

import {
  formatNamespaceId,
  NAMESPACE_KINDS,
  namespaceFlags,
  namespaceKind,
  openNamespace,
  openNamespaceFile,
  openNamespaceOfPidfd,
  parseNamespaceId,
  readNamespace,
  readNamespaces,
} from './namespace.ts'
import { openPidfd, pidfdPid, sendPidfdSignal, whenEnded } from './pidfd.ts'
import { mountOfFile } from './statx.ts'
import { readMountinfo } from './mountinfo.ts'

test('the flags are distinct bits', () => {
  assert.equal(namespaceFlags([]), 0)
  assert.equal(namespaceFlags(['mnt', 'pid']), 0x20020000)
  assert.equal(namespaceFlags(NAMESPACE_KINDS), 0x7e020080)
})

test('ids of namespaces are read and written', () => {
  assert.deepEqual(parseNamespaceId('net:[4026531840]'), { kind: 'net', inode: 4026531840 })
  assert.equal(formatNamespaceId({ kind: 'net', inode: 4026531840 }), 'net:[4026531840]')
  for (const text of ['', 'net:4026531840', 'foo:[1]', 'net:[1] ', 'net:[x]']) {
    assert.equal(parseNamespaceId(text), undefined)
  }
})

test('the namespaces of this process are those of its links', () => {
  const all = readNamespaces('self')
  for (const kind of ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'] as const) {
    const id = all[kind]
    assert.ok(id)
    assert.equal(formatNamespaceId(id), readlinkSync(`/proc/self/ns/${kind}`))
  }
  assert.deepEqual(readNamespace(process.pid, 'pid_for_children'), all.pid)
  assert.throws(() => readNamespace(4194305, 'net'), /cannot read the net namespace of process 4194305: ENOENT/)
})

test('a namespace is opened by process and by path, and tells its kind', () => {
  for (const fd of [openNamespace('self', 'uts'), openNamespaceFile('/proc/self/ns/uts')]) {
    try {
      assert.equal(namespaceKind(fd), 'uts')
      assert.equal(fstatSync(fd).ino, readNamespace('self', 'uts')?.inode)
    } finally {
      closeSync(fd)
    }
  }
  const none = openSync('/dev/null', 'r')
  assert.throws(() => namespaceKind(none), /cannot find the kind of the namespace of descriptor [0-9]+: ENOTTY/)
  closeSync(none)
  assert.throws(() => openNamespaceFile('/nowhere'), /cannot open the namespace \/nowhere: ENOENT/)
})

test('a pidfd stands for its process until that has ended', async () => {
  const child = spawn('sleep', ['1000'])
  const pidfd = openPidfd(child.pid ?? 0)
  const null1 = openSync('/dev/null', 'r')
  try {
    assert.equal(pidfdPid(pidfd), child.pid)
    assert.throws(() => pidfdPid(null1), /the descriptor is none of a process/)
    assert.throws(() => pidfdPid(999_999), /EBADF/)
    const namespace = openNamespaceOfPidfd(pidfd, 'net')
    assert.equal(fstatSync(namespace).ino, readNamespace(child.pid ?? 0, 'net')?.inode)
    closeSync(namespace)
    assert.equal(sendPidfdSignal(pidfd, 0), true)

    const exit = new Promise<string | null>((resolve) => {
      child.on('exit', (_, signal) => resolve(signal))
    })
    assert.equal(sendPidfdSignal(pidfd, 10), true)
    await whenEnded(pidfd)
    assert.equal(await exit, 'SIGUSR1')
    assert.equal(sendPidfdSignal(pidfd, 10), false)
    assert.equal(pidfdPid(pidfd), undefined)
    assert.throws(
      () => openNamespaceOfPidfd(pidfd, 'net'),
      /cannot open the net namespace of the process of pidfd [0-9]+: ESRCH/,
    )
  } finally {
    child.kill('SIGKILL')
    closeSync(pidfd)
    closeSync(null1)
  }
  assert.throws(() => openPidfd(4194304), /cannot open a descriptor of process 4194304/)
})

test('statx(2) and mountinfo name the same mount', () => {
  const mount = mountOfFile({ path: '/proc' })
  const top = readMountinfo().findLast(({ mountPoint }) => mountPoint === '/proc')
  assert.equal(mount.id, BigInt(top?.id ?? -1))
  assert.equal(mount.isMountRoot, true)
  assert.equal(mountOfFile({ path: '/proc/self' }).isMountRoot, false)
  const fd = openSync('/proc/version', 'r')
  assert.equal(mountOfFile({ dirfd: fd, path: '' }).id, mount.id)
  assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), new RegExp(`mnt_id:\t${mount.id}\n`))
  closeSync(fd)
})
