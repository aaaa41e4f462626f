// `tare clone` and `tare snapshot`. Needs root, for file systems of its own and for owners.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'node:test'
import { call, describeTree, lacks, makeDirectory, makeTree, TREE_PROGRAMS } from '../image/tree.ts'
import { makeSystem, NO_SYSTEM } from './system-tree.ts'
import { PROGRAM, NODE_ARGS, tare } from './tare.ts'

const NEEDS = lacks(...TREE_PROGRAMS, 'mknod', 'python3')

const ID = '0123456789abcdef0123456789abcdef\n'

/** A system with all that files can have, in a directory. */
const makeBox = (base: string, path = join(base, 'box')): string => {
  makeTree(path)
  writeFileSync(join(path, 'etc/machine-id'), ID)
  mkdirSync(join(path, 'var/lib/systemd'), { recursive: true })
  writeFileSync(join(path, 'var/lib/systemd/random-seed'), 'seed')
  call('mknod', join(path, 'device'), 'c', '1', '3')
  call('python3', '-c', `import socket; socket.socket(socket.AF_UNIX).bind(${JSON.stringify(join(path, 'socket'))})`)
  return path
}

/** What a clone has of its own. */
const OWN = ['./etc/machine-id', './var/lib/systemd', './var/lib/systemd/random-seed']

const done = (...args: readonly string[]): string => {
  const { status, stdout, stderr } = tare(args)
  assert.equal(status, 0, stderr)
  return stdout
}

const refusal = (args: readonly string[], beside: string): string => {
  const before = readdirSync(beside)
  const { status, stdout, stderr } = tare(args)
  assert.equal(status, 125, `${stderr}${stdout}`)
  assert.deepEqual(readdirSync(beside), before, 'nothing is left')
  return stderr
}

/** Why no such file system can be made here. */
const lacksFilesystem = (type: string): string | false =>
  NEEDS ||
  lacks(`mkfs.${type}`, 'mount', 'losetup') ||
  (readFileSync('/proc/filesystems', 'utf8').includes(`\t${type}\n`) ? false : `needs a kernel with ${type}`)

/** Does something within a file system of this type, which is gone afterwards. */
const within = (type: string, use: (base: string) => void): void => {
  const base = makeDirectory()
  const [image, mounted] = [join(base, 'image'), join(base, 'mounted')]
  call('truncate', '-s', '400M', image)
  call(`mkfs.${type}`, '-q', image)
  mkdirSync(mounted)
  call('mount', '-o', 'loop', image, mounted)
  try {
    use(mounted)
  } finally {
    call('umount', mounted)
  }
}

const checkClone = (base: string, said: RegExp): void => {
  const box = join(base, 'box')
  assert.match(done('clone', box, join(base, 'other')), said)
  assert.equal(describeTree(join(base, 'other'), OWN), describeTree(box, OWN))
  assert.equal(readFileSync(join(base, 'other/etc/machine-id'), 'utf8'), '')
  assert.equal(existsSync(join(base, 'other/var/lib/systemd/random-seed')), false)
  assert.equal(readFileSync(join(box, 'etc/machine-id'), 'utf8'), ID, 'the other one is as it was')
  writeFileSync(join(base, 'other/large'), 'changed')
  assert.equal(statSync(join(box, 'large')).size, 700_001)
}

const checkSnapshots = (base: string): void => {
  const box = join(base, 'box')
  const before = describeTree(box)
  assert.match(done('snapshot', box, 'first'), /^kept first /)
  rmSync(join(box, 'bin'), { recursive: true })
  writeFileSync(join(box, 'large'), 'changed')
  mkdirSync(join(box, 'bin'))
  assert.match(done('snapshot', box), /^kept \d{8}T\d{6}Z /)
  assert.match(done('snapshot', 'ls', box), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}first\n\S+Z {2}\d{8}T\d{6}Z\n$/)
  assert.match(done('snapshot', 'restore', box, 'first'), /is as it was at first, /)
  assert.equal(describeTree(box), before)
  assert.equal(describeTree(join(base, 'box.snapshots/first')), before, 'the snapshot stays')
  const [second = ''] = readdirSync(join(base, 'box.snapshots')).filter((name) => name !== 'first')
  done('snapshot', 'restore', '-q', box, second)
  assert.equal(readFileSync(join(box, 'large'), 'utf8'), 'changed')
  done('snapshot', 'rm', box, 'first', second)
  assert.deepEqual(
    readdirSync(base).filter((name) => name.startsWith('box') || name.startsWith('.')),
    ['box'],
    'nothing is left',
  )
}

