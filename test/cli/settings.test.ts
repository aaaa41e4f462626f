import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import test, { after } from 'node:test'
import { machinesDirectory } from '../../src/index.ts'
import { NO_BUSYBOX, makeBusybox } from './machine.ts'
import type { Called, CallOptions } from './tare.ts'
import { isRoot, NO_CONTAINERS, tare } from './tare.ts'

const NEEDS = NO_CONTAINERS || (isRoot ? false : 'needs root') || NO_BUSYBOX

/** Boots with a shell as init, and says what that printed. */
const boot = (args: readonly string[], options?: CallOptions): Called => tare(['boot', ...args], options)

const words = ['-c', 'echo "$A-$B" $(cat /data/note) $(hostname); exit 3'] as const

test('options are kept by --save, used from then on, and overridden for once', { skip: NEEDS }, () => {
  const tiny = makeBusybox()
  const file = `${tiny}.tare.json`
  const data = mkdtempSync(join(tmpdir(), 'tare-data-'))
  after(() => rmSync(data, { recursive: true }))
  writeFileSync(join(data, 'note'), 'kept')

  const given = [
    '--init=/bin/sh',
    '-e',
    'A=1',
    '-e',
    'B=2',
    '-v',
    `${basename(data)}/:/data`.replace(/^/, './'),
    '-h',
    'web',
  ]
  const first = boot(['--save', ...given, tiny, ...words], { cwd: dirname(data) })
  assert.match(first.stdout, /^1-2 kept web\r\n$/, first.stderr)
  assert.equal(first.status, 3)
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), {
    arguments: words,
    mounts: [{ source: data, target: '/data' }],
    env: { A: '1', B: '2' },
    init: '/bin/sh',
    hostname: 'web',
  })
  assert.equal(statSync(file).mode & 0o777, 0o600)

  assert.match(boot([tiny]).stdout, /^1-2 kept web\r\n$/)
  assert.match(boot(['-e', 'B=3', '-h', 'other', tiny]).stdout, /^1-3 kept other\r\n$/)
  assert.match(boot([tiny]).stdout, /^1-2 kept web\r\n$/, 'what was given for once is not kept')
  const without = boot(['--no-settings', '--init=/bin/sh', tiny, '-c', 'echo "$A-$B" $(hostname)'])
  assert.match(without.stdout, /^- tiny\r\n$/)
  assert.deepEqual(readdirSync(dirname(tiny)).toSorted(), ['tiny', 'tiny.tare.json'], 'nothing else is left beside it')
})

test('what cannot be booted is not kept', { skip: NEEDS }, () => {
  const tiny = makeBusybox()
  const cases: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [['--save', '-m', 'lots', tiny], /^tare: cannot use the settings .*: line 2: memory: "lots" is no size\n/],
    [['--save', '-v', '/none:/x', tiny], /^tare: cannot use \/none as the source of a mount: it does not exist\n/],
    [['--save', '--init=/none', tiny], /^tare: cannot boot .*: there is no program \/none in it\n/],
    [['--save', '--no-settings', tiny], /^tare: cannot use --save with --no-settings/],
  ]
  for (const [args, said] of cases) {
    const { status, stderr } = boot(args)
    assert.match(stderr, said)
    assert.equal(status, 125)
    assert.equal(existsSync(`${tiny}.tare.json`), false)
  }
  writeFileSync(`${tiny}.tare.json`, '{\n  "cpu": 1\n}\n')
  const { status, stderr } = boot([tiny])
  assert.match(
    stderr,
    /^tare: cannot use the settings .*tiny\.tare\.json: line 2: cpu: there is nothing of that name\nDid you mean cpus\?\n$/,
  )
  assert.equal(status, 125)
})

test('a machine is found by its name, and a name is never guessed', { skip: NEEDS }, (t) => {
  const name = `tare-test-${process.pid}`
  const place = join(machinesDirectory(), name)
  const before = existsSync(machinesDirectory())
  mkdirSync(machinesDirectory(), { recursive: true, mode: 0o700 })
  t.after(() => {
    rmSync(place, { recursive: true, force: true })
    // Not what others have made in it meanwhile.
    if (!before && readdirSync(machinesDirectory()).length === 0) rmdirSync(machinesDirectory())
  })
  renameSync(makeBusybox(), place)
  const elsewhere = mkdtempSync(join(tmpdir(), 'tare-elsewhere-'))
  t.after(() => rmSync(elsewhere, { recursive: true }))
  const ask = (): Called => boot(['--init=/bin/sh', name, '-c', 'hostname'], { cwd: elsewhere })
  assert.match(ask().stdout, new RegExp(`^${name}\\r\\n$`))
  assert.match(tare(['shell', name, 'hostname'], { cwd: elsewhere }).stdout, new RegExp(`^${name}\n$`))
  mkdirSync(join(elsewhere, name))
  const both = ask()
  assert.match(both.stderr, /^tare: cannot use .*: there is a machine and a directory of that name\nWrite \.\//)
  assert.equal(both.status, 125)
  assert.match(boot([`./${name}`], { cwd: elsewhere }).stderr, /it has neither \/bin nor \/usr\/bin/)
  assert.match(
    tare(['bootstrap', 'debian:12', 'dir', '--name', 'x']).stderr,
    /^tare: cannot use --name together with DIR/,
  )
})
