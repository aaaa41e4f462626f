import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { run } from '../../src/engine/run.ts'
import { lacksRoot } from './child.ts'
import { isRoot, lines, refusal, said, sh } from './contained.ts'
import { expectNothingLeft } from './leaks.ts'

const { nothingLeft, scratch } = await expectNothingLeft()

test('what a container writes to a bind mount is on the host, and belongs to the caller', async (t) => {
  const source = scratch()
  nothingLeft(t)
  writeFileSync(join(source, 'given'), 'from the host')
  const script = 'cat /data/given; echo inside >/data/made; stat -c %u:%g /data/given /data/made'
  assert.deepEqual(await lines(script, { mounts: [{ source, target: '/data' }] }), ['from the host0:0', '0:0'])
  assert.equal(readFileSync(join(source, 'made'), 'ascii'), 'inside\n')
  const { uid, gid } = statSync(join(source, 'made'))
  assert.deepEqual([uid, gid], [process.geteuid?.(), process.getegid?.()])
})

test("without mapped owners files of a bind mount are nobody's, and root inside has no power over them", async (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const source = scratch()
  nothingLeft(t)
  const script = 'stat -c %u:%g /data; echo x 2>/dev/null >/data/made || echo denied'
  assert.deepEqual(await lines(script, { mounts: [{ source, target: '/data', idmap: false }] }), [
    '65534:65534',
    'denied',
  ])
  assert.deepEqual(readdirSync(source), [])
})

test('a read-only bind mount can be neither written to nor made writable', async (t) => {
  const source = scratch()
  nothingLeft(t)
  writeFileSync(join(source, 'file'), 'old')
  const script = `
    (echo x >/data/new) 2>&1 | grep -o 'Read-only file system'
    (echo x >/data/file) 2>&1 | grep -o 'Read-only file system'
    rm /data/file 2>&1 | grep -o 'Read-only file system'
    mount -o remount,rw,bind /data >/dev/null 2>&1 && echo remounted
    umount /data >/dev/null 2>&1 && echo unmounted
    (echo x >/data/new) 2>&1 | grep -o 'Read-only file system'
  `
  for (const seccomp of ['default', 'unconfined'] as const)
    assert.deepEqual(
      await lines(script, { mounts: [{ source, target: '/data', readOnly: true }], seccomp }),
      Array(4).fill('Read-only file system'),
    )
  assert.equal(readFileSync(join(source, 'file'), 'ascii'), 'old')
})

test('read-only goes for what is mounted below the source too, and recursive: false leaves that out', async (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(`${lack}, to mount on the host`)
  const source = scratch()
  mkdirSync(join(source, 'sub'))
  execFileSync('mount', ['-t', 'tmpfs', 'tare-test', join(source, 'sub')])
  t.after(() => execFileSync('umount', [join(source, 'sub')]))
  writeFileSync(join(source, 'sub', 'deep'), '')
  const script = 'ls /data/sub; (echo x >/data/sub/new) 2>&1 | grep -o "Read-only file system"; true'
  const mount = { source, target: '/data', readOnly: true }
  assert.deepEqual(await lines(script, { mounts: [mount] }), ['deep', 'Read-only file system'])
  assert.deepEqual(readdirSync(join(source, 'sub')), ['deep'])
  assert.deepEqual(await lines(script, { mounts: [{ ...mount, recursive: false }] }), ['Read-only file system'])
})

test('a bind mount brings no set-user-id programs and no devices, and no programs if it is not to', async (t) => {
  const source = scratch()
  nothingLeft(t)
  writeFileSync(join(source, 'program'), '#!/bin/sh\necho ran\n', { mode: 0o755 })
  const flags = (mount: object): Promise<string> =>
    sh('awk \'$5 == "/data" { print $6 }\' /proc/self/mountinfo', {
      mounts: [{ source, target: '/data', ...mount }],
    })
  const idmapped = isRoot ? ',idmapped' : ''
  assert.equal(await flags({}), `rw,nosuid,nodev,relatime${idmapped}`)
  assert.equal(await flags({ noExec: true, readOnly: true }), `ro,nosuid,nodev,noexec,relatime${idmapped}`)
  if (isRoot) assert.equal(await flags({ privileged: true }), 'rw,relatime,idmapped')
  const mounts = [{ source, target: '/data' }]
  assert.equal(await sh('/data/program', { mounts }), 'ran')
  const denied = await run(['sh', '-c', '/data/program'], { mounts: [{ source, target: '/data', noExec: true }] })
  assert.equal(denied.exitCode, 126)
})

test('a file is mounted on a file, and targets are made where they are missing', async (t) => {
  const directory = scratch()
  nothingLeft(t)
  const source = join(directory, 'file')
  writeFileSync(source, 'one')
  const mounts = [
    { source, target: '/etc/hosts' },
    { source, target: '/opt/deep/down/file' },
    { source: directory, target: '/opt/tree' },
  ]
  assert.equal(await sh('cat /etc/hosts /opt/deep/down/file /opt/tree/file', { mounts }), 'oneoneone')
})

test('a relative source is taken from the working directory', async (t) => {
  nothingLeft(t)
  const names = await lines('ls /here', { mounts: [{ source: '.', target: '/here', readOnly: true }] })
  assert.deepEqual(
    names,
    (await sh('ls /here', { mounts: [{ source: process.cwd(), target: '/here', readOnly: true }] })).split('\n'),
  )
})

