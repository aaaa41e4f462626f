// `tare passwd` in a small system of busybox, and in one with the shadow suite and PAM of this host.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { buildRoot, closure, setPassword } from '../../src/index.ts'
import { getTermios, setTermios } from '../../src/linux/index.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { NO_SYSTEM, hashOf, makeSystem } from './system-tree.ts'
import type { Called } from './tare.ts'
import { NO_CONTAINERS, isRoot, tare } from './tare.ts'

const base = mkdtempSync(join(tmpdir(), 'tare-passwd-'))
after(() => rmSync(base, { recursive: true, force: true }))

const needs = {
  skip: NO_CONTAINERS || NO_SYSTEM || (isRoot ? false : 'needs root, to make the system'),
  timeout: 60_000,
}
const inTerminal = { ...needs, skip: needs.skip || NO_TERMINAL }

let count = 0
const newSystem = (): string => makeSystem(join(base, `box${++count}`))

/** Becomes root of the system by its own su, as ann, who has to give the password. */
const su = (box: string, password: string): Called =>
  tare(['shell', '-u', 'ann', box, '--', 'su', 'root', '-c', 'id -u'], { input: `${password}\n` })

test('a password that was set lets in, and another does not', needs, () => {
  const box = newSystem()
  const password = ' blanks: "quotes" $HOME \\ ärger '
  const shadow = statSync(join(box, 'etc/shadow'))
  assert.deepEqual(tare(['passwd', box], { input: `${password}\n` }), { status: 0, stdout: '', stderr: '' })
  assert.match(hashOf(box, 'root'), /^\$6\$/, 'of SHA-512, not of DES')
  assert.equal(hashOf(box, 'ann'), '!')
  const { mode, uid, gid } = statSync(join(box, 'etc/shadow'))
  assert.deepEqual([mode, uid, gid], [shadow.mode, shadow.uid, shadow.gid])
  assert.match(su(box, password).stdout, /\n0\n$/)
  const wrong = su(box, password.trim())
  assert.doesNotMatch(wrong.stdout, /0/)
  assert.match(wrong.stderr, /incorrect password/)
  assert.equal(wrong.status, 1)
})

test('a password is locked, unlocked, deleted', needs, () => {
  const box = newSystem()
  tare(['passwd', box, 'ann'], { input: 'secret' })
  const hash = hashOf(box, 'ann')
  const hashAfter = (option: string): string => {
    const { status, stderr } = tare(['passwd', option, box, 'ann'])
    assert.equal(status, 0, stderr)
    return hashOf(box, 'ann')
  }
  assert.equal(hashAfter('--lock'), `!${hash}`)
  assert.equal(hashAfter('--unlock'), hash)
  assert.equal(hashAfter('--delete'), '')
})

test('a password is typed twice, and is not to be seen', inTerminal, async (t) => {
  const box = newSystem()
  const session = new Session(['passwd', box, 'ann'])
  t.after(() => session.close())
  const before = getTermios(session.peer)
  await session.see(/^New password of ann: $/)
  // Stopped by a shell that gives the terminal its echo back meanwhile.
  process.kill(session.pid, 'SIGSTOP')
  setTermios(session.peer, before)
  process.kill(session.pid, 'SIGCONT')
  await session.see(/^New password of ann: $/)
  session.type('typed secret\n')
  await session.see(/^\r\nOnce more: $/)
  session.type('typed secret\n')
  assert.equal(await session.status, 0)
  await session.see(/^\r\nThe password is set\.\r\n$/)
  assert.deepEqual(getTermios(session.peer), before)
  assert.match(hashOf(box, 'ann'), /^\$6\$/)
})

test('typed wrongly, not at all or interrupted, nothing changes', inTerminal, async (t) => {
  const box = newSystem()
  const cases: readonly (readonly [
    first: string,
    second: string | undefined,
    status: number | string,
    said: RegExp,
  ])[] = [
    ['one\n', 'another\n', 125, /tare: cannot read a password: the two are not the same\r\n/],
    ['\n', undefined, 125, /tare: cannot read a password: it is empty\r\n/],
    ['\x04', undefined, 125, /tare: cannot read a password: none was typed\r\n/],
    ['one\n', '\x03', 'SIGINT', /Once more: /],
  ]
  for (const [first, second, status, said] of cases) {
    const session = new Session(['passwd', box])
    t.after(() => session.close())
    const before = getTermios(session.peer)
    await session.see(/New password of root: /)
    session.type(first)
    if (second !== undefined) {
      await session.see(/\r\n(?=Once more: )/)
      session.type(second)
    }
    assert.equal(await session.status, status, JSON.stringify([first, second]))
    await session.see(said)
    assert.deepEqual(getTermios(session.peer), before, 'the echo is back')
  }
  assert.equal(hashOf(box, 'root'), '!')
})

test("what does it gets the password from a pipe, and sees nothing of the host's", needs, () => {
  const box = newSystem()
  // Nobody has to trust a system in order to give it a password.
  const spy = '#!/bin/sh\n{ echo "$0 $*"; env; ls /proc/self/fd /sys/class/net /; } > /root/seen\ncat > /root/input\n'
  mkdirSync(join(box, 'usr/sbin'), { recursive: true })
  writeFileSync(join(box, 'usr/sbin/chpasswd'), spy, { mode: 0o755 })
  assert.equal(tare(['passwd', box, 'ann'], { input: 'secret', env: { SECRET: 'of the host' } }).status, 0)
  assert.equal(readFileSync(join(box, 'root/input'), 'utf8'), 'ann:secret\n')
  const seen = readFileSync(join(box, 'root/seen'), 'utf8')
  assert.match(seen, /^\/usr\/sbin\/chpasswd \n/)
  assert.doesNotMatch(seen, /secret|SECRET|eth0/)
})

