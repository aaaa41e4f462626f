// `tare export` and `tare import`. What other programs make of it, and it of theirs; and what must not happen.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'node:test'
import { importSystem } from '../../src/index.ts'
import { call, describeTree, lacks, makeDirectory, makeTree, TREE_PROGRAMS } from '../image/tree.ts'
import { makeSystem, NO_SYSTEM } from './system-tree.ts'
import { PROGRAM, NODE_ARGS, tare } from './tare.ts'

const NEEDS = lacks('tar', ...TREE_PROGRAMS)

/** A system with all that files can have. Returns its directory. */
const makeBox = (): string => makeTree(join(makeDirectory(), 'box'))

/** Calls tare, which must succeed. What it has printed. */
const done = (...args: readonly string[]): string => {
  const { status, stdout, stderr } = tare(args)
  assert.equal(status, 0, stderr)
  return stdout
}

/** What tare says that must fail. Beside the places that are given nothing may be left. */
const refusal = (args: readonly string[], beside?: string): string => {
  const before = beside === undefined ? [] : readdirSync(beside)
  const { status, stdout, stderr } = tare(args)
  assert.equal(status, 125, `${stderr}${stdout}`)
  if (beside !== undefined) assert.deepEqual(readdirSync(beside), before, 'nothing is left')
  return stderr
}

for (const [name, source, options] of [
  ['box.tar', 'box.tar', []],
  ['box.tar.gz', 'box.tar.gz', []],
  ['box.tar.zst', 'box.tar.zst', []],
  ['box.oci', 'oci:box.oci', ['--format=oci']],
  ['box.oci', 'oci:box.oci:v1.2', ['--format=oci', '--tag=v1.2', '--compress=none']],
  ['box.img', 'oci-archive:box.img:latest', ['--format=oci-archive', '--compress=zstd']],
] as const)
  test(`all of a system comes through ${source}`, { skip: NEEDS || lacks('zstd') }, () => {
    const box = makeBox()
    const base = join(box, '..')
    assert.match(done('export', ...options, '-o', join(base, name), box), /^wrote .*: [\d.]+[KM]iB in .*\n$/)
    const place = source.replace(name, join(base, name))
    assert.match(done('import', place, join(base, 'back')), /^made .*back in .*\n$/)
    assert.equal(describeTree(join(base, 'back')), describeTree(box))
    assert.deepEqual(readdirSync(base).toSorted(), ['back', 'box', name].toSorted(), 'nothing else is left')
    assert.equal(statSync(join(base, name)).mode & 0o077, 0, 'others may not read what may hold passwords')
  })

test('an archive goes from standard output to standard input', { skip: NEEDS }, () => {
  const box = makeBox()
  const base = join(box, '..')
  const words = [...NODE_ARGS].join(' ')
  const line = `"$0" ${words} export "$1" | gzip | "$0" ${words} import - "$2"`
  execFileSync('sh', ['-c', line, PROGRAM, box, join(base, 'back')], { stdio: 'ignore' })
  assert.equal(describeTree(join(base, 'back')), describeTree(box))
})

test('skopeo and umoci take our images', { skip: NEEDS || lacks('skopeo', 'umoci') }, () => {
  const box = makeBox()
  const base = join(box, '..')
  mkdirSync(join(box, 'sbin'))
  writeFileSync(join(box, 'sbin/init'), '')
  chmodSync(join(box, 'sbin/init'), 0o755)
  done('export', '--format=oci', '--tag=12', '-o', join(base, 'box.oci'), box)
  const image: unknown = JSON.parse(call('skopeo', 'inspect', '--config', `oci:${base}/box.oci:12`))
  assert.ok(typeof image === 'object' && image !== null)
  assert.deepEqual(Reflect.get(Reflect.get(image, 'config'), 'Cmd'), ['/sbin/init'])
  assert.equal(Reflect.get(image, 'os'), 'linux')
  // All digests and sizes are checked on the way.
  call('skopeo', '--insecure-policy', 'copy', `oci:${base}/box.oci:12`, `oci-archive:${base}/copy.tar:other`)
  assert.match(refusal(['import', join(base, 'copy.tar'), join(base, 'back')], base), /an image layout in an archive/)
  done('import', `oci-archive:${base}/copy.tar:other`, join(base, 'back'))
  assert.equal(describeTree(join(base, 'back')), describeTree(box))
  call('umoci', 'unpack', '--image', `${base}/box.oci:12`, `${base}/bundle`)
  assert.equal(describeTree(join(base, 'bundle/rootfs')), describeTree(box))
})

