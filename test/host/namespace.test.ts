import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, fstatSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import {
  namespaceKind,
  namespaceOwnerUid,
  openNamespace,
  openNamespaceOfPidfd,
  openOwnerNamespace,
  openParentNamespace,
  openPidfd,
  readIdMap,
  readNamespace,
  readNamespaces,
} from '../../src/linux/index.ts'
import { inChild, lacksProgram, lacksRoot } from './child.ts'

/** A process in namespaces of its own, once it says that it is there. */
const spawnUnshared = async (t: TestContext, options: readonly string[]): Promise<ChildProcess> => {
  const child = spawn('unshare', [...options, 'sh', '-c', 'echo there; exec sleep 1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve())
    child.once('exit', () => reject(new Error(`unshare ${options.join(' ')} failed`)))
  })
  return child
}

const inodeOf = (fd: number | undefined): number | undefined => {
  if (fd === undefined) return undefined
  const { ino } = fstatSync(fd)
  closeSync(fd)
  return ino
}

test('unshare moves this thread into the namespaces asked for, and setns moves it back', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const result = inChild(`
    const ids = () => Object.fromEntries(Object.entries(linux.readNamespaces('self')).map(([key, { inode }]) => [key, inode]))
    const before = ids()
    const back = linux.openNamespace('self', 'uts')
    linux.unshare(['uts', 'ipc', 'net', 'mnt', 'cgroup'])
    const unshared = ids()
    linux.setns(back, ['uts'])
    const returned = ids()
    let wrong
    try { linux.setns(back, ['net']) } catch (error) { wrong = error.code }
    done({ before, unshared, returned, wrong })
  `)
  assert.ok(typeof result === 'object' && result !== null && 'before' in result && 'unshared' in result)
  assert.ok('returned' in result && 'wrong' in result)
  const [before, unshared, returned] = [result.before, result.unshared, result.returned].map(
    (ids) => new Map(Object.entries(ids ?? {})),
  )
  const differ = (a?: Map<string, unknown>, b?: Map<string, unknown>): readonly string[] =>
    [...(a ?? [])].filter(([key, inode]) => b?.get(key) !== inode).map(([key]) => key)
  assert.deepEqual(differ(before, unshared), ['cgroup', 'ipc', 'mnt', 'net', 'uts'])
  assert.deepEqual(differ(before, returned), ['cgroup', 'ipc', 'mnt', 'net'])
  assert.equal(result.wrong, 'EINVAL')
})

test('a new pid namespace is for children alone', (t) => {
  const lack = lacksRoot() ?? lacksProgram('readlink')
  if (lack !== undefined) return t.skip(lack)
  const result = inChild(`
    const { execFileSync } = await import('node:child_process')
    const before = linux.readNamespace('self', 'pid')
    linux.unshare(['pid'])
    const [own, next] = ['pid', 'pid_for_children'].map((link) => linux.readNamespace('self', link)?.inode)
    const child = execFileSync('readlink', ['/proc/' + process.pid + '/ns/pid_for_children'], { encoding: 'utf8' })
    const born = linux.parseNamespaceId(child.trim())
    done([own === before.inode, next === before.inode, born.kind, born.inode === before.inode])
  `)
  assert.deepEqual(result, [true, false, 'pid', false])
})

test('a user namespace needs a process of one thread, which Node is not', () => {
  const result = inChild(`
    try { linux.unshare(['user']); done('entered') } catch (error) { done(error.message) }
  `)
  assert.match(String(result), /^cannot move this thread into new namespaces user: EINVAL .*\n.*single thread/)
})

test('this thread enters several namespaces of a process by its pidfd', async (t) => {
  const lack = lacksRoot() ?? lacksProgram('unshare')
  if (lack !== undefined) return t.skip(lack)
  const child = await spawnUnshared(t, ['--uts', '--net', '--mount'])
  const result = inChild(`
    const pidfd = linux.openPidfd(${child.pid})
    let shared
    try { linux.setns(pidfd, ['mnt']) } catch (error) { shared = error.code }
    linux.unshareFs()
    linux.setns(pidfd, ['uts', 'net', 'mnt'])
    done([shared, ...['uts', 'net', 'mnt', 'ipc'].map((kind) => linux.readNamespace('self', kind).inode)])
  `)
  const pid = child.pid ?? 0
  const kinds = (['uts', 'net', 'mnt', 'ipc'] as const).map((kind) => readNamespace(pid, kind)?.inode)
  assert.deepEqual(result, ['EINVAL', ...kinds])
  assert.notDeepEqual(readNamespace(pid, 'net'), readNamespace('self', 'net'))
})

test('a namespace tells its owner, its parent and who made it', async (t) => {
  const lack = lacksProgram('unshare')
  if (lack !== undefined) return t.skip(lack)
  if (spawnSync('unshare', ['--user', 'true']).status !== 0) return t.skip('needs user namespaces')
  const child = await spawnUnshared(t, ['--user', '--map-root-user', '--net', '--fork', '--pid', '--kill-child'])
  const pid = child.pid ?? 0
  const theirs = readNamespaces(pid)
  const own = readNamespaces('self')
  assert.notDeepEqual(theirs.user, own.user)
  assert.deepEqual(readIdMap(pid, 'uid'), [{ inside: 0, outside: process.geteuid?.() ?? -1, size: 1 }])

  const pidfd = openPidfd(pid)
  const net = openNamespaceOfPidfd(pidfd, 'net')
  const user = openNamespace(pid, 'user')
  const children = openNamespaceOfPidfd(pidfd, 'pid_for_children')
  assert.deepEqual([namespaceKind(net), namespaceKind(user), namespaceKind(children)], ['net', 'user', 'pid'])
  assert.equal(inodeOf(openOwnerNamespace(net)), theirs.user?.inode)
  assert.equal(inodeOf(openParentNamespace(user)), own.user?.inode)
  assert.equal(inodeOf(openParentNamespace(children)), own.pid?.inode)
  assert.equal(namespaceOwnerUid(user), process.geteuid?.())
  assert.throws(() => namespaceOwnerUid(net), /cannot find the user who owns the namespace .*: EINVAL/)
  assert.throws(() => openParentNamespace(net), /cannot find the parent of the namespace .*: EINVAL/)
  for (const fd of [pidfd, net, user, children]) closeSync(fd)

  const inside = inChild(
    `
    const fd = linux.openNamespace('self', 'user')
    done([linux.openParentNamespace(fd) === undefined, linux.namespaceOwnerUid(fd)])
  `,
    { through: ['unshare', '--user', '--map-root-user'] },
  )
  assert.deepEqual(inside, [true, 0])
})

test('another user’s namespaces are not to be read, and the error says why', (t) => {
  const lack = lacksRoot() ?? lacksProgram('setpriv')
  if (lack !== undefined) return t.skip(lack)
  const message = inChild(
    `try { done(linux.readNamespace(${process.pid}, 'net')) } catch (error) { done(error.message) }`,
    { through: ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] },
  )
  const expected = `cannot read the net namespace of process ${process.pid}: EACCES (permission denied)\n`
  assert.equal(message, `${expected}It belongs to another user: that takes CAP_SYS_PTRACE in its user namespace.`)
})
