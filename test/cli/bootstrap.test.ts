// tare bootstrap, with an engine that only pretends: a script that is called mmdebstrap, and a mirror that is a directory.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Called, CallOptions } from './tare.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { ended, isRoot, NOBODY, NODE_ARGS, PROGRAM, ROOT, tare } from './tare.ts'

const base = mkdtempSync(join(tmpdir(), 'tare-bootstrap-'))
chmodSync(base, 0o755)
after(() => rmSync(base, { recursive: true, force: true }))

const bin = join(base, 'bin')
const mirror = join(base, 'mirror')
const keyring = join(base, 'keys.gpg')
const calls = join(base, 'calls')
const SUITES = ['good', 'full', 'hash', 'unsigned', 'nopackage', 'offline', 'mount', 'swap', 'hang'] as const
type Suite = (typeof SUITES)[number]

mkdirSync(bin)
writeFileSync(keyring, 'keys')
writeFileSync(calls, '')
chmodSync(calls, 0o666)
for (const suite of SUITES) {
  mkdirSync(join(mirror, 'dists', suite), { recursive: true })
  writeFileSync(join(mirror, 'dists', suite, 'InRelease'), `Suite: ${suite}\n`)
}

/** What mmdebstrap leaves and says, in one second or less. */
const ENGINE = `#!/bin/sh
for word; do case $word in */tree) tree=$word;; esac; done
echo "$*" >> ${calls}
say() { echo "$1" >&2; exit 1; }
mkdir "$tree/usr" "$tree/etc"
echo hello > "$tree/usr/hello"
chmod 4755 "$tree/usr/hello"
ln "$tree/usr/hello" "$tree/usr/again"
ln -s usr "$tree/lib"
chown 33:42 "$tree/etc" 2>/dev/null
echo "0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded."
echo "Need to get 1024 kB of archives."
echo "Get:1 http://localhost good/main amd64 hello amd64 1 [1024 kB]"
echo "Setting up hello (1) ..."
case " $* " in
*" full "*) say "E: Write error - write (28: No space left on device)";;
*" hash "*) say "E: Failed to fetch http://localhost/hello.deb  Hash Sum mismatch";;
*" unsigned "*) say "E: GPG error: file:/x InRelease: NO_PUBKEY 6ED0E7B82643E131";;
*" nopackage "*) say "E: Unable to locate package nosuch";;
*" offline "*) say "E: Temporary failure resolving 'nosuch.invalid'";;
*" mount "*) mount -t tmpfs tmpfs "$tree/etc" && mount --bind "$tree/usr" /mnt || exit 2;;
*" swap "*) work=$(dirname "$tree"); mv "$work" ${base}/moved; mkdir "$work";;
*" hang "*) sleep 98765;;
esac
exit 0
`
writeFileSync(join(bin, 'mmdebstrap'), ENGINE, { mode: 0o755 })

const PATH = `${bin}:${process.env['PATH'] ?? '/usr/bin:/bin'}`
const root = { skip: isRoot ? false : 'needs root' }

const args = (suite: Suite, output: string, ...more: readonly string[]): readonly string[] => [
  'bootstrap',
  `debian:${suite}`,
  output,
  `--mirror=file://${mirror}`,
  `--keyring=${keyring}`,
  ...more,
]

const call = (words: readonly string[], options: CallOptions = {}): Called =>
  tare(words, { ...options, env: { PATH, ...options.env } })

/** A directory of its own for a test, with a cache beside. */
const place = (name: string): { readonly directory: string; readonly cache: string } => {
  const directory = join(base, name)
  mkdirSync(directory)
  return { directory, cache: `--cache-dir=${join(base, `${name}-cache`)}` }
}

const engineCalls = (word: string): number =>
  readFileSync(calls, 'utf8')
    .split('\n')
    .filter((line) => line.includes(word)).length

/** As root: an ordinary user may have no subordinate ids. */
const expectSystem = (path: string): void => {
  assert.equal(readFileSync(join(path, 'usr/hello'), 'utf8'), 'hello\n')
  const hello = lstatSync(join(path, 'usr/hello'))
  assert.equal(hello.mode & 0o7777, 0o4755)
  assert.equal(hello.nlink, 2)
  assert.equal(lstatSync(join(path, 'usr/again')).ino, hello.ino)
  assert.ok(lstatSync(join(path, 'lib')).isSymbolicLink())
  const etc = lstatSync(join(path, 'etc'))
  assert.deepEqual([etc.uid, etc.gid], [33, 42])
  assert.equal(lstatSync(path).mode & 0o7777, 0o755)
}

