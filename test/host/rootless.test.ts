import assert from 'node:assert/strict'
import { accessSync, chmodSync, chownSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { syscall } from '../../src/linux/syscall.ts'
import { lacksProgram } from './child.ts'

/**
 * All that test/host has of containers, as an ordinary user: this process becomes one, for good, and then takes the
 * tests from their files. As an ordinary user those files are the same by themselves.
 */
interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

const accounts = (): readonly User[] =>
  readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))

/** Someone with subordinate ids, if there is such a user; else nobody. */
const ordinaryUser = (): User => {
  const owners = (file: string): readonly string[] => {
    try {
      return readFileSync(file, 'utf8')
        .split('\n')
        .map((line) => line.split(':')[0] ?? '')
    } catch {
      return []
    }
  }
  const [uids, gids] = [owners('/etc/subuid'), owners('/etc/subgid')]
  const found = accounts().find(({ name, uid }) => uid > 0 && uids.includes(name) && gids.includes(name))
  return found ?? { name: 'nobody', uid: 65534, gid: 65534 }
}

const PR_SET_DUMPABLE = 4

/** Becomes the user. The kernel then takes this process for one with secrets, whose /proc is root's, until told otherwise. */
const become = ({ name, uid, gid }: User): void => {
  const base = mkdtempSync(join(tmpdir(), 'tare-rootless-'))
  chownSync(base, uid, gid)
  chmodSync(base, 0o755)
  after(() => rmSync(base, { recursive: true, force: true }))
  process.env['TMPDIR'] = base
  process.env['HOME'] = base
  process.env['USER'] = name
  process.setgroups?.([])
  process.setgid?.(gid)
  process.setuid?.(uid)
  syscall({ operation: 'be open to this user' }, 'prctl', PR_SET_DUMPABLE, 1, 0, 0, 0)
  process.chdir('/')
}

const readableByAll = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK | constants.X_OK)
    return path === '/' || readableByAll(dirname(path))
  } catch {
    return false
  }
}

const here = dirname(fileURLToPath(import.meta.url))

if (process.geteuid?.() !== 0)
  test('as an ordinary user', (t) => t.skip('needs root, to become one: the other files did it as this user'))
else {
  const user = ordinaryUser()
  become(user)
  if (!readableByAll(here)) test('as an ordinary user', (t) => t.skip(`needs ${here} to be readable by all`))
  else {
    const { run } = await import('../../src/engine/run.ts')
    const { isRoot, lines, refusal, sh } = await import('./contained.ts')
    const { expectNothingLeft } = await import('./leaks.ts')
    const { subject, tryEveryFault } = await import('./leaks-fault.ts')
    const { nothingLeft, scratch } = await expectNothingLeft()
    assert.equal(isRoot, false)

    // Tests begin as soon as they are there: the first one waits until all are, as loading them opens files.
    let loaded = (): void => undefined
    const loading = new Promise<void>((resolve) => {
      loaded = resolve
    })
    test('the tests of the other files are here', () => loading)

    test('an ordinary user is root inside, and only itself outside', async (t) => {
      nothingLeft(t)
      const directory = scratch()
      assert.equal(await sh('id -u; id -g'), '0\n0')
      assert.equal(await sh('cat /etc/shadow 2>/dev/null; wc -l </proc/self/uid_map'), '1')
      const mounts = [{ source: directory, target: '/data' }]
      assert.equal(await sh('touch /data/file; stat -c %u:%g /data/file', { mounts }), '0:0')
      assert.equal(await sh('chown 1 /data/file 2>&1 | grep -o "Invalid argument"', { mounts }), 'Invalid argument')
    })

    test('nothing is left whichever step fails, or is the last: with defaults', async (t) => {
      nothingLeft(t)
      const { failed, infallible, killed, branches } = await tryEveryFault(subject({}))
      t.diagnostic(`${failed} failures, ${killed} kills, ${branches} branches; ${infallible} can't fail`)
    })

    test('a range of subordinate ids is mapped where more than one is needed', async (t) => {
      const lack = user.name === 'nobody' ? 'needs a user with subordinate ids' : lacksProgram('newuidmap', 'newgidmap')
      if (lack !== undefined) return t.skip(lack)
      nothingLeft(t)
      const map = async (options: Parameters<typeof run>[1]): Promise<readonly string[]> =>
        (await lines('cat /proc/self/uid_map', options)).map((line) => line.trim().split(/\s+/).join(' '))
      const [own, range] = await map({ userns: 'auto' })
      assert.equal(own, `0 ${user.uid} 1`)
      assert.match(range ?? '', /^1 \d+ \d+$/)
      assert.equal(await sh('id -u; id -G', { user: 54321, groups: [5] }), '54321\n0 5')
      const kept = await map({ userns: 'keep-id' })
      assert.ok(kept.includes(`${user.uid} ${user.uid} 1`), kept.join())
      const directory = scratch()
      const mounts = [{ source: directory, target: '/data' }]
      await sh('touch /data/file', { mounts, userns: 'keep-id', user: user.uid })
      assert.equal(await sh('stat -c %u /data/file', { mounts }), '0', "outside it is the caller's")
    })

    test('without subordinate ids more than one is refused, and how to have them is told', async (t) => {
      if (user.name !== 'nobody') return t.skip('needs a user without subordinate ids')
      nothingLeft(t)
      assert.match(await refusal({ user: 1000 }), /has no range of subordinate uids in \/etc\/subuid\nGive it a line/)
    })

    await import('./run-mounts.test.ts')
    await import('./run-rootfs.test.ts')
    await import('./run-process.test.ts')
    await import('./run-streams.test.ts')
    await import('./run-life.test.ts')
    await import('./attacks.test.ts')
    await import('./attacks-image.test.ts')
    await import('./attacks-parent.test.ts')
    await import('./many.test.ts')
    loaded()
  }
}
