import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { test } from 'node:test'

import { NAMESPACE_KINDS } from './namespace.ts'
import { PROC_BATCH, ProcDirectory } from './proc-directory.ts'

const endedChild = async (child: ChildProcess): Promise<void> => {
  const end = once(child, 'exit')
  child.kill('SIGKILL')
  await end
}

const LINKS = ['pid', 'user'] as const
const FILES: readonly string[] = ['comm', 'cmdline']

const descriptors = (): number => readdirSync('/proc/self/fd').length

test('lists and reads what /proc shows', () => {
  using proc = new ProcDirectory()
  const pids = proc.pids()
  assert.ok(pids.includes(process.pid))
  assert.deepEqual(
    pids,
    pids.toSorted((a, b) => a - b),
  )
  using self = proc.open(process.pid)
  assert.equal(self?.read('comm'), readFileSync('/proc/self/comm', 'utf8'))
  assert.equal(self?.read('cmdline'), readFileSync('/proc/self/cmdline', 'utf8'))
  assert.equal(self?.read('cmdline', 4), readFileSync('/proc/self/cmdline', 'utf8').slice(0, 4))
  assert.equal(self?.read('no-such-file'), undefined)
  assert.equal(self?.link('exe'), process.execPath)
  assert.equal(self?.link('no-such-link'), undefined)
  assert.equal(self?.ended, false)
  assert.equal(proc.open(0x3fffff), undefined)
  assert.equal(proc.self(), process.pid)
  assert.throws(() => new ProcDirectory('/tmp'), {
    message: 'cannot read /tmp: no proc file system is mounted there\nMount it: mount -t proc proc /proc',
  })
  assert.throws(() => new ProcDirectory('/no-such-directory'), { code: 'ENOENT' })
})

