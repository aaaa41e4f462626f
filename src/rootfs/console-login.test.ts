import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import type { ConsoleLogin } from './console-login.ts'
import { consoleLogin } from './console-login.ts'
import type { InitKind } from './init.ts'
import { findInit } from './init.ts'
import { withTree } from './system-tree.ts'

const base = mkdtempSync(join(tmpdir(), 'tare-console-login-'))
after(() => rmSync(base, { recursive: true, force: true }))

let made = 0
const tree = (files: Readonly<Record<string, string>>, links: Readonly<Record<string, string>> = {}): string => {
  const root = join(base, String(made++))
  const place = (path: string): string => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    return join(root, path)
  }
  for (const [path, content] of Object.entries(files)) {
    writeFileSync(place(path), content)
    if (path.includes('bin/')) chmodSync(join(root, path), 0o755)
  }
  for (const [path, target] of Object.entries(links)) symlinkSync(target, place(path))
  return root
}

const kindAndLogin = (root: string, init?: string): readonly [InitKind, ConsoleLogin] =>
  withTree(root, (found) => {
    const { kind } = findInit(found, init)
    return [kind, consoleLogin(found, kind)]
  })

const busybox = (inittab: string): string =>
  tree({ 'bin/busybox': '', 'etc/inittab': inittab }, { 'sbin/init': '/bin/busybox' })

test('systemd has one on the console', () => {
  const root = tree({ 'usr/lib/systemd/bin/systemd': '' }, { 'sbin/init': '/usr/lib/systemd/bin/systemd' })
  assert.deepEqual(kindAndLogin(root), ['systemd', 'console'])
})

test('busybox: by its inittab, and on the console without one', () => {
  assert.deepEqual(kindAndLogin(tree({ 'bin/busybox': '' }, { 'sbin/init': '/bin/busybox' })), ['busybox', 'console'])
  const cases: readonly (readonly [inittab: string, login: ConsoleLogin])[] = [
    ['::respawn:/sbin/getty -L 0 console vt220\n', 'console'],
    ['::askfirst:-/bin/sh\n', 'console'],
    ['console::respawn:-/bin/sh\n', 'console'],
    ['::sysinit:/bin/true\ntty1::respawn:/sbin/getty 38400 tty1\n', 'tty1'],
    ['tty1::askfirst:-/bin/sh\ntty2::askfirst:-/bin/sh\n', 'tty1'],
    ['tty1::respawn:/sbin/getty 38400 tty1\nconsole::respawn:/sbin/getty 38400 console\n', 'console'],
    ['# tty1::respawn:/sbin/getty 38400 tty1\ntty2::respawn:/sbin/getty 38400 tty2\n', 'none'],
    ['::sysinit:/bin/sh\n::shutdown:/bin/sh\n', 'none'],
    ['::respawn:/sbin/getty 38400 tty11\n', 'none'],
    ['', 'none'],
  ]
  for (const [inittab, login] of cases) assert.deepEqual(kindAndLogin(busybox(inittab)), ['busybox', login], inittab)
})

test('sysvinit is what is called init and has an inittab', () => {
  const inittab =
    'id:2:initdefault:\n~~:S:wait:/sbin/sulogin --force\n1:2345:respawn:/sbin/getty --noclear 38400 tty1\n'
  assert.deepEqual(kindAndLogin(tree({ 'sbin/init': '', 'etc/inittab': inittab })), ['sysvinit', 'tty1'])
  assert.deepEqual(kindAndLogin(tree({ 'sbin/init': '', 'etc/inittab': 'co:2345:respawn:/sbin/agetty console\n' })), [
    'sysvinit',
    'console',
  ])
  assert.deepEqual(kindAndLogin(tree({ 'sbin/init': '', 'etc/inittab': 'id:2:initdefault:\n' })), ['sysvinit', 'none'])
})

test('runit: by its services', () => {
  const init = { 'sbin/init': '/lib/runit/bin/runit-init' }
  const files = { 'lib/runit/bin/runit-init': '', 'etc/sv/getty-tty1/run': '' }
  assert.deepEqual(kindAndLogin(tree(files, init)), ['runit', 'none'])
  const link = { 'etc/runit/runsvdir/default/getty-tty1': '/etc/sv/getty-tty1' }
  assert.deepEqual(kindAndLogin(tree(files, { ...init, ...link })), ['runit', 'tty1'])
  assert.deepEqual(kindAndLogin(tree({ ...files, 'etc/service/agetty-console/run': '' }, init)), ['runit', 'console'])
})

test('openrc-init: by its runlevels; any other init: unknown', () => {
  const files = { 'bin/openrc-init': '', 'etc/init.d/agetty': '', 'bin/dinit': '' }
  assert.deepEqual(kindAndLogin(tree(files), '/bin/openrc-init'), ['openrc', 'none'])
  const root = tree(files, {
    'etc/init.d/agetty.tty1': 'agetty',
    'etc/runlevels/default/agetty.tty1': '/etc/init.d/agetty.tty1',
  })
  assert.deepEqual(kindAndLogin(root, '/bin/openrc-init'), ['openrc', 'tty1'])
  assert.deepEqual(kindAndLogin(root, '/bin/dinit'), ['other', 'unknown'])
})