test(
  'an image of several layers, whiteouts among them, is what umoci unpacks',
  { skip: NEEDS || lacks('umoci') },
  () => {
    const box = makeBox()
    const base = join(box, '..')
    done('export', '--format=oci', '--tag=12', '-o', join(base, 'i'), box)
    call('umoci', 'unpack', '--image', `${base}/i:12`, `${base}/bundle`)
    const root = join(base, 'bundle/rootfs')
    rmSync(join(root, 'etc/passwd'))
    rmSync(join(root, 'deep/er'), { recursive: true })
    writeFileSync(join(root, 'deep/er'), 'a file now')
    writeFileSync(join(root, 'etc/new'), 'new')
    chmodSync(join(root, 'large'), 0o600)
    call('umoci', 'repack', '--image', `${base}/i:12`, `${base}/bundle`)
    call('umoci', 'unpack', '--image', `${base}/i:12`, `${base}/again`)
    assert.match(done('import', '--json', `oci:${base}/i:12`, join(base, 'back')), /"layers": 2,/)
    assert.equal(describeTree(join(base, 'back')), describeTree(join(base, 'again/rootfs')))
    assert.equal(existsSync(join(base, 'back/etc/passwd')), false)
  },
)

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

test('an image of which a byte is another is refused, and nothing is left', { skip: NEEDS }, () => {
  const box = makeBox()
  const base = join(box, '..')
  const layout = join(base, 'layout')
  done('export', '--format=oci', '--compress=none', '-o', layout, box)
  const blobs = join(layout, 'blobs/sha256')
  const out = join(base, 'out')
  for (const name of readdirSync(blobs)) {
    const path = join(blobs, name)
    const bytes = readFileSync(path)
    const changed = Buffer.from(bytes)
    changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1
    for (const [other, said] of [
      [changed, /its digest is sha256:/],
      [bytes.subarray(0, -1), /it has \d+ bytes, and not the \d+ that are said/],
      [Buffer.concat([bytes, Buffer.from(' ')]), /it is larger than the \d+ bytes that are said/],
    ] as const) {
      writeFileSync(path, other)
      const text = refusal(['import', `oci:${layout}`, out], base)
      assert.match(text, said)
      assert.match(text, new RegExp(name))
    }
    rmSync(path)
    assert.match(refusal(['import', `oci:${layout}`, out], base), /it has no blobs\/sha256\//)
    writeFileSync(path, bytes)
  }
  done('import', `oci:${layout}`, out)
})

/** Writes an image layout of documents that are all right by themselves. */
const makeLayout = (
  directory: string,
  change: {
    readonly diffId?: string
    readonly architecture?: string
    readonly mediaType?: string
    readonly names?: readonly string[]
  },
): string => {
  const blobs = join(directory, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const add = (value: unknown): { readonly digest: string; readonly size: number } => {
    const bytes = value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value))
    writeFileSync(join(blobs, sha256(bytes)), bytes)
    return { digest: `sha256:${sha256(bytes)}`, size: bytes.length }
  }
  const layer = add(execFileSync('tar', ['-cf', '-', '-C', '/etc', 'hostname']))
  const {
    diffId = layer.digest,
    architecture = process.arch === 'x64' ? 'amd64' : process.arch,
    names = ['a'],
  } = change
  const { mediaType = 'application/vnd.oci.image.layer.v1.tar' } = change
  const config = add({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId] } })
  const manifest = add({
    schemaVersion: 2,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [{ mediaType, ...layer }],
  })
  const manifests = names.map((name) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    ...manifest,
    annotations: { 'org.opencontainers.image.ref.name': name },
  }))
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
  return directory
}