test(
  'what the program of the system says about a failure is told, and can not write to the terminal as it likes',
  needs,
  () => {
    const box = newSystem()
    mkdirSync(join(box, 'sbin'))
    writeFileSync(join(box, 'sbin/chpasswd'), '#!/bin/sh\nprintf "first\\n\\033[31mno\\n" >&2\nexit 3\n', {
      mode: 0o755,
    })
    const { status, stderr } = tare(['passwd', box], { input: 'secret' })
    assert.equal(stderr, `tare: cannot set the password of root in ${box}: \\x1b[31mno\n`)
    assert.equal(status, 125)
  },
)

test('what can not be is refused before a password is asked for', needs, () => {
  const box = newSystem()
  const bare = newSystem()
  rmSync(join(bare, 'bin/passwd'))
  const shadowless = newSystem()
  rmSync(join(shadowless, 'etc/shadow'))
  const cases: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [[box, 'anm'], /^tare: cannot use user "anm": \/etc\/passwd of .* has no such user\nDid you mean ann\?\n$/],
    [[base], /^tare: cannot use .* as a system: it has neither \/bin nor \/usr\/bin\n/],
    [[join(base, 'nothing')], /^tare: cannot use .*\/nothing as a system: it does not exist\n/],
    [['/'], /^tare: cannot use \/ as a system: it is this host's own root\n/],
    [[bare], /^tare: cannot set a password in .*: the system has no chpasswd\nInstall one/],
    [['--lock', bare], /^tare: cannot lock a password in .*: the system has no passwd\nInstall one/],
    [
      [shadowless],
      /^tare: cannot change the password of root in .*: the system has no \/etc\/shadow.*\nMake it first: /,
    ],
    [['--lock', '--delete', box], /^tare: cannot use --lock, --unlock and --delete together\n/],
    [[box, 'ann', 'secret'], /^tare: cannot use tare passwd: "secret" is one argument too many\n/],
  ]
  for (const [args, said] of cases) {
    const { status, stderr } = tare(['passwd', ...args], { input: 'secret' })
    assert.match(stderr, said)
    assert.equal(status, 125, stderr)
  }
  for (const [input, said] of [
    ['', /^tare: cannot read a password: standard input is empty\n/],
    ['one\ntwo\n', /^tare: cannot read a password: standard input has more than one line\n/],
    ['tab\tbed', /^tare: cannot use this password: it has a control character\n/],
    ['x'.repeat(512), /^tare: cannot use this password: it is longer than 511 bytes\n/],
    ['x'.repeat(5000), /^tare: cannot read a password: standard input has more than 4096 bytes\n/],
  ] as const) {
    const { status, stderr } = tare(['passwd', box], { input })
    assert.match(stderr, said)
    assert.equal(status, 125)
  }
  assert.equal(hashOf(box, 'root'), '!')
})

test('the library asks for a password only where it can be set', needs, async () => {
  const box = newSystem()
  const asked: string[] = []
  const ask = (user: string) => () => Promise.resolve((asked.push(user), 'secret'))
  await assert.rejects(setPassword(box, ask('nobody'), { user: 'nobody' }), /has no such user/)
  await setPassword(box, ask('1000'), { user: '1000' })
  assert.deepEqual(asked, ['1000'])
  assert.match(hashOf(box, 'ann'), /^\$6\$/)
})

const SHADOW = ['/usr/sbin/chpasswd', '/usr/bin/passwd', '/usr/bin/env'] as const
const MODULES = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/security`
const PAM = [
  '/etc/pam.d',
  '/etc/login.defs',
  ...['pam_unix.so', 'pam_deny.so', 'pam_permit.so'].map((name) => `${MODULES}/${name}`),
] as const
const lacking = [...SHADOW, ...PAM, '/usr/bin/perl'].find((path) => !existsSync(path))
const shadow = { ...needs, skip: needs.skip || (lacking === undefined ? false : `needs ${lacking}`) }

test('the shadow suite hashes as the system is set to', shadow, async () => {
  const box = join(base, 'shadow')
  const needed = await closure(SHADOW, { include: PAM.map((source) => ({ source })) })
  await buildRoot(needed, { output: box })
  makeSystem(join(base, 'accounts'))
  for (const name of ['passwd', 'group', 'shadow'])
    writeFileSync(join(box, 'etc', name), readFileSync(join(base, 'accounts/etc', name)), {
      mode: name === 'shadow' ? 0o600 : 0o644,
    })
  const { status, stderr } = tare(['passwd', box, 'ann'], { input: 'a: secret\n' })
  assert.equal(stderr, '')
  assert.equal(status, 0)
  const hash = hashOf(box, 'ann')
  assert.match(hash, /^\$y\$|^\$6\$/)
  // crypt(3), asked by perl: the hash is the password's own, and not another's.
  const hashed = (password: string): string =>
    spawnSync('perl', ['-e', 'print crypt(<STDIN>, $ARGV[0])', hash], { input: password, encoding: 'utf8' }).stdout
  assert.equal(hashed('a: secret'), hash)
  assert.notEqual(hashed('a: secre'), hash)
  assert.equal(tare(['passwd', '--lock', box, 'ann']).status, 0)
  assert.equal(hashOf(box, 'ann'), `!${hash}`)
})
