// Roots on file systems of this host: attributes, ways of getting there, all or nothing.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Closure } from '../../src/index.ts'
import { buildRoot, closure, InputError, TareError } from '../../src/index.ts'
import { readFileCapabilities, writeFileCapabilities } from '../../src/linux/file-capability.ts'
import { getXattr, setXattr } from '../../src/linux/xattr.ts'
import { lacksProgram, lacksRoot } from './child.ts'
import { expectNothingLeft } from './leaks.ts'

const { nothingLeft, scratch } = await expectNothingLeft()
const face = new URL('../../src/index.js', import.meta.url).href

const including = (path: string): Closure => closure([], { include: [`${path}:/data`] })

const errorOf = async (promise: Promise<unknown>): Promise<Error> => {
  const error: unknown = await promise.then(
    () => assert.fail('it worked'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof Error)
  return error
}

test('owners, permissions, set-user-id, capabilities, attributes and times are kept', async (t) => {
  if (lacksRoot() !== undefined) return t.skip('needs root')
  nothingLeft(t)
  const from = scratch()
  const file = join(from, 'file')
  writeFileSync(file, 'x')
  chownSync(file, 1234, 2345)
  chmodSync(file, 0o6751)
  setXattr(file, 'user.note', Buffer.from('kept'))
  const capable = join(from, 'capable')
  writeFileSync(capable, 'y')
  writeFileCapabilities(capable, { permitted: 1n << 10n, inheritable: 0n, effective: true })
  utimesSync(file, 1_000_000_000.5, 1_234_567_890.123456)
  mkdirSync(join(from, 'closed'), { mode: 0o500 })
  chownSync(join(from, 'closed'), 7, 8)
  const { path, warnings } = await buildRoot(including(from), { output: join(scratch(), 'root') })
  assert.deepEqual(warnings, [])
  const [before, after] = [statSync(file, { bigint: true }), statSync(join(path, 'data/file'), { bigint: true })]
  for (const key of ['mode', 'uid', 'gid', 'size', 'mtimeNs', 'atimeNs'] as const)
    assert.equal(after[key], before[key], key)
  assert.equal(Buffer.from(getXattr(join(path, 'data/file'), 'user.note') ?? []).toString(), 'kept')
  assert.equal(readFileCapabilities(join(path, 'data/capable'))?.permitted, 1n << 10n)
  const closed = statSync(join(path, 'data/closed'))
  assert.deepEqual([closed.mode & 0o7777, closed.uid, closed.gid], [0o500, 7, 8])
  assert.deepEqual([statSync(path).mode & 0o7777, statSync(join(path, 'tmp')).mode & 0o7777], [0o755, 0o1777])
})

test('links stay links, names of one file stay names of one, holes stay holes', async (t) => {
  nothingLeft(t)
  const from = scratch()
  symlinkSync('../elsewhere', join(from, 'link'))
  writeFileSync(join(from, 'one'), 'x')
  linkSync(join(from, 'one'), join(from, 'two'))
  const sparse = openSync(join(from, 'sparse'), 'w')
  writeSync(sparse, 'begin', 0)
  writeSync(sparse, 'middle', 40 << 20)
  truncateSync(join(from, 'sparse'), 64 << 20)
  closeSync(sparse)
  const { path, again } = await buildRoot(including(from), { output: join(scratch(), 'root'), method: 'copy' })
  assert.equal(readlinkSync(join(path, 'data/link')), '../elsewhere')
  assert.equal(statSync(join(path, 'data/one')).ino, statSync(join(path, 'data/two')).ino)
  assert.equal(again, 1)
  const copy = statSync(join(path, 'data/sparse'))
  assert.equal(copy.size, 64 << 20)
  assert.ok(copy.blocks * 512 < 1 << 20, `${copy.blocks} blocks`)
  assert.deepEqual(readFileSync(join(path, 'data/sparse')), readFileSync(join(from, 'sparse')))
})

test('access control lists are kept', async (t) => {
  const lack = lacksProgram('setfacl', 'getfacl')
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const from = scratch()
  writeFileSync(join(from, 'file'), 'x')
  mkdirSync(join(from, 'directory'))
  execFileSync('setfacl', ['-m', 'u:4321:rw', join(from, 'file')])
  execFileSync('setfacl', ['-d', '-m', 'g:5432:rx', join(from, 'directory')])
  const { path, warnings } = await buildRoot(including(from), { output: join(scratch(), 'root') })
  const lists = (at: string): string =>
    execFileSync('getfacl', ['-n', '--omit-header', 'file', 'directory'], { cwd: at, encoding: 'utf8' })
  assert.match(lists(from), /user:4321:rw-[^]*default:group:5432:r-x/)
  assert.equal(lists(join(path, 'data')), lists(from))
  assert.deepEqual(warnings, [])
})

test('the umask of who builds it makes no difference', async (t) => {
  nothingLeft(t)
  const from = scratch()
  writeFileSync(join(from, 'file'), 'x')
  chmodSync(join(from, 'file'), 0o664)
  const planned = closure([], { include: [`${from}:/data/below`], etc: true })
  const umask = process.umask(0o77)
  const { path } = await buildRoot(planned, { output: join(scratch(), 'root') }).finally(() => process.umask(umask))
  const modes = ['', 'data', 'data/below', 'data/below/file', 'etc', 'etc/passwd', 'tmp', '.tare-chroot'].map((name) =>
    (statSync(join(path, name)).mode & 0o7777).toString(8),
  )
  assert.deepEqual(modes, ['755', '755', '755', '664', '755', '644', '1777', '444'])
})

test('hard links are the files themselves, or an error that says why not', async (t) => {
  nothingLeft(t)
  const from = scratch()
  writeFileSync(join(from, 'file'), 'x')
  const { path, linked } = await buildRoot(including(from), { output: join(scratch(), 'root'), method: 'hardlink' })
  assert.equal(statSync(join(path, 'data/file')).ino, statSync(join(from, 'file')).ino)
  assert.equal(linked, 1)
  const other = join('/dev/shm', `tare-build-${process.pid}`)
  assert.match(
    (await errorOf(buildRoot(including(from), { output: other, method: 'hardlink' }))).message,
    /^cannot link .*\/file: EXDEV \(.*\)\nLinks are possible within one file system.*: choose copy\.$/,
  )
  assert.equal(existsSync(other), false)
})

test('blocks are shared where the file system can, and otherwise only if that may fail', async (t) => {
  nothingLeft(t)
  const from = scratch()
  writeFileSync(join(from, 'file'), 'x'.repeat(100_000))
  const output = join(scratch(), 'root')
  const type = execFileSync('stat', ['-f', '-c', '%T', from], { encoding: 'utf8' }).trim()
  if (['btrfs', 'xfs'].includes(type)) return t.skip('needs a temporary directory that can not share blocks')
  assert.match(
    (await errorOf(buildRoot(including(from), { output, method: 'reflink' }))).message,
    /^cannot clone .*\/file: EOPNOTSUPP \(not supported\)\nIts file system.*: choose copy\.$/,
  )
  const { copied, cloned } = await buildRoot(including(from), { output })
  assert.deepEqual([copied, cloned], [1, 0])
})

test('blocks are shared on xfs', async (t) => {
  const lack = lacksRoot() ?? lacksProgram('mkfs.xfs', 'unshare', 'mount')
  if (lack !== undefined) return t.skip(lack)
  const directory = scratch()
  execFileSync('truncate', ['-s', '400M', join(directory, 'disk')])
  execFileSync('mkfs.xfs', ['-q', join(directory, 'disk')])
  mkdirSync(join(directory, 'mnt'))
  const probe = spawnSync('unshare', ['-m', 'mount', '-o', 'loop', 'disk', 'mnt'], { cwd: directory, encoding: 'utf8' })
  if (probe.status !== 0) return t.skip(`needs loop devices and xfs: ${probe.stderr.trim()}`)
  nothingLeft(t)
  const script = `
    import { buildRoot, closure } from ${JSON.stringify(face)}
    import { mkdirSync, writeFileSync, readFileSync } from 'node:fs'
    mkdirSync('mnt/data')
    writeFileSync('mnt/data/file', 'x'.repeat(3_000_000))
    const { cloned, copied } = await buildRoot(closure([], { include: ['mnt/data:/data'] }), { output: 'mnt/root', method: 'reflink' })
    const same = readFileSync('mnt/root/data/file').equals(readFileSync('mnt/data/file'))
    process.stdout.write(JSON.stringify({ cloned, copied, same }))
  `
  const command = 'mount -o loop disk mnt && "$0" --input-type=module -e "$1"'
  const result = spawnSync('unshare', ['-m', 'sh', '-c', command, process.execPath, script], {
    cwd: directory,
    encoding: 'utf8',
  })
  assert.equal(result.stdout, '{"cloned":1,"copied":0,"same":true}', result.stderr)
})

test('a root goes where nothing is, into an empty directory, or by wish in place of an earlier one', async (t) => {
  nothingLeft(t)
  const [from, at] = [scratch(), scratch()]
  writeFileSync(join(from, 'file'), '1')
  const output = join(at, 'root')
  await buildRoot(including(from), { output })
  const again = await errorOf(buildRoot(including(from), { output }))
  assert.ok(again instanceof InputError)
  assert.match(again.message, /^cannot build .*\/root: a root was built there before\n/)
  writeFileSync(join(from, 'file'), '2')
  writeFileSync(join(output, 'data/log'), 'since')
  await buildRoot(including(from), { output, replace: true })
  assert.equal(readFileSync(join(output, 'data/file'), 'utf8'), '2')
  assert.deepEqual(readdirSync(join(output, 'data')), ['file'])
  assert.deepEqual(readdirSync(at), ['root'])
  mkdirSync(join(at, 'empty'))
  symlinkSync('empty', join(at, 'link'))
  await buildRoot(including(from), { output: join(at, 'link') })
  assert.ok(lstatSync(join(at, 'link')).isSymbolicLink() && existsSync(join(at, 'empty/data/file')))
})

test('what is in the way is said, and left alone', async (t) => {
  nothingLeft(t)
  const [from, at] = [scratch(), scratch()]
  writeFileSync(join(from, 'file'), '1')
  mkdirSync(join(at, 'full'))
  writeFileSync(join(at, 'full/mine'), '')
  const refused = async (output: string, words: RegExp): Promise<void> =>
    assert.match((await errorOf(buildRoot(including(from), { output, replace: true }))).message, words)
  await refused(join(at, 'full'), /^cannot build .*\/full: it is not empty\n/)
  await refused(join(at, 'full/mine'), /^cannot build .*\/mine: it is no directory\n/)
  await refused(
    join(at, 'none/root'),
    /^cannot build .*\/none\/root: ENOENT .*\nMake the directory that it is to lie in first\.$/,
  )
  await refused('', /^cannot build "": that is no path/)
  await refused('/proc', /^cannot build \/proc: something is mounted at \/proc\n/)
  await refused('/proc/root-of-mine', /^cannot build \/proc\/root-of-mine: ENOENT/)
  assert.deepEqual(readdirSync(at), ['full'])
})

test('where there is no room it says so, and nothing is left', (t) => {
  const lack = lacksRoot() ?? lacksProgram('unshare', 'mount')
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const directory = scratch()
  writeFileSync(join(directory, 'file'), Buffer.alloc(3 << 20, 1))
  mkdirSync(join(directory, 'mnt'))
  const script = `
    import { buildRoot, closure } from ${JSON.stringify(face)}
    import { readdirSync } from 'node:fs'
    const error = await buildRoot(closure([], { include: ['file:/data'] }), { output: 'mnt/root' }).catch((reason) => reason)
    process.stdout.write(JSON.stringify({ message: error.message, left: readdirSync('mnt') }))
  `
  const command = 'mount -t tmpfs -o size=2m none mnt && "$0" --input-type=module -e "$1"'
  const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', command, process.execPath, script], {
    cwd: directory,
    encoding: 'utf8',
  })
  const { message, left } = JSON.parse(stdout)
  assert.match(message, /^cannot write \/data: ENOSPC \(.*\)\nMake room there, or build elsewhere/, stderr)
  assert.deepEqual(left, [])
})