test('images that can not be used are refused in words', { skip: NEEDS }, () => {
  const base = makeDirectory()
  const out = join(base, 'out')
  const make = (name: string, change: Parameters<typeof makeLayout>[1]): string =>
    `oci:${makeLayout(join(base, name), change)}`
  const none = `sha256:${'0'.repeat(64)}`
  mkdirSync(join(base, 'empty'))
  const cases: readonly (readonly [source: string, said: RegExp])[] = [
    [make('diff', { diffId: none }), /cannot use the archive of the layer sha256:0+: its digest is sha256:/],
    [make('arch', { architecture: 'pdp11' }), /it is for linux\/pdp11, and this machine is linux\//],
    [make('kind', { mediaType: 'text/plain' }), /it is of a kind that is not known: text\/plain/],
    [make('two', { names: ['a', 'b'] }), /it has 2 images\nName one behind a colon: a, b\./],
    [`${make('tag', {})}:none`, /there is no image of that name\nThere is a\./],
    [`oci:${base}/empty`, /it has no oci-layout\n/],
    [`oci:${base}/missing`, /it does not exist/],
    [`oci-archive:${base}/empty`, /it is no regular file\n/],
    [base, /it is a directory\nAn image layout is written oci:/],
    ['/none.tar', /cannot read \/none\.tar: ENOENT/],
  ]
  for (const [source, said] of cases) assert.match(refusal(['import', source, out], base), said)
  done('import', `oci:${base}/two:b`, out)
})

test('what is no archive is refused, and nothing is left', { skip: NEEDS || lacks('zstd', 'xz') }, () => {
  const box = makeBox()
  const base = join(box, '..')
  const file = join(base, 'a.tar')
  done('export', '-o', file, box)
  const bytes = readFileSync(file)
  for (const [name, command] of [
    ['a.gz', 'gzip'],
    ['a.zst', 'zstd'],
    ['a.xz', 'xz'],
  ] as const) {
    const compressed = execFileSync(command, ['-c'], { input: bytes })
    writeFileSync(join(base, name), name === 'a.xz' ? compressed : compressed.subarray(0, compressed.length >> 1))
  }
  writeFileSync(join(base, 'cut.tar'), bytes.subarray(0, 300_000))
  writeFileSync(join(base, 'text'), 'this is a text\n'.repeat(100))
  writeFileSync(join(base, 'nothing'), '')
  const cases: readonly (readonly [name: string, said: RegExp])[] = [
    ['cut.tar', /cannot read the archive: it is cut off\n/],
    ['text', /it is no tar archive, or it is damaged/],
    ['nothing', /there is nothing in it/],
    ['a.gz', /it is damaged, or cut off/],
    ['a.zst', /zstd says: /],
    ['a.xz', /it is compressed by xz\nPass it through: xz -dc/],
  ]
  for (const [name, said] of cases) assert.match(refusal(['import', join(base, name), join(base, 'out')], base), said)
})

test('a file that is refused does not stay open', { skip: NEEDS, timeout: 30_000 }, async () => {
  const base = makeDirectory()
  const file = join(base, 'a.tar.bz2')
  writeFileSync(file, 'BZh9 and so on')
  const isOpen = (): boolean =>
    readdirSync('/proc/self/fd').some((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === file
      } catch {
        // That of the listing itself.
        return false
      }
    })
  await assert.rejects(importSystem(file, { output: join(base, 'out') }), /it is compressed by bzip2/)
  // A stream closes its file in the background.
  while (isOpen()) await sleep(5)
})

test('what is no system, is running or is in the way is refused', { skip: NEEDS }, async () => {
  const box = makeBox()
  const base = join(box, '..')
  const file = join(base, 'a.tar')
  mkdirSync(join(base, 'empty'))
  const cases: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [['export', '-o', file, join(base, 'empty')], /it has neither \/bin nor \/usr\/bin/],
    [['export', '-o', file, '/'], /it is this host's own root/],
    [['export', '-o', base, box], /there is a directory of that name/],
    [['export', '-o', `${base}/none/a.tar`, box], /ENOENT/],
    [['export', '--format=oci', box], /cannot write oci to standard output/],
    [['export', '--format=oci', '-o', base, box], /it is not empty/],
    [['export', '--tag=x', '-o', file, box], /an archive has no name in it/],
    [['export', '--format=oci', '--tag=a/b', '-o', file, box], /it is no tag/],
    [['export', '--format=zip', '-o', file, box], /there is no such choice/],
    [['import', file], /DIR is missing/],
    [['import', '/etc/hostname', box], /it is not empty/],
  ]
  for (const [args, said] of cases) assert.match(refusal(args, base), said)
  const held = openSync(box, 'r')
  const holder = spawn('flock', ['3'], { stdio: ['ignore', 'ignore', 'ignore', held] })
  await once(holder, 'exit')
  assert.match(refusal(['export', '-o', file, box], base), /cannot copy .*: it is running, or a shell is open in it/)
  closeSync(held)
  done('export', '-o', file, box)
})