test('a clone has all that files have, and an identity of its own', { skip: NEEDS }, () => {
  const base = makeDirectory()
  makeBox(base)
  checkClone(base, /^made .*other /)
  assert.deepEqual(readdirSync(base).toSorted(), ['box', 'other'])
  const device = lstatSync(join(base, 'other/device'))
  assert.ok(device.isCharacterDevice() && device.rdev === 0x103)
  assert.ok(lstatSync(join(base, 'other/socket')).isSocket())
  assert.ok(statSync(join(base, 'other/sparse')).blocks * 512 < 1 << 20, 'holes stay holes')
})

test('snapshots are taken, listed, gone back to and removed', { skip: NEEDS }, () => {
  const base = makeDirectory()
  makeBox(base)
  checkSnapshots(base)
})

test('on xfs files share their blocks', { skip: lacksFilesystem('xfs') }, () => {
  within('xfs', (base) => {
    const box = makeBox(base)
    writeFileSync(join(box, 'big'), Buffer.alloc(60 << 20, 'x'))
    call('sync')
    const used = (): number => Number(call('df', '--output=used', '-B1', base).split('\n')[1])
    const before = used()
    checkClone(base, /^made .*other with shared blocks in .*\n$/)
    call('sync', '-f', base)
    assert.ok(used() - before < 20 << 20, 'the large file is there once')
    checkSnapshots(base)
  })
})

test('on btrfs a subvolume becomes a snapshot', { skip: lacksFilesystem('btrfs') || lacks('btrfs') }, () => {
  within('btrfs', (base) => {
    call('btrfs', 'subvolume', 'create', join(base, 'box'))
    makeBox(base)
    checkClone(base, /^made .*other as a snapshot of its subvolume in .*\n$/)
    checkSnapshots(base)
    // Elsewhere on the same file system: shared blocks; on another one, a copy.
    call('cp', '-a', join(base, 'box'), join(base, 'plain'))
    assert.match(done('clone', join(base, 'plain'), join(base, 'plain2')), /^made .*plain2 with shared blocks in /)
    const elsewhere = makeDirectory()
    assert.match(done('clone', join(base, 'box'), join(elsewhere, 'away')), /^made .*away as a copy in /)
    assert.equal(describeTree(join(elsewhere, 'away'), OWN), describeTree(join(base, 'box'), OWN))
  })
})

test('a clone has the settings of the other one, but for the host name', { skip: NEEDS }, () => {
  const base = makeDirectory()
  const box = makeBox(base)
  writeFileSync(
    `${box}.tare.json`,
    '{ "memory": "1g", "hostname": "web", "mounts": [{ "source": "data", "target": "/data" }] }',
  )
  chmodSync(`${box}.tare.json`, 0o600)
  done('clone', '-q', box, join(base, 'other'))
  assert.deepEqual(JSON.parse(readFileSync(join(base, 'other.tare.json'), 'utf8')), {
    memory: '1g',
    mounts: [{ source: join(base, 'data'), target: '/data' }],
  })
  rmSync(join(base, 'other'), { recursive: true })
  assert.match(refusal(['clone', box, join(base, 'other')], base), /there are settings of an earlier machine/)
  mkdirSync(join(base, 'other'))
  symlinkSync('other', join(base, 'link'))
  assert.match(
    refusal(['clone', box, join(base, 'link')], base),
    /there are settings of an earlier machine: .*\/other\.tare\.json\n/,
    'a link is followed to where the system would be',
  )
})

