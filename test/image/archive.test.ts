import assert from 'node:assert/strict'
import {
  chmodSync,
  closeSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test from 'node:test'
import type { TarEntry } from '../../src/image/tar/entry.ts'
import { encodeEntry, TAR_END, tarPadding } from '../../src/image/tar/header.ts'
import { TarReader } from '../../src/image/tar/reader.ts'
import { packTree } from '../../src/image/tree/pack.ts'
import type { UnpackOptions } from '../../src/image/tree/unpack.ts'
import { unpackTree } from '../../src/image/tree/unpack.ts'
import { TareError } from '../../src/index.ts'
import { call, describeTree, lacks, makeDirectory, makeTree, TREE_PROGRAMS } from './tree.ts'

const NEEDS = lacks('tar', ...TREE_PROGRAMS)

const unpackBytes = async (
  directory: string,
  source: AsyncIterable<Uint8Array>,
  options?: UnpackOptions,
): Promise<void> => {
  const top = openSync(directory, 'r')
  try {
    await unpackTree(top, new TarReader(source), options)
  } finally {
    closeSync(top)
  }
}

/** Unpacks a file into a new directory. */
const unpackFile = async (file: string): Promise<string> => {
  const out = join(makeDirectory(), 'out')
  mkdirSync(out)
  await unpackBytes(out, createReadStream(file, { highWaterMark: 10_000 }))
  return out
}

const pack = async (directory: string, file: string): Promise<readonly string[]> => {
  const left: string[] = []
  const top = openSync(directory, 'r')
  const fd = openSync(file, 'w')
  try {
    for await (const piece of packTree(top, { onLeftOut: (what, path) => left.push(`${what}: ${path}`) }))
      writeFileSync(fd, piece)
  } finally {
    closeSync(top)
    closeSync(fd)
  }
  return left
}

test('all that files have comes through an archive of ours', { skip: NEEDS }, async () => {
  const base = makeDirectory()
  const tree = makeTree(join(base, 'tree'))
  const file = join(base, 'a.tar')
  assert.deepEqual(await pack(tree, file), [])
  const out = await unpackFile(file)
  assert.equal(describeTree(out), describeTree(tree))
  assert.ok(statSync(join(out, 'sparse')).blocks * 512 < 1 << 20, 'holes stay holes')
  const again = join(base, 'b.tar')
  await pack(out, again)
  assert.ok(readFileSync(again).equals(readFileSync(file)), 'the same tree makes the same bytes')
})

test('GNU tar reads ours', { skip: NEEDS }, async () => {
  const base = makeDirectory()
  const tree = makeTree(join(base, 'tree'))
  const file = join(base, 'a.tar')
  await pack(tree, file)
  const out = join(base, 'out')
  mkdirSync(out)
  call('tar', '--numeric-owner', '--xattrs', '--xattrs-include=*', '-xpf', file, '-C', out)
  assert.equal(describeTree(out), describeTree(tree))
  assert.match(call('tar', '--numeric-owner', '-tvf', file), /^-rwsr-xr-x 0\/0 +11 .* bin\/su$/m)
})

test('bsdtar reads ours', { skip: lacks('bsdtar', ...TREE_PROGRAMS) }, async () => {
  const base = makeDirectory()
  const tree = makeTree(join(base, 'tree'))
  const file = join(base, 'a.tar')
  await pack(tree, file)
  const out = join(base, 'out')
  mkdirSync(out)
  call('bsdtar', '--numeric-owner', '-xpf', file, '-C', out)
  // libarchive takes access lists as text alone, and leaves the directory that it was sent to its own time.
  const lists = ['./etc/passwd', './shared', '.']
  assert.equal(describeTree(out, lists), describeTree(tree, lists))
})

for (const [format, ...options] of [
  ['gnu'],
  ['gnu', '--sparse'],
  ['pax'],
  ['pax', '--sparse'],
  ['pax', '--sparse', '--sparse-version=0.1'],
] as const)
  test(`archives of GNU tar are read: ${[format, ...options].join(' ')}`, { skip: NEEDS }, async () => {
    const base = makeDirectory()
    const tree = makeTree(join(base, 'tree'))
    const file = join(base, 'a.tar')
    const xattrs = format === 'pax' ? ['--xattrs', '--xattrs-include=*'] : []
    call('tar', `--format=${format}`, ...options, ...xattrs, '-cf', file, '-C', tree, '.')
    const out = await unpackFile(file)
    if (format === 'pax') {
      assert.equal(describeTree(out), describeTree(tree))
      return
    }
    // GNU's own format has no attributes and no fractions of a second.
    const back = join(base, 'back')
    mkdirSync(back)
    call('tar', '--numeric-owner', '-xpf', file, '-C', back)
    assert.equal(describeTree(out), describeTree(back))
  })

test('archives of bsdtar are read', { skip: lacks('bsdtar', ...TREE_PROGRAMS) }, async () => {
  const base = makeDirectory()
  const tree = makeTree(join(base, 'tree'))
  const file = join(base, 'a.tar')
  call('bsdtar', '--format=pax', '-cf', file, '-C', tree, '.')
  const lists = ['./etc/passwd', './shared']
  assert.equal(describeTree(await unpackFile(file), lists), describeTree(tree, lists))
})

test('sockets and what is mounted are left out, and said', { skip: NEEDS || lacks('mount', 'python3') }, async () => {
  const base = makeDirectory()
  const tree = join(base, 'tree')
  mkdirSync(join(tree, 'mounted'), { recursive: true })
  call('python3', '-c', `import socket; socket.socket(socket.AF_UNIX).bind(${JSON.stringify(join(tree, 'socket'))})`)
  call('mount', '-t', 'tmpfs', 'tmpfs', join(tree, 'mounted'))
  try {
    writeFileSync(join(tree, 'mounted/file'), '')
    const file = join(base, 'a.tar')
    assert.deepEqual(await pack(tree, file), ['sockets left out: socket'])
    assert.equal(call('tar', '-tf', file), './\nmounted/\n')
  } finally {
    call('umount', join(tree, 'mounted'))
  }
})

const entry = (given: Partial<TarEntry> & { readonly path: string }): TarEntry => ({
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  modified: 0n,
  target: '',
  major: 0,
  minor: 0,
  xattrs: new Map(),
  ...given,
})

type Part = readonly [entry: TarEntry, content?: string]

async function* archive(parts: readonly Part[]): AsyncGenerator<Uint8Array> {
  for (const [each, content = ''] of parts) {
    yield encodeEntry({ ...each, size: content.length })
    yield Buffer.from(content)
    yield tarPadding(content.length)
  }
  yield TAR_END
}

/** A directory, and beside it what nothing may reach. */
const makeScene = (): { readonly out: string; readonly outside: string } => {
  const base = makeDirectory()
  const [out, outside] = [join(base, 'out'), join(base, 'outside')]
  mkdirSync(out)
  mkdirSync(outside)
  writeFileSync(join(outside, 'file'), 'untouched')
  chmodSync(join(outside, 'file'), 0o600)
  return { out, outside }
}

test('no path in an archive leads out', { skip: NEEDS }, async () => {
  const { out, outside } = makeScene()
  const link = (path: string, target: string): Part => [entry({ type: 'symlink', path, target })]
  const cases: readonly (readonly [parts: readonly Part[], said: RegExp])[] = [
    [[[entry({ path: '../outside/file' }), 'x']], /^cannot unpack \.\.\/outside\/file: it leads upwards\n/],
    [[[entry({ path: 'a/../../outside/file' }), 'x']], /it leads upwards/],
    [[[entry({ path: join(outside, 'file') }), 'x']], /it is an absolute path/],
    [[[entry({ type: 'link', path: 'a', target: '../outside/file' })]], /it leads upwards/],
    [[[entry({ type: 'link', path: 'a', target: join(outside, 'file') })]], /it is an absolute path/],
    [[link('d', outside), [entry({ type: 'link', path: 'a', target: 'd/file' })]], /which is not there/],
    [[[entry({ type: 'link', path: 'a', target: 'none' })]], /it is a link to none, which is not there/],
    [[[entry({ type: 'directory', path: 'd/' })], [entry({ type: 'link', path: 'a', target: 'd' })]], /a directory/],
  ]
  for (const [parts, said] of cases)
    await assert.rejects(unpackBytes(out, archive(parts)), (error: unknown) => {
      assert.ok(error instanceof TareError)
      assert.equal(error.code, 'ERR_TARE_ARCHIVE')
      assert.match(error.message, said)
      return true
    })
  assert.deepEqual(readdirSync(outside), ['file'])
  assert.equal(readFileSync(join(outside, 'file'), 'utf8'), 'untouched')
  assert.equal(lstatSync(join(outside, 'file')).nlink, 1)
})

test('a link in an archive is the system’s own: what comes by it stays within', { skip: NEEDS }, async () => {
  const { out, outside } = makeScene()
  const parts: readonly Part[] = [
    [entry({ type: 'symlink', path: 'up', target: '../outside' })],
    [entry({ path: 'up/file', mode: 0o777 }), 'by a link upwards'],
    [entry({ type: 'symlink', path: 'abs', target: outside })],
    [entry({ path: 'abs/other' }), 'by an absolute link'],
    [entry({ type: 'symlink', path: 'end', target: join(outside, 'file') })],
    [entry({ path: 'end', mode: 0o600 }), 'in place of the link'],
    [entry({ type: 'symlink', path: 'dir', target: outside })],
    [entry({ type: 'directory', path: 'dir/', mode: 0o700 })],
    [entry({ path: 'dir/inside' }), 'in a directory'],
    [entry({ type: 'directory', path: 'late/', mode: 0o701 })],
    [entry({ type: 'symlink', path: 'late', target: outside })],
  ]
  const mode = statSync(outside).mode
  await assert.rejects(unpackBytes(out, archive(parts)), /cannot unpack outside|something in the archive/)
  const rest = parts.slice(4)
  await unpackBytes(out, archive(rest))
  assert.deepEqual(readdirSync(outside), ['file'])
  assert.equal(readFileSync(join(outside, 'file'), 'utf8'), 'untouched')
  assert.equal(statSync(outside).mode, mode)
  assert.equal(readFileSync(join(out, 'end'), 'utf8'), 'in place of the link')
  assert.equal(readFileSync(join(out, 'dir/inside'), 'utf8'), 'in a directory')
  assert.ok(lstatSync(join(out, 'late')).isSymbolicLink())
})

test('links within the system are followed, as it would itself', { skip: NEEDS }, async () => {
  const { out } = makeScene()
  const parts: readonly Part[] = [
    [entry({ type: 'directory', path: 'usr/lib/' })],
    [entry({ type: 'symlink', path: 'lib', target: '/usr/lib' })],
    [entry({ path: 'lib/a' }), 'a'],
    [entry({ type: 'link', path: 'b', target: 'lib/a' })],
    [entry({ path: 'made/on/the/way' }), 'c'],
  ]
  await unpackBytes(out, archive(parts))
  assert.equal(readFileSync(join(out, 'usr/lib/a'), 'utf8'), 'a')
  assert.equal(statSync(join(out, 'b')).ino, statSync(join(out, 'usr/lib/a')).ino)
  assert.equal(readFileSync(join(out, 'made/on/the/way'), 'utf8'), 'c')
})

test('zeros stay holes, however large the pieces are that they come in', { skip: NEEDS }, async () => {
  const { out } = makeScene()
  const content = `${'\0'.repeat(200 << 10)}${'x'.repeat(100)}${'\0'.repeat(3 << 20)}y`
  const pieces: Uint8Array[] = []
  for await (const piece of archive([[entry({ path: 'file' }), content]])) pieces.push(piece)
  await unpackBytes(out, Readable.from([Buffer.concat(pieces)]))
  assert.equal(readFileSync(join(out, 'file'), 'latin1'), content)
  assert.ok(statSync(join(out, 'file')).blocks * 512 <= 256 << 10)
})

test('device nodes and foreign attributes are left out, and said', { skip: NEEDS }, async () => {
  const { out } = makeScene()
  const said: string[] = []
  const device = entry({ type: 'character', path: 'null', major: 1, minor: 3, mode: 0o666 })
  const parts: readonly Part[] = [
    [device],
    [
      entry({
        path: 'file',
        xattrs: new Map([
          ['trusted.overlay.opaque', Buffer.from('y')],
          ['user.a', Buffer.from('b')],
        ]),
      }),
      'x',
    ],
  ]
  await unpackBytes(out, archive(parts), { onLeftOut: (what, path) => said.push(`${what}: ${path}`) })
  assert.deepEqual(said, ['device nodes left out: null', 'attributes trusted.overlay.opaque left out: file'])
  assert.equal(existsSync(join(out, 'null')), false)
  await unpackBytes(out, archive([[device]]), { devices: true })
  assert.equal(lstatSync(join(out, 'null')).rdev, 0x103)
})

test('a layer takes away what lower ones have, and nothing else', { skip: NEEDS }, async () => {
  const { out, outside } = makeScene()
  const file = (path: string): Part => [entry({ path }), path]
  await unpackBytes(out, archive([file('a/one'), file('a/two'), file('b/c/deep'), file('b/d'), file('e'), file('f/g')]))
  symlinkSync(outside, join(out, 'escape'))
  const layer: readonly Part[] = [
    file('a/.wh.one'),
    file('a/three'),
    // Its own come before and after: they stay.
    file('b/c/new'),
    file('b/.wh..wh..opq'),
    file('b/late'),
    file('.wh.e'),
    file('.wh.f'),
    file('f/own'),
    file('.wh.none'),
    file('.wh..wh.plnk'),
    file('escape/.wh.file'),
  ]
  await unpackBytes(out, archive(layer), { whiteouts: true })
  assert.equal(
    call('sh', '-c', 'cd "$1" && find . -type f | sort', 'sh', out),
    './a/three\n./a/two\n./b/c/new\n./b/late\n./f/own\n',
  )
  assert.deepEqual(readdirSync(outside), ['file'])
})
