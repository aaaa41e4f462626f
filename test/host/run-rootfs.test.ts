import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import type { RunOptions } from '../../src/engine/options.ts'
import { run } from '../../src/engine/run.ts'
import { lacksProgram } from './child.ts'
import { isRoot, lines, refusal, sh } from './contained.ts'
import { expectNothingLeft } from './leaks.ts'

const { nothingLeft, scratch } = await expectNothingLeft()

const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path))

/** The smallest root file system: a shell and its tools in one static program. */
const tinyRoot = (): string => {
  const root = scratch()
  for (const name of ['bin', 'etc']) mkdirSync(join(root, name))
  copyFileSync(BUSYBOX ?? '', join(root, 'bin', 'busybox'))
  for (const name of ['sh', 'ls', 'cat', 'id', 'touch', 'rm', 'stat', 'echo', 'true', 'readlink', 'grep', 'awk'])
    symlinkSync('busybox', join(root, 'bin', name))
  writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv/web:/bin/sh\n')
  writeFileSync(join(root, 'etc', 'group'), 'root:x:0:\nweb:x:44:\nlogs:x:55:web\n')
  return root
}

/** busybox-static: a dynamic one needs libraries that the root hasn't. */
const lacksBusybox = (): string | undefined => {
  if (BUSYBOX === undefined) return 'needs busybox'
  const file = readFileSync(BUSYBOX)
  return file.includes('/ld-linux') || file.includes('/ld-musl') ? 'needs a static busybox' : undefined
}

test('the system root has programs, and nothing else of the host', async (t) => {
  nothingLeft(t)
  const top = await lines('ls -A /')
  const all = [
    'bin',
    'dev',
    'etc',
    'home',
    'lib',
    'lib32',
    'lib64',
    'libx32',
    'proc',
    'root',
    'run',
    'sbin',
    'sys',
    'tmp',
    'usr',
    'var',
  ]
  assert.deepEqual(
    top.filter((name) => !all.includes(name)),
    [],
  )
  for (const path of ['/home', '/root', '/tmp', '/run', '/var/tmp'])
    assert.equal(await sh(`find ${path} -mindepth 1`), '', `${path} is empty`)
  assert.equal(await sh(`test -e ${homedir() === '/root' ? '/root/.bashrc' : homedir()} || echo hidden`), 'hidden')
  const known = ['alternatives', 'group', 'hostname', 'hosts', 'ld.so.cache', 'localtime', 'nsswitch.conf', 'passwd']
  assert.deepEqual(
    (await lines('ls -A /etc')).filter((name) => !known.includes(name)),
    [],
  )
  assert.equal(await sh('test -e /etc/shadow || test -e /etc/ssh || test -e /etc/machine-id || echo none'), 'none')
  const users = (await sh('cut -d: -f1 /etc/passwd')).split('\n')
  assert.deepEqual(users, ['root', 'nobody'])
  assert.match((await run(['touch', '/usr/x'])).stderr, /Read-only file system/)
  const devices = ['full', 'null', 'random', 'tty', 'urandom', 'zero']
  const places = ['fd', 'mqueue', 'ptmx', 'pts', 'shm', 'stderr', 'stdin', 'stdout']
  assert.deepEqual(await lines('ls /dev'), [...devices, ...places].toSorted())
})

test('files in the system root are in memory, up to rootSize', async (t) => {
  nothingLeft(t)
  const script = 'dd if=/dev/zero of=/var/big bs=64k count=100 2>&1 | grep -o "No space left"; stat -c %s /var/big'
  const [full, size] = await lines(script, { rootSize: '2MiB' })
  assert.equal(full, 'No space left')
  // The files of /etc and the directories take a few pages.
  assert.ok(Number(size) <= 2 << 20 && Number(size) > (2 << 20) - 100_000, size)
  assert.equal(await sh('echo x >/anywhere && cat /anywhere'), 'x')
})

test('with the host as root all is seen, and no change reaches it', async (t) => {
  const directory = scratch()
  nothingLeft(t)
  const host = { rootfs: 'host' } as const
  const script = `test -r /etc/hostname && echo seen; echo x >/etc/tare-test-file; cat /etc/tare-test-file; rm /etc/hostname; ls -d /etc/hostname 2>/dev/null`
  const before = statSync('/etc/hostname').mtimeMs
  const outcome = await run(['sh', '-c', script], host)
  assert.equal(outcome.stdout, 'seen\nx\n')
  if (isRoot) {
    const file = join(directory, 'file')
    writeFileSync(file, 'kept')
    assert.equal(await sh(`cat ${file}; echo changed >${file}; cat ${file}`, host), 'keptchanged')
    assert.equal(readFileSync(file, 'ascii'), 'kept')
  }
  assert.equal(existsSync('/etc/tare-test-file'), false)
  assert.equal(statSync('/etc/hostname').mtimeMs, before)
  assert.equal(await sh('find /tmp /run -mindepth 1 | head', isRoot ? { ...host, readOnly: true } : host), '')
})