test('bad input is one clear error, and nothing is made or touched', () => {
  const { directory } = place('wrong')
  const used = join(directory, 'used')
  mkdirSync(used)
  writeFileSync(join(used, 'mine'), 'mine')
  const box = join(directory, 'box')
  const table: readonly (readonly [words: readonly string[], message: RegExp])[] = [
    [['debain:bookworm', box], /^tare: cannot bootstrap debain:bookworm: .*\nDid you mean debian\?\n$/],
    [['debian:bookwrm', box], /Did you mean debian:bookworm\?/],
    [['debian', box], /it is not said which release\nWrite debian:bookworm\./],
    [['debian:sid'], /DIR/],
    [args('good', used).slice(1), /cannot build .*used: it is not empty\n/],
    [args('good', join(used, 'mine')).slice(1), /cannot build .*mine: it is no directory\n/],
    [args('good', join(directory, 'no/box')).slice(1), /cannot build .*: ENOENT/],
    [args('good', box, '--arch=riscv64').slice(1), /cannot bootstrap for riscv64: this machine is/],
    [args('good', box, '--include=--x').slice(1), /cannot include "--x"/],
    [args('good', box, '--no-cache', '--refresh').slice(1), /cannot use --refresh with --no-cache/],
    [
      args('good', box, '--variant=tiny').slice(1),
      /cannot use --variant=tiny .*: there is no such choice\nIt takes minbase or standard\./,
    ],
    [['debian:sid', box, '--mirror=sid'], /cannot use the mirror sid/],
    [['debian:sid', box, '--keyring=/nonexistent'], /cannot use the keyring \/nonexistent: ENOENT/],
    [['debian:nosuch', box, `--mirror=file://${mirror}`, `--keyring=${keyring}`], /the mirror has no such release/],
  ]
  for (const [words, message] of table) {
    const { status, stdout, stderr } = call(['bootstrap', ...words])
    assert.deepEqual([status, stdout], [125, ''], words.join(' '))
    assert.match(stderr, message)
  }
  assert.deepEqual(readdirSync(directory), ['used'])
  assert.equal(readFileSync(join(used, 'mine'), 'utf8'), 'mine')
})

const hasDnf = ['dnf', 'dnf5'].some((each) => spawnSync('sh', ['-c', `command -v ${each}`]).status === 0)

test('without an engine it is said what to install', { skip: hasDnf ? 'needs a host without dnf' : false }, () => {
  const { directory } = place('engineless')
  const { status, stderr } = call(['bootstrap', 'fedora:40', join(directory, 'box')])
  assert.equal(status, 125)
  assert.match(stderr, /^tare: cannot bootstrap fedora:40: dnf is not installed\nInstall it: "apt install dnf"/)
  assert.deepEqual(readdirSync(directory), [])
})

test('a system, and the next of its kind as a copy', root, () => {
  const { directory, cache } = place('kept')
  const box = (name: string): string => join(directory, name)
  const make = (name: string, ...more: readonly string[]): boolean => {
    const { status, stdout, stderr } = call(args('good', box(name), cache, '--json', ...more))
    assert.equal(status, 0, stderr)
    expectSystem(box(name))
    const made: Record<string, unknown> = JSON.parse(stdout)
    assert.equal(made['path'], box(name))
    assert.equal(made['system'], 'debian:good')
    assert.deepEqual(made['warnings'], [])
    return made['cached'] === true
  }
  mkdirSync(box('a'))
  assert.equal(make('a'), false)
  assert.equal(make('b'), true)
  assert.equal(make('c', '--include=nginx'), false)
  assert.equal(make('d', '--include=nginx'), true)
  assert.equal(make('e', '--variant=standard'), false)
  assert.equal(make('f', '--no-cache'), false)
  assert.equal(make('g', '--refresh'), false)
  // Something is new in the archive.
  writeFileSync(join(mirror, 'dists/good/InRelease'), 'Suite: good\nDate: later\n')
  assert.equal(make('h'), false)
  assert.equal(make('i'), true)
  assert.deepEqual(readdirSync(directory).toSorted(), [...'abcdefghi'])
  assert.match(readFileSync(calls, 'utf8'), /--include=apt,nginx .*\/tree deb file:.* good main$/m)
})

test('a copy that is damaged is forgotten, and a cache that others may write to is not used', root, () => {
  const { directory, cache } = place('damaged')
  const kept = `${directory}-cache`
  assert.equal(call(args('good', join(directory, 'a'), cache)).status, 0)
  const tar = readdirSync(kept).find((name) => name.endsWith('.tar')) ?? ''
  writeFileSync(join(kept, tar), 'no tar at all')
  const again = call(args('good', join(directory, 'b'), cache, '--json'))
  assert.equal(again.status, 0, again.stderr)
  assert.match(again.stdout, /"cached": false/)
  expectSystem(join(directory, 'b'))
  chmodSync(kept, 0o777)
  const refused = call(args('good', join(directory, 'c'), cache))
  assert.equal(refused.status, 125)
  assert.match(refused.stderr, /cannot keep systems in .*: others may write there\n/)
  assert.deepEqual(readdirSync(directory).toSorted(), ['a', 'b'])
})

