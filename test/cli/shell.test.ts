// `tare shell` in a small system of busybox.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { shell } from '../../src/index.ts'
import { ERRNO, getTermios, trySyscall } from '../../src/linux/index.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { NO_SYSTEM, hashOf, makeSystem } from './system-tree.ts'
import { isRoot, NO_CONTAINERS, NODE_ARGS, PROGRAM, tare } from './tare.ts'

const base = mkdtempSync(join(tmpdir(), 'tare-shell-'))
after(() => rmSync(base, { recursive: true, force: true }))

const needs = {
  skip: NO_CONTAINERS || NO_SYSTEM || (isRoot ? false : 'needs root, to make the system'),
  timeout: 60_000,
}
const inTerminal = { ...needs, skip: needs.skip || NO_TERMINAL }

const LOCK_EX_NB = 6

let count = 0
const newSystem = (): string => makeSystem(join(base, `box${++count}`))

/** All that is in a directory: names, sizes, modes, times of change. */
const listing = (path: string): readonly string[] =>
  readdirSync(path, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => {
      const { mode, size, uid, ctimeMs } = statSync(join(path, name))
      return `${name} ${mode} ${size} ${uid} ${ctimeMs}`
    })

test('a command runs as root of the system, with what a login has', needs, () => {
  const box = newSystem()
  mkdirSync(join(box, 'usr/share/terminfo/f'), { recursive: true })
  const { status, stdout, stderr } = tare(
    ['shell', '-e', 'MORE=1', box, '--', 'sh', '-c', 'id; pwd; hostname; env; ls /run'],
    {
      env: { LANG: 'xx_XX.UTF-8', SECRET: 'of the host' },
    },
  )
  assert.equal(stderr, '')
  assert.equal(status, 0)
  const [id, directory, hostname, ...rest] = stdout.trimEnd().split('\n')
  assert.deepEqual([id, directory, hostname], ['uid=0(root) gid=0(root)', '/root', `box${count}`])
  const env = rest.filter((line) => !/^(?:SHLVL|PWD|PATH)=/.test(line)).toSorted()
  assert.deepEqual(env, [
    'HOME=/root',
    `HOSTNAME=box${count}`,
    'LANG=C.UTF-8',
    'LOGNAME=root',
    'MORE=1',
    'SHELL=/bin/sh',
    'USER=root',
  ])
})

test('the language is the one that the system has set', needs, () => {
  const box = newSystem()
  writeFileSync(join(box, 'etc/locale.conf'), '# set by hand\nLANG="de_DE.UTF-8"\n')
  assert.equal(tare(['shell', box, '--', 'sh', '-c', 'echo $LANG']).stdout, 'de_DE.UTF-8\n')
})

test('without a command the login shell reads standard input; its status is ours', needs, () => {
  const box = newSystem()
  writeFileSync(join(box, 'etc/profile'), 'PROFILE=read\n')
  const input = 'echo $0 $PROFILE; id -un; pwd; exit 7\n'
  assert.deepEqual(tare(['shell', box], { input }), { status: 7, stdout: '-sh read\nroot\n/root\n', stderr: '' })
  const asAnn = tare(['shell', '--user=ann', box], { input: 'echo $0 $HOME; id; pwd; kill -TERM $$\n' })
  assert.deepEqual(asAnn, {
    status: 143,
    stdout: '-sh /home/ann\nuid=1000(ann) gid=1000(ann)\n/home/ann\n',
    stderr: '',
  })
})

test('changes are kept; with --ephemeral all is as it was', needs, () => {
  const box = newSystem()
  const script = 'touch /root/made /home/ann/made; rm /etc/group; ls /root'
  const before = listing(box)
  assert.equal(tare(['shell', '--ephemeral', box, '--', 'sh', '-c', script]).stdout, 'made\n')
  assert.deepEqual(listing(box), before)
  assert.equal(tare(['shell', box, '--', 'sh', '-c', script]).stdout, 'made\n')
  assert.equal(existsSync(join(box, 'etc/group')), false)
  assert.equal(statSync(join(box, 'root/made')).uid, 0, "on disk root's files are root's")
  assert.equal(tare(['shell', box, '--', 'ls', '/root']).stdout, 'made\n')
})