test('changes to the host as root are kept where they are asked to be', async (t) => {
  if (!isRoot) return t.skip('needs root')
  const keep = scratch()
  nothingLeft(t)
  const options = { rootfs: 'host', overlay: keep } as const
  await sh('echo x >/etc/tare-test-file', options)
  assert.equal(readFileSync(join(keep, 'upper/etc/tare-test-file'), 'ascii'), 'x\n')
  assert.equal(await sh('cat /etc/tare-test-file', options), 'x')
  assert.equal(existsSync('/etc/tare-test-file'), false)
  execFileSync('rm', ['-rf', join(keep, 'upper'), join(keep, 'work')])
})

test('a directory is the root: itself, read-only, or below a layer for changes', async (t) => {
  const lack = lacksBusybox()
  if (lack !== undefined) return t.skip(lack)
  const rootfs = tinyRoot()
  const keep = scratch()
  nothingLeft(t)
  const script = 'ls / | grep -v -e dev -e proc -e sys; echo x >/file && cat /file; test -e /usr || echo alone'
  assert.deepEqual(await lines(script, { rootfs }), ['bin', 'etc', 'x', 'alone'])
  assert.equal(readFileSync(join(rootfs, 'file'), 'ascii'), 'x\n')
  assert.equal(statSync(join(rootfs, 'file')).uid, process.geteuid?.())
  execFileSync('rm', [join(rootfs, 'file')])
  const changed = ['bin', 'etc', 'x', 'alone']
  assert.deepEqual(await lines(script, { rootfs, overlay: true }), changed)
  assert.deepEqual(await lines(script, { rootfs, overlay: keep }), changed)
  assert.deepEqual(await lines(script, { rootfs, overlay: keep }), ['bin', 'etc', 'file', 'x', 'alone'])
  assert.equal(existsSync(join(rootfs, 'file')), false)
  const readOnly = await run(['touch', '/file'], { rootfs, readOnly: true })
  assert.match(readOnly.stderr, /Read-only file system/)
  execFileSync('rm', ['-rf', join(keep, 'upper'), join(keep, 'work')])
})

test('users of a directory root are those of its own files', async (t) => {
  const lack = lacksBusybox()
  if (lack !== undefined) return t.skip(lack)
  if (!isRoot) return t.skip('needs root, for more than one id')
  const rootfs = tinyRoot()
  nothingLeft(t)
  const id = (options: RunOptions): Promise<string> => sh('id -u; id -g; id -G; echo $HOME', { rootfs, ...options })
  assert.equal(await id({ user: 'web' }), '33\n44\n44 55\n/srv/web')
  assert.equal(await id({ user: '33' }), '33\n44\n44 55\n/srv/web')
  assert.equal(await id({ user: 'web:logs' }), '33\n55\n55\n/srv/web')
  assert.equal(await id({ user: 'web:7', groups: ['logs', 9] }), '33\n7\n7 9 55\n/srv/web')
  assert.match(await refusal({ rootfs, user: 'nginx' }), /^cannot use user nginx: the root has no user of that name/)
  assert.match(await refusal({ rootfs, user: 'web', groups: ['wheel'] }), /^cannot use group wheel: /)
})

test('a read-only root leaves its places for temporary files writable, and nothing else', async (t) => {
  nothingLeft(t)
  const script =
    'for d in / /etc /home /root /var /usr /tmp /run /var/tmp /dev/shm; do touch $d/x 2>/dev/null && echo $d; done; true'
  assert.deepEqual(await lines(script, { readOnly: true }), ['/tmp', '/run', '/var/tmp', '/dev/shm'])
})

test('a root that makes no sense is refused', async (t) => {
  const root = scratch()
  nothingLeft(t)
  writeFileSync(join(root, 'file'), '')
  assert.match(await refusal({ rootfs: join(root, 'none') }), /it does not exist/)
  assert.match(await refusal({ rootfs: join(root, 'file') }), /it is not a directory/)
  assert.match(await refusal({ rootfs: 'system', overlay: true }), /made anew each time/)
  assert.match(await refusal({ rootfs: 'host', overlay: false }), /could change the host/)
  assert.match(await refusal({ rootSize: 'many' }), /many/)
  assert.match(await refusal({ rootfs: root, overlay: join(root, 'none') }), /it does not exist/)
  assert.deepEqual(readdirSync(root), ['file'])
  assert.equal(lacksProgram('sh'), undefined)
})