const FAILURES: readonly (readonly [suite: Suite, message: RegExp])[] = [
  ['full', /ENOSPC \(no space left on device\)\nMake room there/],
  ['hash', /a file of the mirror is not the one that the signed release names\n/],
  ['unsigned', /not signed by a key that is trusted here \(NO_PUBKEY 6ED0E7B82643E131\)\n/],
  ['nopackage', /the release has no package nosuch\n/],
  ['offline', /the mirror is out of reach \(Temporary failure resolving 'nosuch.invalid'\)\n/],
]

test('an engine that fails leaves nothing, and is understood', root, () => {
  const { directory, cache } = place('failed')
  for (const [suite, message] of FAILURES) {
    const { status, stdout, stderr } = call(args(suite, join(directory, 'box'), cache))
    assert.deepEqual([status, stdout], [125, ''])
    assert.match(stderr, message)
    assert.match(stderr, /^tare: cannot bootstrap debian:\w+: [^\n]*\n[^\n]*\n$/)
  }
  assert.deepEqual(readdirSync(directory), [])
  assert.deepEqual(
    readdirSync(`${directory}-cache`).filter((name) => !name.endsWith('.lock')),
    [],
  )
})

test('what the engine mounts is not seen outside, and does not stay', root, () => {
  const { directory, cache } = place('mounted')
  const before = readdirSync('/mnt')
  const { status, stderr } = call(args('mount', join(directory, 'box'), cache))
  assert.equal(status, 0, stderr)
  assert.deepEqual(readdirSync('/mnt'), before)
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), /tare-bootstrap-/)
  expectSystem(join(directory, 'box'))
})

test(
  'where somebody has put another directory in the place of the unfinished one, that is not taken for it',
  root,
  () => {
    const { directory } = place('swapped')
    const { status, stderr } = call(args('swap', join(directory, 'box'), '--no-cache'))
    assert.equal(status, 125)
    assert.match(stderr, /cannot build .*box: somebody else has put something in its place\n/)
    assert.deepEqual(readdirSync(directory), [])
    assert.deepEqual(readdirSync(join(base, 'moved')), [])
  },
)

const onTerminal = isRoot ? NO_TERMINAL : 'needs root'

test('a terminal is shown how far it is, in a line that is gone in the end', { skip: onTerminal }, async () => {
  const { directory, cache } = place('shown')
  const command = [PROGRAM, ...NODE_ARGS, ...args('good', join(directory, 'box'), cache)]
  for (const size of [
    { rows: 24, columns: 80 },
    { rows: 0, columns: 0 },
  ]) {
    const session = new Session([...command, '--refresh'], size, ['env', `PATH=${PATH}`])
    assert.equal(await session.status, 0, session.text)
    await until('all is shown', () => session.text.includes('made '))
    const [progress = '', last = ''] = session.text.replaceAll('\r\x1b[K', '|').split(/(?=made )/)
    assert.match(progress, /^\|looking at the mirror\|.*\|downloading 0B of 1000KiB\|.*\|$/)
    assert.match(last, /^made .*box: debian:good \(\w+, minbase\) by mmdebstrap in [\d.]+m?s\r\n$/)
    session.close()
    rmSync(join(directory, 'box'), { recursive: true })
  }
})

const start = (words: readonly string[]): ChildProcess =>
  spawn(PROGRAM, [...NODE_ARGS, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: ROOT,
    env: { PATH, HOME: base },
  })

/** Whether an engine that hangs is there, for this directory. */
const isHanging = (directory: string): boolean =>
  readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return words.includes('hang') && words.some((word) => word.startsWith(`${directory}/.`))
    } catch {
      // It has ended meanwhile.
      return false
    }
  })

const until = async (what: string, condition: () => boolean): Promise<void> => {
  for (const began = Date.now(); !condition(); await sleep(20))
    if (Date.now() - began > 20_000) throw new Error(`it takes too long until ${what}`)
}

test('interrupted, it leaves nothing, and no process', root, async () => {
  const { directory, cache } = place('interrupted')
  const child = start(args('hang', join(directory, 'box'), cache))
  await until('the engine hangs', () => isHanging(directory))
  assert.equal(readdirSync(directory).length, 1)
  child.kill('SIGINT')
  assert.equal(await ended(child), 130)
  assert.equal(isHanging(directory), false)
  assert.deepEqual(readdirSync(directory), [])
})