test('what can not be copied is refused, and nothing is left', { skip: NEEDS }, async () => {
  const base = makeDirectory()
  const box = makeBox(base)
  mkdirSync(join(base, 'empty'))
  done('snapshot', '-q', box, 'one')
  const cases: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [['clone', join(base, 'empty'), join(base, 'x')], /it has neither \/bin nor \/usr\/bin/],
    [['clone', join(base, 'none'), join(base, 'x')], /it does not exist/],
    [['clone', box, base], /it is not empty/],
    [['clone', box, join(base, 'none/x')], /ENOENT/],
    [['clone', box], /DIR is missing/],
    [['snapshot', box, '../x'], /cannot name a snapshot "\.\.\/x": that is no name/],
    [['snapshot', box, 'one'], /there is one of that name\nChoose another/],
    [['snapshot', 'restore', box, 'on'], /there is none of that name\nDid you mean one\?/],
    [['snapshot', 'rm', box, 'two'], /there is none of that name\n/],
    [['snapshot', 'ls', join(base, 'none')], /it does not exist/],
  ]
  for (const [args, said] of cases) assert.match(refusal(args, base), said)
  const held = openSync(box, 'r')
  const holder = spawn('flock', ['3'], { stdio: ['ignore', 'ignore', 'ignore', held] })
  await once(holder, 'exit')
  for (const args of [
    ['clone', box, join(base, 'x')],
    ['snapshot', box, 'two'],
    ['snapshot', 'restore', box, 'one'],
  ])
    assert.match(refusal(args, base), /cannot copy .*: it is running, or a shell is open in it/)
  closeSync(held)
  assert.deepEqual(readdirSync(join(base, 'box.snapshots')), ['one'])
})

test('killed in the middle of going back, the machine is as it was', { skip: NEEDS }, async () => {
  const base = makeDirectory()
  const box = makeBox(base)
  for (let at = 0; at < 3000; at++) writeFileSync(join(box, 'etc', `file-${at}`), 'x')
  done('snapshot', '-q', box, 'one')
  writeFileSync(join(box, 'etc/after'), '')
  const before = describeTree(box)
  const child = spawn(PROGRAM, [...NODE_ARGS, 'snapshot', 'restore', box, 'one'], { stdio: 'ignore' })
  while (!readdirSync(base).some((name) => name.startsWith('.box.tare-') && existsSync(join(base, name, 'tree/bin'))))
    await sleep(2)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(describeTree(box), before)
  done('snapshot', 'restore', '-q', box, 'one')
  assert.equal(existsSync(join(box, 'etc/after')), false)
  assert.deepEqual(readdirSync(base).toSorted(), ['box', 'box.snapshots'])
})

test(
  "an ordinary user's systems are cloned and kept with their owners",
  { skip: NEEDS || NO_SYSTEM || lacks('unshare', 'setpriv', 'newuidmap') },
  () => {
    const base = makeDirectory()
    chmodSync(base, 0o755)
    const home = join(base, 'home')
    mkdirSync(home)
    makeSystem(join(home, 'box'), { root: 65534, ann: 200_999 })
    writeFileSync(join(home, 'box/etc/machine-id'), ID)
    call('chown', '65534:65534', home, join(home, 'box/etc/machine-id'))
    const subids = join(base, 'subids')
    writeFileSync(subids, 'nobody:200000:65536\n')
    const script = `set -e; cd ${home}
    $TARE snapshot -q ./box one
    $TARE clone -q ./box ./other
    rm box/etc/passwd
    $TARE snapshot restore -q ./box one
    $TARE snapshot rm ./box one
    ls -A`
    const mounts = `mount --bind ${subids} /etc/subuid && mount --bind ${subids} /etc/subgid`
    const become = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$0"'
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/tmp',
      USER: 'nobody',
      TARE: [PROGRAM, ...NODE_ARGS].join(' '),
    }
    const { stdout, stderr, status } = spawnSync('unshare', ['-m', 'sh', '-c', `${mounts} && ${become}`, script], {
      encoding: 'utf8',
      cwd: '/',
      env,
    })
    assert.equal(status, 0, stderr)
    assert.equal(stdout, 'box\nother\n')
    assert.equal(describeTree(join(home, 'other'), OWN), describeTree(join(home, 'box'), OWN))
    assert.equal(statSync(join(home, 'box/home/ann')).uid, 200_999)
    assert.equal(readFileSync(join(home, 'other/etc/machine-id'), 'utf8'), '')
  },
)
