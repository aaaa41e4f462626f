import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { InputError } from '../../src/linux/error.ts'
import { parseLoaderCache } from '../../src/rootfs/closure/loader-cache.ts'
import { parseLoaderConf } from '../../src/rootfs/closure/loader-conf.ts'
import { builtInDirectories } from '../../src/rootfs/closure/loader.ts'
import { envProgram, parseShebang } from '../../src/rootfs/closure/script.ts'
import { makeCache } from './make-cache.ts'

const CACHE = '/etc/ld.so.cache'

const entry = fc.record({
  soname: fc.stringMatching(/^lib[a-z]{1,8}\.so(\.\d)?$/),
  path: fc.stringMatching(/^\/[a-z/]{1,12}$/),
  variant: fc.option(fc.constantFrom('x86-64-v2', 'x86-64-v3'), { nil: undefined }),
})

test('a cache is read as it was written, in either byte order, behind an older one too', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), fc.boolean(), fc.boolean(), (entries, bigEndian, behindOld) => {
      const expected = entries.map((each) => ({ ...each }))
      assert.deepEqual(parseLoaderCache(makeCache(entries, { bigEndian, behindOld })), expected)
    }),
  )
})

test('a changed or cut cache is read or refused', () => {
  const changes = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 4 }), changes, fc.nat(500), (entries, changed, length) => {
      const bytes = Buffer.from(makeCache(entries, { bigEndian: false, behindOld: false })).subarray(0, length)
      for (const [at, value] of changed) if (at < bytes.length) bytes[at] = value
      try {
        parseLoaderCache(bytes)
      } catch (error) {
        assert.ok(error instanceof InputError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

test("this host's cache is read as ldconfig reads it", (t) => {
  const ldconfig = ['/sbin/ldconfig', '/usr/sbin/ldconfig'].find((path) => existsSync(path))
  if (ldconfig === undefined || !existsSync(CACHE)) return t.skip('needs ldconfig and its cache')
  const said = execFileSync(ldconfig, ['-p'], { encoding: 'utf8' })
  const expected = Array.from(said.matchAll(/^\t(\S+) \(.*\) => (.*)$/gm), ([, soname, path]) => `${soname} ${path}`)
  assert.deepEqual(
    parseLoaderCache(readFileSync(CACHE)).map(({ soname, path }) => `${soname} ${path}`),
    expected,
  )
})

test("the directories that this host's loader has been built with are those that it says", (t) => {
  const loader = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'].find((path) => existsSync(path))
  const said = loader === undefined ? undefined : spawnSync(loader, ['--list-diagnostics'], { encoding: 'utf8' })
  if (loader === undefined || said?.status !== 0) return t.skip('needs a glibc of 2.33 or later')
  const expected = Array.from(said.stdout.matchAll(/^path\.system_dirs\[\w+\]="(.*)"$/gm), ([, path]) => path)
  assert.ok(expected.length > 0)
  assert.deepEqual(builtInDirectories(readFileSync(loader)), expected)
})

test('lines of /etc/ld.so.conf', () => {
  const text =
    '# all\ninclude /etc/ld.so.conf.d/*.conf more\n/opt/lib # ours\n/a:/b,/c\n/old=libc5\nhwcap 1 nosegneg\nrelative\n'
  assert.deepEqual(parseLoaderConf(text), [
    { kind: 'include', pattern: '/etc/ld.so.conf.d/*.conf' },
    { kind: 'include', pattern: 'more' },
    ...['/opt/lib', '/a', '/b', '/c', '/old'].map((path) => ({ kind: 'directory', path })),
  ])
})

test('the first line of a script', () => {
  const of = (text: string) => parseShebang(Buffer.from(text))
  assert.deepEqual(of('#!/bin/sh\necho'), { interpreter: '/bin/sh', argument: undefined })
  assert.deepEqual(of('#! \t/bin/awk  -f  -v \nx'), { interpreter: '/bin/awk', argument: '-f  -v' })
  assert.deepEqual(of('#!/bin/sh'), { interpreter: '/bin/sh', argument: undefined })
  assert.deepEqual([of('#!\n'), of('#!   '), of('echo')], [undefined, undefined, undefined])
  const program = (line: string) => envProgram(of(line) ?? { interpreter: '', argument: undefined })
  assert.equal(program('#!/usr/bin/env python3'), 'python3')
  assert.equal(program('#!/usr/bin/env -S LANG=C node --no-warnings'), 'node')
  assert.equal(program('#!/usr/bin/env -vS perl -w'), 'perl')
  assert.equal(program('#!/usr/bin/env python3 -u'), 'python3 -u', 'one word, as the kernel gives it')
  assert.equal(program('#!/bin/sh env'), undefined)
})