test('given up halfway nothing is left', async (t) => {
  nothingLeft(t)
  const [from, at] = [scratch(), scratch()]
  for (let index = 0; index < 200; index++) writeFileSync(join(from, String(index)), 'x')
  const controller = new AbortController()
  const building = errorOf(buildRoot(including(from), { output: join(at, 'root'), signal: controller.signal }))
  await sleep(1)
  assert.equal(readdirSync(at).length, 1, 'it is being built beside')
  controller.abort(new TareError({ operation: 'go on' }))
  assert.equal((await building).message, 'cannot go on')
  assert.deepEqual(readdirSync(at), [])
})

test('what a killed one left is removed by the next, and what is being built is not', async (t) => {
  nothingLeft(t)
  const [from, at] = [scratch(), scratch()]
  for (let index = 0; index < 3000; index++) writeFileSync(join(from, String(index)), 'x')
  const script = `
    import { buildRoot, closure } from ${JSON.stringify(face)}
    await buildRoot(closure([], { include: [${JSON.stringify(`${from}:/data`)}] }), { output: ${JSON.stringify(join(at, 'root'))} })
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
  const gone = once(child, 'close')
  while (readdirSync(at).length === 0) await sleep(2)
  const [left = ''] = readdirSync(at)
  assert.match(left, /^\.root\.tare-/)
  const small = scratch()
  writeFileSync(join(small, 'file'), '')
  await buildRoot(including(small), { output: join(at, 'other') })
  assert.ok(readdirSync(at).includes(left), 'another place, another matter')
  child.kill('SIGKILL')
  await gone
  assert.deepEqual(readdirSync(at).toSorted(), [left, 'other'])
  await buildRoot(including(small), { output: join(at, 'root') })
  assert.deepEqual(readdirSync(at).toSorted(), ['other', 'root'])
})

test('nothing is built elsewhere by who swaps the directory, nor another one removed', async (t) => {
  nothingLeft(t)
  const [from, at, elsewhere] = [scratch(), scratch(), scratch()]
  for (let index = 0; index < 1000; index++) writeFileSync(join(from, String(index)), 'x')
  writeFileSync(join(elsewhere, 'precious'), '')
  const building = errorOf(buildRoot(including(from), { output: join(at, 'root') }))
  while (!readdirSync(at).some((name) => existsSync(join(at, name, 'data')))) await sleep(1)
  const [name = ''] = readdirSync(at)
  renameSync(join(at, name), join(at, 'moved'))
  symlinkSync(elsewhere, join(at, name))
  assert.match((await building).message, /^cannot build .*\/root: somebody else has put something in its place\n/)
  assert.deepEqual(readdirSync(elsewhere), ['precious'])
  assert.deepEqual(readdirSync(join(at, 'moved')), [])
  // Of its owner's, and named as an unfinished one would be.
  renameSync(elsewhere, join(at, '.root.tare-0123456789ab'))
  await buildRoot(including(from), { output: join(at, 'root') })
  assert.deepEqual(readdirSync(join(at, '.root.tare-0123456789ab')), ['precious'])
})

test('a directory that has become a link leads nowhere', async (t) => {
  nothingLeft(t)
  const [from, elsewhere, at] = [scratch(), scratch(), scratch()]
  mkdirSync(join(from, 'sub'))
  for (const directory of [join(from, 'sub'), elsewhere]) writeFileSync(join(directory, 'file'), directory)
  const planned = including(from)
  execFileSync('mv', [join(from, 'sub'), join(from, 'moved')])
  symlinkSync(elsewhere, join(from, 'sub'))
  const { message } = await errorOf(buildRoot(planned, { output: join(at, 'root') }))
  assert.match(message, /^cannot read .*\/sub\/file: ELOOP .*\nIt has become a link meanwhile\.$/)
  assert.deepEqual(readdirSync(at), [])
})

test("an ordinary user's root: what can not be kept is said", (t) => {
  const lack = lacksRoot() ?? lacksProgram('setpriv')
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const [from, at] = [scratch(), scratch()]
  chmodSync(at, 0o777)
  writeFileSync(join(from, 'plain'), 'x')
  writeFileSync(join(from, 'suid'), 'x')
  chmodSync(join(from, 'suid'), 0o4755)
  writeFileSync(join(from, 'capable'), 'x')
  writeFileCapabilities(join(from, 'capable'), { permitted: 1n, inheritable: 0n, effective: false })
  const script = `
    import { buildRoot, closure } from ${JSON.stringify(face)}
    const { warnings } = await buildRoot(closure([], { include: [${JSON.stringify(`${from}:/data`)}] }), { output: ${JSON.stringify(join(at, 'root'))} })
    process.stdout.write(warnings.join('\\n'))
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
  const { stdout, stderr } = spawnSync('setpriv', args, { encoding: 'utf8' })
  assert.deepEqual(
    stdout.split('\n').toSorted(),
    [
      'file capabilities left out, as this user may not set them: /data/capable',
      'owners not kept, as this user may not give files away: /data/capable, /data/plain, /data/suid and 1 more',
      'set-user-id or set-group-id left out, as the owner is not kept: /data/suid',
    ],
    stderr,
  )
  const { mode, uid } = statSync(join(at, 'root/data/suid'))
  assert.deepEqual([mode & 0o7777, uid], [0o755, 65534])
})