test('any number of shells are in a system, but none in one that is booted', needs, async () => {
  const box = newSystem()
  const fd = openSync(box, 'r')
  try {
    const lock = (): number => trySyscall('flock', fd, LOCK_EX_NB)
    const open = shell(box, ['cat'], { stdin: 'pipe' })
    open.stdin?.write('there\n')
    for await (const line of open.lines()) {
      assert.equal(line, 'there')
      assert.equal(tare(['shell', box, 'id', '-u']).stdout, '0\n')
      assert.equal(lock(), -(ERRNO['EAGAIN'] ?? 0), 'as long as one is open, "tare boot" has to wait')
      open.stdin?.end()
    }
    assert.equal((await open).exitCode, 0)

    assert.equal(lock(), 0)
    for (const args of [
      ['shell', box],
      ['shell', '--ephemeral', box, 'id'],
    ]) {
      const { status, stderr } = tare(args)
      assert.match(
        stderr,
        /^tare: cannot open a shell in .*: it is running: its own init has booted it\n"tare boot ls"/,
      )
      assert.equal(status, 125)
    }
    assert.equal(tare(['passwd', box], { input: 'secret' }).status, 0)
  } finally {
    closeSync(fd)
  }
})

test('set-user-id programs work, unless no-new-privileges is wanted', needs, () => {
  const box = newSystem()
  const euid = ['--', 'sh', '-c', "grep -E '^(Uid|NoNewPrivs)' /proc/self/status"]
  symlinkSync('busybox', join(box, 'bin/grep'))
  assert.match(tare(['shell', '-u', 'ann', box, ...euid]).stdout, /^Uid:\t1000\t\d+\t\d+\t\d+\nNoNewPrivs:\t0\n$/)
  const without = tare(['shell', '-u', 'ann', '--security-opt=no-new-privileges', box, ...euid])
  assert.match(without.stdout, /^Uid:\t1000\t1000\t1000\t1000\nNoNewPrivs:\t1\n$/)
})

test("with the host's network its name servers are there, whatever the system has", needs, (t) => {
  if (!existsSync('/etc/resolv.conf')) return t.skip('needs /etc/resolv.conf')
  const expected = readFileSync('/etc/resolv.conf', 'utf8')
  const box = newSystem()
  const look = (): string => tare(['shell', '--network=host', box, '--', 'cat', '/etc/resolv.conf']).stdout
  assert.equal(look(), expected)
  assert.equal(readFileSync(join(box, 'etc/resolv.conf'), 'utf8'), '', 'a place for it, and nothing of it is kept')
  rmSync(join(box, 'etc/resolv.conf'))
  symlinkSync('../run/systemd/resolve/stub-resolv.conf', join(box, 'etc/resolv.conf'))
  assert.equal(look(), expected)
  const own = newSystem()
  writeFileSync(join(own, 'etc/resolv.conf'), 'nameserver 192.0.2.1\n')
  assert.equal(
    tare(['shell', own, 'cat', '/etc/resolv.conf']).stdout,
    'nameserver 192.0.2.1\n',
    'without that, its own',
  )
  const network = (option: string): string =>
    tare(['shell', option, own, 'readlink', '/proc/self/ns/net']).stdout.trim()
  assert.equal(network('--network=host'), readlinkSync('/proc/self/ns/net'))
  assert.notEqual(network('--network=none'), readlinkSync('/proc/self/ns/net'))
})

test('options of tare run mean the same', needs, () => {
  const box = newSystem()
  writeFileSync(join(base, 'shared'), 'from outside\n')
  const { stdout } = tare([
    'shell',
    '-v',
    `${join(base, 'shared')}:/mnt/shared:ro`,
    '--hostname=other',
    '-w',
    '/etc',
    '--read-only',
    box,
    '--',
    'sh',
    '-c',
    'cat /mnt/shared; hostname; pwd; touch /root/x 2>/dev/null || echo refused',
  ])
  assert.equal(stdout, 'from outside\nother\n/etc\nrefused\n')
})

