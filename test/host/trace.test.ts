// What programs are seen to do with files.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Trace } from '../../src/index.ts'
import { closure, traceFiles } from '../../src/index.ts'
import { lacksProgram, lacksRoot } from './child.ts'
import { expectNothingLeft, reapOrphans } from './leaks.ts'
import { childrenOf, reapAllBut } from './peers.ts'

const { nothingLeft, scratch } = await expectNothingLeft()
const face = new URL('../../src/index.js', import.meta.url).href

/** A directory outside of /tmp, whose files are taken for no temporary ones. */
const lasting = (): { readonly path: string } & Disposable => {
  const path = mkdtempSync(join(homedir(), '.tare-trace-'))
  chmodSync(path, 0o755)
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

const sh = (script: string, ...words: readonly string[]): Promise<Trace> =>
  traceFiles(['sh', '-c', script, ...words], { output: 'ignore' })

/** How a file was used; undefined for one that was not. */
const kindOf = ({ files }: Trace, path: string): string | undefined => files.find((each) => each.path === path)?.kind

test('what a program and its children execute, open and look at is seen, by any kind of path', async (t) => {
  nothingLeft(t)
  using directory = lasting()
  const at = (name: string): string => join(directory.path, name)
  for (const name of ['absolute', 'relative', 'looked', 'child', 'unused']) writeFileSync(at(name), name)
  mkdirSync(at('sub'))
  const trace = await sh(
    'cat "$0/absolute"; cd "$0/sub"; cat ../relative; test -r ../looked; (sleep 0.01; exec cat ../child) & wait; cat none',
    directory.path,
  )
  assert.deepEqual(
    ['absolute', 'sub/../relative', 'sub/../looked', 'sub/../child', 'unused', 'sub/none'].map((name) =>
      kindOf(trace, `${directory.path}/${name}`),
    ),
    ['opened', 'opened', 'looked at', 'opened', undefined, undefined],
  )
  assert.equal(kindOf(trace, at('sub')), 'looked at')
  const cat = trace.files.find(({ path }) => path.endsWith('/bin/cat'))
  assert.deepEqual([cat?.kind, cat?.by], ['executed', realpathSync('/bin/sh')])
  assert.equal(trace.exitCode, 1, "cat's, for what isn't there")
  assert.equal(trace.unread, 0)
})

test('what it writes stays out, but the directory that it writes to is there', async (t) => {
  nothingLeft(t)
  using directory = lasting()
  const at = (name: string): string => join(directory.path, name)
  for (const name of ['log', 'changed', 'read']) writeFileSync(at(name), '')
  mkdirSync(at('new'))
  await sleep(20)
  const script =
    'cd "$0"; echo >> log; cat read; touch changed; echo >made; cat made; mkdir -p new/below; echo >new/below/file; cat new/below/file'
  const trace = await sh(script, directory.path)
  const used = trace.files
    .filter(({ path }) => path.startsWith(directory.path))
    .map(({ path, kind }) => [path.slice(directory.path.length), kind])
  assert.deepEqual(Object.fromEntries(used), { '': 'written to', '/read': 'opened', '/new': 'written to' })
  assert.deepEqual(
    trace.leftOut
      .map(({ path, reason }) => [path.slice(directory.path.length), reason])
      .filter(([name]) => name === '/log' || name === '/changed')
      .toSorted(),
    [
      ['/changed', 'written'],
      ['/log', 'written'],
    ],
  )
})

test('temporary files stay out, and that is said', async (t) => {
  nothingLeft(t)
  const file = join(scratch(), 'data')
  writeFileSync(file, 'x')
  await sleep(20)
  const trace = await sh('cat "$0"', file)
  assert.equal(kindOf(trace, file), undefined)
  assert.deepEqual(trace.leftOut, [{ path: file, reason: 'temporary' }])
})

test('what is dynamically loaded is in the closure with a trace, and not without', async (t) => {
  const lack = lacksProgram('/usr/bin/python3')
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const python = '/usr/bin/python3'
  const trace = await traceFiles([python, '-c', 'import ssl, sqlite3'], { output: 'ignore' })
  assert.equal(trace.exitCode, 0)
  const has = (traced: Trace['files'], pattern: RegExp): boolean =>
    closure([python], { traced }).entries.some(({ path }) => pattern.test(path))
  for (const pattern of [/_ssl\..*\.so$/, /libssl\.so/, /libsqlite3\.so\.0$/, /ssl\.py$/])
    assert.deepEqual([has([], pattern), has(trace.files, pattern)], [false, true], String(pattern))
})

test('a program that is left in the background is ended, and so is one whose time is up', async (t) => {
  nothingLeft(t)
  const begin = performance.now()
  const background = await sh('setsid sleep 600 & cat /etc/hostname')
  assert.equal(background.exitCode, 0)
  const late = await traceFiles(['sh', '-c', 'trap "" TERM; sleep 600'], { output: 'ignore', time: '300ms' })
  assert.equal(late.exitCode, 137)
  assert.equal((await traceFiles(['sleep', '600'], { time: 300 })).exitCode, 143)
  assert.ok(performance.now() - begin < 60_000)
  // What has lost its parent has come to this process.
  reapOrphans()
})

test('given up, it ends all and rejects', async (t) => {
  nothingLeft(t)
  await assert.rejects(traceFiles(['sh', '-c', 'sleep 600 & sleep 600'], { signal: AbortSignal.timeout(50) }), {
    name: 'TimeoutError',
  })
  reapOrphans()
  await assert.rejects(traceFiles(['true'], { signal: AbortSignal.abort() }), { name: 'AbortError' })
})

test('what can not be started is an error', async (t) => {
  nothingLeft(t)
  await assert.rejects(traceFiles(['no-such-program']), {
    syscall: 'execve',
    code: 'ENOENT',
    message: /^cannot find no-such-program in /,
  })
  await assert.rejects(traceFiles(['/etc/passwd']), { syscall: 'execve', code: 'EACCES' })
  await assert.rejects(traceFiles([]), /no program is given/)
  await assert.rejects(traceFiles(['a\0b']), /NUL/)
  await assert.rejects(traceFiles(['true'], { time: 'soon' }), { code: 'ERR_TARE_INPUT' })
})

test('many processes and threads at once', async (t) => {
  nothingLeft(t)
  const script = 'i=0; while [ $i -lt 40 ]; do cat /etc/hostname & i=$((i+1)); done; wait'
  const trace = await sh(script)
  assert.deepEqual([trace.exitCode, kindOf(trace, '/etc/hostname')], [0, 'opened'])
  const code = "Promise.all(Array.from({ length: 20 }, () => fs.promises.readFile('/etc/hostname')))"
  const threads = await traceFiles([process.execPath, '-e', code], { output: 'ignore' })
  assert.deepEqual([threads.exitCode, kindOf(threads, '/etc/hostname')], [0, 'opened'])
})

test('signals that restart calls disturb none', async (t) => {
  const lack = lacksProgram('/usr/bin/python3')
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const code = [
    'import os, signal',
    'signal.signal(signal.SIGALRM, lambda *_: None)',
    'signal.siginterrupt(signal.SIGALRM, False)',
    'signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)',
    'for _ in range(500): os.stat("/etc/hostname")',
    'signal.setitimer(signal.ITIMER_REAL, 0)',
  ].join('\n')
  const { exitCode, unread } = await traceFiles(['/usr/bin/python3', '-c', code], { output: 'ignore' })
  assert.deepEqual([exitCode, unread], [0, 0])
})

test('what names no file is ended with the rest, whoever started it', async (t) => {
  const lack = lacksProgram('/usr/bin/perl')
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const [begin, before] = [performance.now(), childrenOf(process.pid)]
  // The one in between ends at once, so that the last is nobody's child.
  const code = 'if (fork() == 0) { if (fork() == 0) { sleep 60 } exit } wait; exit 3'
  const { exitCode } = await traceFiles(['/usr/bin/perl', '-e', code], { output: 'ignore' })
  assert.equal(exitCode, 3)
  assert.ok(performance.now() - begin < 30_000, 'it did not wait for it')
  // Orphans come to this process.
  await reapAllBut(before)
})

test('an ordinary user traces, too', (t) => {
  const lack = lacksRoot() ?? lacksProgram('setpriv')
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const script = `
    import { traceFiles } from ${JSON.stringify(face)}
    const { files, exitCode, unread } = await traceFiles(['sh', '-c', 'cat /etc/hostname'], { output: 'ignore' })
    process.stdout.write(JSON.stringify({ opened: files.some(({ path, kind }) => path === '/etc/hostname' && kind === 'opened'), exitCode, unread }))
  `
  const args = [
    '--reuid',
    '65534',
    '--regid',
    '65534',
    '--clear-groups',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ]
  const { stdout, stderr } = spawnSync('setpriv', args, { encoding: 'utf8', cwd: '/' })
  assert.equal(stdout, '{"opened":true,"exitCode":0,"unread":0}', stderr)
})
