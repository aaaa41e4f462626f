import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '../../linux/error.ts'
import { resolveArchitecture } from './architecture.ts'
import { parseInclude } from './include.ts'
import { resolveKeyring, resolveSources, sourceLine } from './source.ts'

test('sources with all updates, or a mirror alone', () => {
  assert.deepEqual(resolveSources({ distribution: 'debian', suite: 'bookworm' }, undefined, 'amd64').map(sourceLine), [
    'deb http://deb.debian.org/debian bookworm main',
    'deb http://deb.debian.org/debian bookworm-updates main',
    'deb http://security.debian.org/debian-security bookworm-security main',
  ])
  assert.equal(resolveSources({ distribution: 'debian', suite: 'sid' }, undefined, 'amd64').length, 1)
  assert.deepEqual(resolveSources({ distribution: 'ubuntu', suite: 'jammy' }, undefined, 'arm64').map(sourceLine), [
    'deb http://ports.ubuntu.com/ubuntu-ports jammy main universe',
    'deb http://ports.ubuntu.com/ubuntu-ports jammy-updates main universe',
    'deb http://ports.ubuntu.com/ubuntu-ports jammy-security main universe',
  ])
  assert.deepEqual(
    resolveSources({ distribution: 'debian', suite: 'sid' }, 'https://example.org/debian/', 'amd64').map(sourceLine),
    ['deb https://example.org/debian sid main'],
  )
  assert.equal(
    resolveSources({ distribution: 'debian', suite: 'sid' }, 'file:/srv/debian', 'amd64')[0]?.mirror,
    'file:///srv/debian',
  )
})

test('a mirror that is none', () => {
  for (const mirror of [
    '',
    'example.org',
    'ftp://example.org',
    'http://',
    'http://a b',
    'file:debian',
    'file:///a\0',
    '[trusted=yes] http://a',
  ])
    assert.throws(
      () => resolveSources({ distribution: 'debian', suite: 'sid' }, mirror, 'amd64'),
      (error) => error instanceof InputError && /it is no address of one/.test(error.message),
      mirror,
    )
})

test('a keyring that is not there, or is no file', () => {
  assert.throws(() => resolveKeyring('debian', '/nonexistent'), /cannot use the keyring \/nonexistent: ENOENT/)
  assert.throws(() => resolveKeyring('debian', '/'), /cannot use the keyring \/: EISDIR/)
})

test('architectures have several names; one of another machine is refused', () => {
  assert.equal(resolveArchitecture(undefined, 'debian', 'x64'), 'amd64')
  assert.equal(resolveArchitecture('x86_64', 'debian', 'x64'), 'amd64')
  assert.equal(resolveArchitecture('amd64', 'fedora', 'x64'), 'x86_64')
  assert.equal(resolveArchitecture('aarch64', 'debian', 'arm64'), 'arm64')
  assert.throws(() => resolveArchitecture('arm64', 'debian', 'x64'), /this machine is amd64/)
  assert.throws(() => resolveArchitecture('', 'debian', 'x64'), InputError)
  assert.throws(() => resolveArchitecture(undefined, 'debian', 'mips'), /bootstrap on mips/)
})

test('packages', () => {
  assert.deepEqual(parseInclude(['nginx,curl', 'nginx', 'a b', 'g++=4:12.2.0-3~x', 'vim/bookworm-updates']), [
    'a',
    'b',
    'curl',
    'g++=4:12.2.0-3~x',
    'nginx',
    'vim/bookworm-updates',
  ])
  for (const name of ['--x', '?essential', '~n', "a'b", '$(id)', '/etc/passwd', 'a=', '\x1b'])
    assert.throws(() => parseInclude([name]), InputError, name)
})
