// Another root and no other wall: by chroot(2), and by pivot_root(2).
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ChrootOptions } from '../../src/index.ts'
import { buildRoot, chroot, closure, InputError, launch } from '../../src/index.ts'
import { lacksProgram, lacksRoot } from './child.ts'
import { expectNothingLeft } from './leaks.ts'

const { nothingLeft, scratch } = await expectNothingLeft()
const face = new URL('../../src/index.js', import.meta.url).href
const root = { skip: lacksRoot() ?? lacksProgram('busybox') ?? false }

/** A root with busybox in it, which needs nothing else. */
const makeRoot = async (): Promise<string> => {
  const { path } = await buildRoot(closure(['busybox']), { output: join(scratch(), 'root') })
  return path
}

const PROGRAM = closure(['busybox']).programs[0] ?? ''

const sh = async (directory: string, script: string, options: ChrootOptions = {}): Promise<string> => {
  const { exitCode, stdout, stderr } = await chroot(directory, [PROGRAM, 'sh', '-c', script], options)
  assert.equal(exitCode, 0, `${script}: ${stdout}${stderr}`)
  return stdout.trimEnd()
}

test('the root is another, and all else the same', root, async (t) => {
  nothingLeft(t)
  const directory = await makeRoot()
  process.env['TARE_TEST'] = 'passed on'
  assert.equal(
    await sh(directory, 'echo $PWD $TARE_TEST; echo /*', { env: { ...process.env } }),
    '/ passed on\n/dev /proc /sys /tmp /usr',
  )
  delete process.env['TARE_TEST']
  const spaces = 'for kind in mnt net pid user; do busybox readlink /proc/self/ns/$kind; done'
  const own = (kinds: readonly string[]): string =>
    kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`)).join('\n')
  const script = spaces.replaceAll('busybox', PROGRAM)
  const inside = (await sh(directory, script, { proc: true })).split('\n')
  assert.notEqual(inside[0], own(['mnt']), 'a pivot has mounts of its own')
  assert.equal(inside.slice(1).join('\n'), own(['net', 'pid', 'user']))
})

test('by a pivot nothing of the old root is left', root, async (t) => {
  nothingLeft(t)
  const directory = await makeRoot()
  const mounts = await sh(directory, `${PROGRAM} cat /proc/self/mountinfo`, { proc: true })
  // Its own root, proc, and what is mounted in that.
  for (const line of mounts.split('\n')) assert.match(line.split(' ')[4] ?? '', /^\/$|^\/proc(\/|$)/)
  assert.equal(
    await sh(directory, `${PROGRAM} ls /..`, { pivot: true }),
    await sh(directory, `${PROGRAM} ls /`, { pivot: true }),
  )
})

test('what is mounted in it goes where it is said, and links of the root lead nowhere else', root, async (t) => {
  nothingLeft(t)
  const [directory, data] = [await makeRoot(), scratch()]
  writeFileSync(join(data, 'file'), 'data')
  const host = join(scratch(), 'host')
  mkdirSync(host)
  for (const name of ['data', 'dangling']) symlinkSync(host, join(directory, name))
  const bind = (target: string, readOnly = false) => ({ binds: [{ source: data, target, readOnly }] })
  await assert.rejects(chroot(directory, [PROGRAM], bind('/data')), {
    code: 'ENOENT',
    message: /^cannot mount it at \/data: ENOENT .*\nIt must exist in the root/,
  })
  mkdirSync(join(directory, host), { recursive: true })
  assert.equal(await sh(directory, 'read x < /data/file; echo $x', bind('/data')), 'data')
  assert.equal(await sh(directory, 'echo new > /tmp/new; echo $?', bind('/tmp')), '0')
  assert.equal(readFileSync(join(data, 'new'), 'utf8'), 'new\n')
  assert.equal(await sh(directory, 'echo x 2>/dev/null > /tmp/x || echo refused', bind('/tmp', true)), 'refused')
  await assert.rejects(chroot(directory, [PROGRAM], bind(PROGRAM)), {
    message: /EINVAL .*\nA directory goes on a directory, and a file on a file\.$/,
  })
})

test('devices are the usual ones, and work', root, async (t) => {
  nothingLeft(t)
  const directory = await makeRoot()
  assert.equal(
    await sh(
      directory,
      `echo /dev/*; ${PROGRAM} head -c 4 /dev/zero | ${PROGRAM} wc -c; echo > /dev/null; echo x > /dev/shm/x`,
      { dev: true, user: 65534 },
    ),
    '/dev/fd /dev/full /dev/null /dev/random /dev/shm /dev/stderr /dev/stdin /dev/stdout /dev/tty /dev/urandom /dev/zero\n4',
  )
})

test('whom it runs as is looked up in the root', root, async (t) => {
  nothingLeft(t)
  const directory = await makeRoot()
  mkdirSync(join(directory, 'etc'))
  writeFileSync(join(directory, 'etc/passwd'), 'someone:x:4321:5432::/:/bin/sh\n')
  const id = `${PROGRAM} id`
  assert.match(await sh(directory, id, { user: 'someone' }), /^uid=4321\(someone\) gid=5432/)
  assert.match(await sh(directory, id, { user: 'someone', pivot: true }), /^uid=4321\(someone\) gid=5432/)
  await assert.rejects(chroot(directory, [PROGRAM], { user: 'nobody' }), InputError)
})

test('bad options are one error, and nothing is started', root, async (t) => {
  nothingLeft(t)
  const directory = await makeRoot()
  assert.throws(() => chroot('/no/such', ['true']), {
    code: 'ENOENT',
    message: /^cannot use the root \/no\/such: ENOENT/,
  })
  assert.throws(() => chroot('/etc/passwd', ['true']), /it is no directory/)
  const refused = async (promise: PromiseLike<unknown>, words: RegExp): Promise<void> => {
    await assert.rejects(Promise.resolve(promise), (error) => error instanceof InputError && words.test(error.message))
  }
  await refused(
    chroot(directory, ['true'], { binds: [{ source: '/usr', target: 'relative' }] }),
    /cannot bind \/usr at relative: /,
  )
  await refused(
    launch(['true'], { pivot: { root: directory } }),
    /takes a new mount namespace with private mounts\nLet unshare have mnt/,
  )
  await refused(
    launch(['true'], { root: directory, pivot: { root: directory }, unshare: { kinds: ['mnt'] } }),
    /there is a root besides/,
  )
  await refused(
    launch(['true'], { pivot: { root: directory }, unshare: { kinds: ['mnt'], propagation: 'shared' } }),
    /private mounts/,
  )
})

test('an ordinary user does all that in a user namespace', root, async (t) => {
  const lack = lacksProgram('setpriv')
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const directory = await makeRoot()
  const script = `
    import { chroot } from ${JSON.stringify(face)}
    const say = async (options) => {
      const { stdout, stderr } = await chroot(${JSON.stringify(directory)}, [${JSON.stringify(PROGRAM)}, 'sh', '-c', ${JSON.stringify(`echo /*; ${PROGRAM} id -u; ${PROGRAM} id -g; echo x > /tmp/${process.pid}`)}], options)
      return (stdout + stderr).trim().split('\\n').slice(0, 3).join(' ')
    }
    console.log(await say({}))
    console.log(await say({ user: '0:0', pivot: true }))
    console.log(await say({ user: 12, dev: true, proc: true, binds: [{ source: '/tmp', target: '/tmp' }] }))
  `
  const args = [
    '--reuid',
    '65534',
    '--regid',
    '65534',
    '--clear-groups',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ]
  const { stdout, stderr } = spawnSync('setpriv', args, {
    encoding: 'utf8',
    cwd: '/',
    env: { ...process.env, TMPDIR: '/tmp' },
  })
  const all = '/dev /proc /sys /tmp /usr'
  assert.equal(stdout, `${all} 65534 65534\n${all} 0 0\n${all} 12 0\n`, stderr)
  spawnSync('rm', ['-f', `/tmp/${process.pid}`])
})