test('a shell in a terminal: its size and kind, job control, status', inTerminal, async (t) => {
  const box = newSystem()
  mkdirSync(join(box, 'lib/terminfo/v'), { recursive: true })
  writeFileSync(join(box, 'lib/terminfo/v/vt520'), '')
  const session = new Session(
    ['TERM=vt520', 'PATH=/usr/bin:/bin', PROGRAM, ...NODE_ARGS, 'shell', box],
    { rows: 31, columns: 97 },
    ['env', '-i'],
  )
  t.after(() => session.close())
  const before = getTermios(session.peer)
  await session.see(/# /)
  session.type('echo "$0 $TERM"; tty; stty size\r')
  await session.see(/-sh vt520\r\n\/dev\/pts\/0\r\n31 97\r\n/)
  session.type('echo wait"ing"; sleep 100\r')
  await session.see(/waiting\r\n/)
  session.type('\x1a')
  await session.see(/Stopped.*sleep 100\r\n.*# /s)
  session.type('fg\r')
  await session.see(/sleep 100\r\n/)
  session.type('\x03')
  await session.see(/# /)
  session.type('exit 5\r')
  assert.equal(await session.status, 5)
  assert.deepEqual(getTermios(session.peer), before, 'the settings of the terminal are what they were')
})

test('a kind of terminal that the system does not know becomes one that all know', inTerminal, async (t) => {
  const args = ['TERM=xterm-strange', 'PATH=/usr/bin:/bin', PROGRAM, ...NODE_ARGS, 'shell', newSystem(), '--', 'env']
  const session = new Session(args, undefined, ['env', '-i'])
  t.after(() => session.close())
  assert.equal(await session.status, 0)
  await session.see(/TERM=xterm\r\n/)
})

/** In a mount namespace in which nobody has subordinate ids: what a script of calls of $TARE prints there as that user. */
const asNobody = (script: string, subids = 'nobody:200000:65536\n'): string => {
  const file = join(base, 'subids')
  writeFileSync(file, subids)
  const mounts = `mount --bind ${file} /etc/subuid && mount --bind ${file} /etc/subgid`
  const become = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$0"'
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/tmp',
    USER: 'nobody',
    TARE: [PROGRAM, ...NODE_ARGS].join(' '),
  }
  const words = ['-m', 'sh', '-c', `${mounts} && ${become}`, script]
  const { stdout, stderr, status } = spawnSync('unshare', words, { encoding: 'utf8', cwd: '/', env })
  assert.equal(status, 0, `${script}: ${stderr}`)
  return stdout
}

const SUBIDS = { ...needs, skip: needs.skip || (existsSync('/usr/bin/newuidmap') ? false : 'needs newuidmap') }

for (const [whose, owners, name] of [
  ['that are its own', { root: 65534, ann: 200999 }, 'own'],
  ['that are its subordinate ids', { root: 200000, ann: 201000 }, 'sub'],
] as const)
  test(`an ordinary user uses systems ${whose}`, SUBIDS, () => {
    const parent = mkdtempSync(join(tmpdir(), `tare-shell-${name}-`))
    try {
      // Above it all is open, as the home of that user would be.
      const box = makeSystem(join(parent, 'box'), owners)
      chmodSync(parent, 0o755)
      const script = `id -u; touch /root/made /home/ann/made; su ann -c "touch /home/ann/anns"; ls -ln /home/ann`
      const out = asNobody(
        `$TARE shell ${box} -- sh -c '${script}'; $TARE shell --ephemeral ${box} -- touch /root/gone`,
      )
      assert.match(out, /^0\n(?:.*\n)?.* 1000 +1000 .* anns\n.* 0 +0 .* made\n$/)
      assert.deepEqual(readdirSync(join(box, 'root')), ['made'])
      assert.equal(statSync(join(box, 'root/made')).uid, owners.root)
      assert.equal(statSync(join(box, 'home/ann/anns')).uid, owners.ann)
      asNobody(`echo "right pass" | $TARE passwd ${box} ann`)
      const su = (password: string): string =>
        asNobody(`printf "${password}\\n" | $TARE shell -u ann ${box} -- su ann -c "id -u" 2>&1 || echo "status $?"`)
      assert.match(su('right pass'), /1000\n$/)
      assert.match(su('wrong pass'), /status 1\n$/)
    } finally {
      rmSync(parent, { recursive: true, force: true })
    }
  })

test('without subordinate ids an ordinary user is root in its own system, and nobody else is there', needs, () => {
  const parent = mkdtempSync(join(tmpdir(), 'tare-shell-one-'))
  try {
    chmodSync(parent, 0o755)
    const box = makeSystem(join(parent, 'box'), { root: 65534, ann: 65534 })
    const script = `$TARE shell ${box} sh -c 'id -u; cat /proc/self/uid_map' && echo secret | $TARE passwd ${box}`
    assert.match(asNobody(script, ''), /^0\n +0 +65534 +1\n$/)
    assert.match(hashOf(box, 'root'), /^\$6\$/)
    const asAnn = asNobody(`$TARE shell -u ann ${box} id 2>&1 || echo "status $?"`, '')
    assert.match(asAnn, /has no range of subordinate uids in \/etc\/subuid\n.*\nstatus 125\n$/)
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
})

test('what is no system is refused, and is as it was', needs, () => {
  const empty = join(base, 'empty')
  mkdirSync(empty)
  const box = newSystem()
  rmSync(join(box, 'bin/sh'))
  const foreign = makeSystem(join(base, 'foreign'), { root: 12345, ann: 1000 })
  writeFileSync(join(base, 'file'), '')
  const cases: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [[join(base, 'nothing')], /^tare: cannot use .*\/nothing as a system: it does not exist\n/],
    [[join(base, 'file')], /^tare: cannot use .*\/file as a system: it is not a directory\n/],
    [[empty], /^tare: cannot use .*\/empty as a system: it has neither \/bin nor \/usr\/bin\n"tare bootstrap/],
    [[empty, '--', 'true'], /^tare: cannot use .*\/empty as a system: it has neither/],
    [['/'], /^tare: cannot use \/ as a system: it is this host's own root\n"tare run --rootfs=host"/],
    [
      [box],
      /^tare: cannot run the shell of root in .*: it is "\/bin\/sh", and there is no such program\nName a program/,
    ],
    [['-u', 'sys', box], /^tare: cannot run the shell of sys in .*: it is "\/bin\/nologin", and there is no such/],
    [['-u', 'anm', box], /^tare: cannot use user "anm": \/etc\/passwd of .* has no such user\nDid you mean ann\?\n/],
    [[foreign], /^tare: cannot use .*\/foreign as a system: it belongs to user 12345\nRoot uses what is root's\./],
    [['-m', 'lots', box, '--', 'true'], /^tare: cannot use "lots" as memory: it is not a size\n/],
    [['-w', 'etc', box, '--', 'ls'], /^tare: cannot use workdir "etc": it is not an absolute path/],
    [[box, '--ephemeral'], /^tare: cannot use --ephemeral of tare shell behind DIR: .*\nOptions come before DIR\.\n/],
    [['--rootfs=x', box], /^tare: cannot use --rootfs of tare shell: there is no such option\n/],
    [[], /^tare: cannot use tare shell: DIR is missing\n/],
  ]
  for (const [args, said] of cases) {
    const { status, stdout, stderr } = tare(['shell', ...args])
    assert.match(stderr, said)
    assert.equal(status, 125, stderr)
    assert.equal(stdout, '')
  }
  assert.deepEqual(readdirSync(empty), [])
  assert.equal(tare(['shell', box, '--', 'nonesuch']).status, 127)
})