test('killed in the middle it leaves nothing under the name, and the next one tidies up', { skip: NEEDS }, async () => {
  const box = makeBox()
  const base = join(box, '..')
  const file = join(base, 'a.tar')
  done('export', '-o', file, box)
  const out = join(base, 'out')
  const child = spawn(PROGRAM, [...NODE_ARGS, 'import', '-', out], { stdio: ['pipe', 'ignore', 'ignore'] })
  child.stdin.on('error', () => undefined)
  child.stdin.write(readFileSync(file).subarray(0, 600_000))
  const begun = (): boolean =>
    readdirSync(base).some((name) => name.startsWith('.out.tare-') && existsSync(join(base, name, 'tree/bin')))
  while (!begun()) await sleep(20)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(existsSync(out), false)
  assert.ok(readdirSync(base).some((name) => name.startsWith('.out.tare-')))
  done('import', file, out)
  assert.deepEqual(readdirSync(base).toSorted(), ['a.tar', 'box', 'out'])
  const ended = spawn(PROGRAM, [...NODE_ARGS, 'import', '-', `${out}2`], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  ended.stdin.on('error', () => undefined)
  ended.stdin.write(readFileSync(file).subarray(0, 600_000))
  while (!readdirSync(base).some((name) => name.startsWith('.out2.tare-'))) await sleep(20)
  // By now it has read all, and waits for more.
  await sleep(500)
  ended.kill('SIGTERM')
  assert.deepEqual(await once(ended, 'exit'), [143, null])
  assert.deepEqual(readdirSync(base).toSorted(), ['a.tar', 'box', 'out'])
})

test(
  "an ordinary user's system has the owners that its root sees",
  { skip: NEEDS || NO_SYSTEM || lacks('unshare', 'setpriv', 'newuidmap') },
  () => {
    const base = makeDirectory()
    chmodSync(base, 0o755)
    const home = join(base, 'home')
    mkdirSync(home)
    makeSystem(join(home, 'box'), { root: 65534, ann: 200_999 })
    call('chown', '65534:65534', home)
    const subids = join(base, 'subids')
    writeFileSync(subids, 'nobody:200000:65536\n')
    // A checkout that the user may read.
    const script = `set -e; cd ${home}
    $TARE export -o box.tar ./box
    tar --numeric-owner -tvf box.tar > list
    $TARE import box.tar ./back
    $TARE export ./back | cmp - box.tar
    $TARE export --format oci -o box.oci ./back
    $TARE import oci:box.oci ./again
    $TARE export ./again | cmp - box.tar
    if $TARE import /dev/null ./none; then exit 1; fi
    ls -A`
    const mounts = `mount --bind ${subids} /etc/subuid && mount --bind ${subids} /etc/subgid`
    const become = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$0"'
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/tmp',
      USER: 'nobody',
      TARE: [PROGRAM, ...NODE_ARGS].join(' '),
    }
    const words = ['-m', 'sh', '-c', `${mounts} && ${become}`, script]
    const { stdout, stderr, status } = spawnSync('unshare', words, { encoding: 'utf8', cwd: '/', env })
    assert.equal(status, 0, stderr)
    assert.match(stdout, /again\nback\nbox\nbox\.oci\nbox\.tar\nlist\n$/)
    const list = readFileSync(join(home, 'list'), 'utf8')
    assert.match(list, /^drwxr-xr-x 0\/0 .* etc\/$/m)
    assert.match(list, /^drwxr-xr-x 1000\/1000 .* home\/ann\/$/m)
    assert.equal(statSync(join(home, 'back/home/ann')).uid, 200_999)
    assert.equal(statSync(join(home, 'back/bin/busybox')).mode & 0o7777, 0o4755)
  },
)

test('what is written can be booted elsewhere: settings are not part of it', { skip: NEEDS }, () => {
  const box = makeBox()
  const base = join(box, '..')
  writeFileSync(`${box}.tare.json`, '{}')
  done('export', '-o', join(base, 'a.tar'), box)
  cpSync(join(base, 'a.tar'), join(base, 'b.tar'))
  assert.doesNotMatch(call('tar', '-tf', join(base, 'b.tar')), /tare\.json/)
})