test('reads files of many pages whole, and long command lines', async () => {
  using proc = new ProcDirectory()
  using self = proc.open(process.pid)
  const maps = self?.read('smaps') ?? ''
  assert.ok(maps.length > 64 * 1024, `smaps has ${maps.length} characters`)
  assert.equal(maps.match(/^VmFlags:/gm)?.length, maps.match(/^Size:/gm)?.length)
  assert.match(maps, /VmFlags:[^\n]*\n$/)
  const child = spawn('/bin/sh', ['-c', 'read line', 'sh', 'x'.repeat(120_000)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  await once(child, 'spawn')
  using shell = proc.open(child.pid ?? 0)
  assert.equal(shell?.read('cmdline')?.split('\0')[4]?.length, 120_000)
  assert.equal(shell?.read('cmdline', 50_000)?.length, 50_000)
  await endedChild(child)
})

test('a namespace is known by its inode', () => {
  using proc = new ProcDirectory()
  using self = proc.open(process.pid)
  for (const kind of NAMESPACE_KINDS) {
    assert.equal(self?.namespace(kind), statSync(`/proc/self/ns/${kind}`).ino, kind)
  }
  assert.equal(self?.namespace('time_for_children'), statSync('/proc/self/ns/time_for_children').ino)
})

test('tells all that is left of a process, and closes it', () => {
  using proc = new ProcDirectory()
  const before = descriptors()
  for (let round = 0; round < 2; round++) {
    const [held, ...none] = proc.openAll([process.pid], LINKS)
    assert.deepEqual(none, [])
    assert.deepEqual(held?.namespaces(LINKS), [statSync('/proc/self/ns/pid').ino, statSync('/proc/self/ns/user').ino])
    assert.deepEqual(held && proc.finishAll([held], FILES), [
      {
        owner: process.geteuid?.(),
        texts: [readFileSync('/proc/self/comm', 'utf8'), readFileSync('/proc/self/cmdline', 'utf8').slice(0, 4096)],
      },
    ])
    assert.equal(descriptors(), before)
    assert.equal(held?.ended, false)
  }
  assert.deepEqual(proc.openAll([0x3fffff], LINKS), [])
})

test('opens and finishes many processes in one go, those that have ended among them', async () => {
  const before = descriptors()
  {
    using proc = new ProcDirectory()
    const children = Array.from({ length: PROC_BATCH - 1 }, () => spawn('/bin/sleep', ['60'], { stdio: 'ignore' }))
    await Promise.all(children.map((child) => once(child, 'spawn')))
    const pids = children.map(({ pid = 0 }) => pid)
    const held = proc.openAll([0x3fffff, ...pids], LINKS)
    assert.deepEqual(
      held.map(({ pid }) => pid),
      pids,
    )
    const isEnded = (index: number): boolean => index % 3 === 0
    await Promise.all(children.filter((_, index) => isEnded(index)).map(endedChild))
    const own = [statSync('/proc/self/ns/pid').ino, statSync('/proc/self/ns/user').ino]
    for (const each of held) assert.deepEqual(each.namespaces(LINKS), own)
    const living = { owner: process.geteuid?.(), texts: ['sleep\n', '/bin/sleep\x0060\0'] }
    assert.deepEqual(
      proc.finishAll(held, FILES),
      held.map((_, index) => (isEnded(index) ? { owner: 0, texts: [undefined, undefined] } : living)),
    )
    assert.deepEqual(
      held.map(({ ended }) => ended),
      held.map((_, index) => isEnded(index)),
    )
    await Promise.all(children.filter((_, index) => !isEnded(index)).map(endedChild))
  }
  assert.equal(descriptors(), before)
})

test('an error while many are opened leaves none of them open', () => {
  const source = [
    `import { ProcDirectory } from ${JSON.stringify(new URL('./proc-directory.js', import.meta.url).href)}`,
    "import { readdirSync } from 'node:fs'",
    'const proc = new ProcDirectory()',
    "console.log('open')",
    "const before = readdirSync('/proc/self/fd').length",
    'try { proc.openAll(Array(64).fill(process.pid), []) } catch (error) { console.log(error.message.split("\\n")[0]) }',
    "console.log(readdirSync('/proc/self/fd').length - before)",
  ]
  const limited = ['-c', 'ulimit -n 60 && exec "$@"', 'sh', process.execPath, '--input-type=module', '-e']
  const { stdout, stderr } = spawnSync('/bin/sh', [...limited, source.join('\n')], { encoding: 'utf8' })
  assert.match(stdout, /^open\ncannot open \/proc\/\d+: EMFILE \(too many open files in this process\)\n0\n$/, stderr)
})

test('knows when a process has ended, and reads nothing of another one', async () => {
  const before = descriptors()
  {
    using proc = new ProcDirectory()
    const child = spawn('/bin/sleep', ['60'], { stdio: 'ignore' })
    using held = proc.open(child.pid ?? 0)
    assert.match(held?.read('status') ?? '', /^Name:\tsleep$/m)
    await endedChild(child)
    assert.equal(held?.namespace('pid'), undefined)
    assert.equal(held?.ended, true)
    assert.equal(held?.read('status'), undefined)
    assert.deepEqual(held && proc.finishAll([held], FILES), [{ owner: 0, texts: [undefined, undefined] }])
  }
  assert.equal(descriptors(), before)
})

test(
  'an ordinary user may not know the namespaces of others, but that they are there',
  { skip: process.geteuid?.() !== 0 && 'needs root' },
  () => {
    const source = [
      `import { ProcDirectory } from ${JSON.stringify(new URL('./proc-directory.js', import.meta.url).href)}`,
      'const init = new ProcDirectory().open(1)',
      "console.log(JSON.stringify([init.namespace('mnt') ?? null, init.ended, init.read('status').slice(0, 4)]))",
    ]
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source.join('\n')], {
      encoding: 'utf8',
      uid: 65534,
      gid: 65534,
    })
    assert.equal(stdout, '[null,false,"Name"]\n', stderr)
  },
)