test('killed, its engine ends with it, and the next one cleans up', root, async () => {
  const { directory, cache } = place('killed')
  const child = start(args('hang', join(directory, 'box'), cache))
  await until('the engine hangs', () => isHanging(directory))
  child.kill('SIGKILL')
  assert.equal(await ended(child), 'SIGKILL')
  await until('the engine is gone', () => !isHanging(directory))
  assert.equal(existsSync(join(directory, 'box')), false)
  const { status, stderr } = call(args('good', join(directory, 'box'), cache))
  assert.equal(status, 0, stderr)
  assert.deepEqual(readdirSync(directory), ['box'])
  expectSystem(join(directory, 'box'))
})

test('of several at once that are alike, one is made and the others are copies', root, async () => {
  const { directory, cache } = place('together')
  const include = '--include=together'
  const seen = '--include=apt,together'
  const children = ['a', 'b', 'c'].map((name) => start(args('good', join(directory, name), cache, include)))
  assert.deepEqual(await Promise.all(children.map(ended)), [0, 0, 0])
  assert.equal(engineCalls(seen), 1)
  for (const name of ['a', 'b', 'c']) expectSystem(join(directory, name))
})

const hasSubordinateIds = (): boolean =>
  existsSync('/etc/subuid') && /^(nobody|65534):/m.test(readFileSync('/etc/subuid', 'utf8'))

const needsNobody = isRoot ? (hasSubordinateIds() ? 'needs nobody to have no subordinate ids' : false) : 'needs root'

test('an ordinary user needs subordinate ids', { skip: needsNobody }, () => {
  const { directory } = place('idless')
  chownSync(directory, NOBODY.uid, NOBODY.gid)
  const { status, stderr } = call(args('good', join(directory, 'box'), '--no-cache'), {
    as: NOBODY,
    env: { HOME: directory, USER: 'nobody' },
  })
  assert.equal(status, 125)
  assert.match(stderr, /has no range in \/etc\/subuid\nGive it one, as root:/)
  assert.deepEqual(readdirSync(directory), [])
})

const lacks = (...programs: readonly string[]): string | false => {
  const missing = programs.filter((each) => spawnSync('sh', ['-c', `command -v ${each}`]).status !== 0)
  return missing.length === 0 ? false : `needs ${missing.join(' and ')}`
}

test(
  "an ordinary user's system belongs to the user and its subordinate ids; so do what failed and what was killed, and they go",
  { skip: isRoot ? lacks('unshare', 'setpriv', 'newuidmap') : 'needs root' },
  () => {
    const { directory } = place('rootless')
    chownSync(directory, NOBODY.uid, NOBODY.gid)
    // A mount namespace in which nobody has a range: the host's files stay as they are.
    const ids = join(base, 'subids')
    writeFileSync(ids, 'nobody:200000:65536\n')
    const tareIn = (...words: readonly string[]): Called => {
      const script = `mount --bind ${ids} /etc/subuid && mount --bind ${ids} /etc/subgid && exec "$@"`
      const user = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
      const command = ['sh', '-c', script, 'sh', ...user, PROGRAM, ...NODE_ARGS, ...words]
      const { status, stdout, stderr } = spawnSync('unshare', ['--mount', ...command], {
        encoding: 'utf8',
        env: { PATH, HOME: directory, USER: 'nobody' },
        timeout: 60_000,
      })
      return { status, stdout, stderr }
    }
    const [a, b, c] = ['a', 'b', 'c'].map((name) => join(directory, name))
    for (const box of [a, b]) {
      const made = tareIn(...args('good', box ?? ''))
      assert.equal(made.status, 0, made.stderr)
      const stats = ['', 'usr/hello', 'etc'].map((name) => lstatSync(join(box ?? '', name)))
      assert.deepEqual(
        stats.map(({ uid, gid }) => [uid, gid]),
        [
          [65534, 65534],
          [65534, 65534],
          [200032, 200041],
        ],
      )
      assert.equal(made.stdout.includes('as a copy'), box === b)
    }
    assert.match(tareIn(...args('full', c ?? '')).stderr, /ENOSPC/)
    // As one that was killed leaves it: with files that aren't the user's own.
    const stale = join(directory, '.c.tare-000000000000')
    mkdirSync(join(stale, 'tree/etc'), { recursive: true })
    writeFileSync(join(stale, 'tree/etc/file'), '')
    writeFileSync(join(stale, '.tare-chroot'), '')
    chownSync(join(stale, '.tare-chroot'), NOBODY.uid, NOBODY.gid)
    chownSync(stale, NOBODY.uid, NOBODY.gid)
    chownSync(join(stale, 'tree'), NOBODY.uid, NOBODY.gid)
    chownSync(join(stale, 'tree/etc'), 200032, 200041)
    assert.match(tareIn(...args('hash', c ?? '')).stderr, /not the one/)
    assert.deepEqual(readdirSync(directory).toSorted(), ['.cache', 'a', 'b'])
  },
)