test('mounts reach a container only where propagation says so, and never the host', async (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(`${lack}, to mount on the host`)
  const source = scratch()
  const program = (propagation: 'private' | 'slave') =>
    run(['sh', '-c', 'awk \'$5 == "/data" { print $7 }\' /proc/self/mountinfo; echo; read x; ls /data/sub'], {
      mounts: [{ source, target: '/data', propagation }],
      stdin: 'pipe',
    })
  mkdirSync(join(source, 'sub'))
  execFileSync('mount', ['--bind', source, source])
  execFileSync('mount', ['--make-shared', source])
  t.after(() => execFileSync('umount', [source]))
  const seen = async (propagation: 'private' | 'slave'): Promise<readonly string[]> => {
    const running = program(propagation)
    await said(running, '\n')
    execFileSync('mount', ['-t', 'tmpfs', 'tare-test', join(source, 'sub')])
    try {
      writeFileSync(join(source, 'sub', 'new'), '')
      running.stdin?.end('\n')
      const { stdout } = await running
      return stdout.split('\n').filter((line) => line !== '')
    } finally {
      execFileSync('umount', [join(source, 'sub')])
    }
  }
  assert.deepEqual(await seen('private'), ['-'])
  const [tag, name] = await seen('slave')
  assert.match(tag ?? '', /^master:\d+$/)
  assert.equal(name, 'new')
})

test('a tmpfs has its size and mode, and runs programs only if it is to', async (t) => {
  nothingLeft(t)
  const script = `
    stat -c %a /fast
    dd if=/dev/zero of=/fast/big bs=64k count=100 2>&1 | grep -o 'No space left'
    stat -c %s /fast/big
    rm /fast/big; printf '#!/bin/sh\\necho ran' >/fast/program; chmod +x /fast/program; /fast/program 2>/dev/null || echo $?
  `
  const tmpfs = { type: 'tmpfs', target: '/fast', size: '1MiB', mode: 0o700 } as const
  assert.deepEqual(await lines(script, { mounts: [tmpfs] }), ['700', 'No space left', '1048576', '126'])
  assert.equal((await lines(script, { mounts: [{ ...tmpfs, exec: true }] })).at(-1), 'ran')
  const readOnly = await run(['touch', '/fast/x'], { mounts: [{ ...tmpfs, readOnly: true }] })
  assert.match(readOnly.stderr, /Read-only file system/)
  assert.equal(await sh('stat -c %a /fast', { mounts: [{ type: 'tmpfs', target: '/fast' }] }), '1777')
})

test('an overlay shows its layers, and keeps changes only if it is to', async (t) => {
  const [lower, upper, keep] = [scratch(), scratch(), scratch()]
  nothingLeft(t)
  writeFileSync(join(lower, 'both'), 'lower')
  writeFileSync(join(lower, 'one'), 'one')
  writeFileSync(join(upper, 'both'), 'upper')
  const overlay = { type: 'overlay', lower: [upper, lower], target: '/tree' } as const
  const script = 'cat /tree/both /tree/one; rm /tree/one; echo new >/tree/new; ls /tree'
  assert.deepEqual(await lines(script, { mounts: [overlay] }), ['upperoneboth', 'new'])
  assert.deepEqual(readdirSync(lower), ['both', 'one'])
  assert.deepEqual(readdirSync(upper), ['both'])
  assert.deepEqual(await lines('ls /tree', { mounts: [overlay] }), ['both', 'one'])
  await sh(script, { mounts: [{ ...overlay, keep }] })
  assert.deepEqual(await lines('ls /tree; cat /tree/new', { mounts: [{ ...overlay, keep }] }), ['both', 'new', 'new'])
  const readOnly = await run(['touch', '/tree/x'], { mounts: [{ ...overlay, readOnly: true }] })
  assert.match(readOnly.stderr, /Read-only file system/)
  execFileSync('rm', ['-rf', join(keep, 'upper'), join(keep, 'work')])
})

test('a mount that makes no sense is refused before anything starts', async (t) => {
  const source = scratch()
  nothingLeft(t)
  writeFileSync(join(source, 'file'), '')
  const refused = (mount: object): Promise<string> => refusal({ mounts: [mount] })
  assert.match(
    await refused({ source: join(source, 'none'), target: '/x' }),
    /^cannot use .*none .*: it does not exist\n/,
  )
  assert.match(await refused({ source: join(source, 'file', 'x'), target: '/x' }), /it leads through a file/)
  assert.match(await refused({ source, target: 'x' }), /^cannot mount at "x": a target is an absolute path/)
  assert.match(await refused({ source, target: '/' }), /that is the root/)
  assert.match(await refused({ source, target: '/tmp/../proc/x' }), /^cannot mount at \/proc\/x: .*CVE-2019-16884/)
  assert.match(await refused({ source: 'a\0b', target: '/x' }), /a path has no NUL character/)
  assert.match(await refused({ source, target: '/x\0y' }), /^cannot mount at "\/x\\u0000y": /)
  assert.match(await refused({ type: 'nfs', source, target: '/x' }), /there is bind, tmpfs and overlay/)
  assert.match(await refused({ type: 'tmpfs', target: '/x', size: 'large' }), /large/)
  assert.match(await refused({ type: 'overlay', lower: [], target: '/x' }), /it has no lower directory/)
  assert.match(await refused({ type: 'overlay', lower: join(source, 'file'), target: '/x' }), /it is not a directory/)
  assert.match(await refused({ source, target: '/x', readonly: true }), /readonly/)
  assert.match(await refused({ source, target: '/x', propagation: 'sometimes' }), /sometimes/)
})
