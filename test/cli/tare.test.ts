// The command as it is started from a shell: the file bin/tare or the standalone program, its streams and exit status.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { ROOT, STANDALONE, TARE } from './tare.ts'

const tare = STANDALONE ?? TARE
const scratch = mkdtempSync(join(tmpdir(), 'tare-cli-'))
after(() => rmSync(scratch, { recursive: true }))

const environment = { PATH: process.env['PATH'], HOME: scratch }

const call = (
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
) => {
  const { cwd = ROOT, env = {} } = options
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    env: { ...environment, ...env },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

const packageText: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined

const version = { status: 0, stdout: `tare ${String(field(packageText, 'version'))}\n`, stderr: '' }

test('it starts by absolute path, by relative path and through links', () => {
  const link = join(scratch, 'link')
  const second = join(scratch, 'second')
  symlinkSync(tare, link)
  symlinkSync('link', second)
  for (const path of [tare, `./${relative(ROOT, tare)}`, link, second])
    assert.deepEqual(call(path, ['--version']), version)
  assert.deepEqual(call(relative(scratch, tare), ['version'], { cwd: scratch }), version)
})

/** For what only the file that Node runs has. */
const underNode = { skip: STANDALONE === undefined ? false : 'is about bin/tare' }

test('without a build it says what to do', underNode, () => {
  mkdirSync(join(scratch, 'fresh/bin'), { recursive: true })
  for (const name of ['tare', 'load.js', 'package.json'])
    copyFileSync(join(ROOT, 'bin', name), join(scratch, 'fresh/bin', name))
  chmodSync(join(scratch, 'fresh/bin/tare'), 0o755)
  const stderr = `tare: cannot start: ${join(scratch, 'fresh')} is not built\nRun "npm run setup" there.\n`
  assert.deepEqual(call(join(scratch, 'fresh/bin/tare'), ['info']), { status: 125, stdout: '', stderr })
})

test('on a Node that is too old it says so, and which one is enough is what package.json says', underNode, () => {
  const pretend = join(scratch, 'old.cjs')
  const oldest = /^>=(\d+)\.(\d+)$/.exec(String(field(field(packageText, 'engines'), 'node')))
  const [, major = '', minor = ''] = oldest ?? []
  const as = (node: string) => {
    writeFileSync(pretend, `Object.defineProperty(process.versions, 'node', { value: '${node}' })`)
    return call(process.execPath, ['--require', pretend, TARE, '--version'])
  }
  for (const old of ['12.22.0', '18.20.4', `${major}.${Number(minor) - 1}.0`]) {
    const stderr = `tare: cannot run on Node ${old}: it is too old\nInstall Node ${major}.${minor} or newer.\n`
    assert.deepEqual(as(old), { status: 125, stdout: '', stderr })
  }
  for (const enough of [`${major}.${minor}.0`, `${Number(major) + 2}.0.0`]) assert.deepEqual(as(enough), version)
})

test('data goes to standard output, failures to standard error', () => {
  const { status, stdout, stderr } = call(tare, ['info', '--jsno'])
  assert.deepEqual([status, stdout], [125, ''])
  assert.match(stderr, /^tare: cannot use --jsno of tare info: .*\nDid you mean --json\?.*\n$/)
})

test('info prints a list that a program can read', () => {
  const { status, stdout, stderr } = call(tare, ['info', '--json'])
  assert.deepEqual([status, stderr], [0, ''])
  const items: unknown = JSON.parse(stdout)
  assert.ok(Array.isArray(items))
  for (const item of items) {
    for (const key of ['id', 'name', 'group', 'state', 'detail']) assert.equal(typeof field(item, key), 'string', key)
  }
  assert.ok(items.some((item) => field(item, 'id') === 'user-namespaces'))
})

test('colour comes when it is forced, and not without a terminal', () => {
  const isColoured = (env: Record<string, string>): boolean => call(tare, ['info'], { env }).stdout.includes('\u001b[')
  assert.equal(isColoured({}), false)
  assert.equal(isColoured({ FORCE_COLOR: '1' }), true)
  assert.equal(isColoured({ FORCE_COLOR: '0' }), false)
})

test('it goes quietly when nobody reads on', () => {
  const script = `"$TARE" help 2>"$ERRORS" | true; exit \${PIPESTATUS[0]}`
  // The reader is gone before the writer starts: its end of the pipe closes at once.
  const late = script.replace('"$TARE"', '{ sleep 0.3; exec "$TARE"').replace(' |', '; } |')
  const errors = join(scratch, 'errors')
  const { status } = call('bash', ['-c', late], { env: { TARE: tare, ERRORS: errors } })
  assert.equal(status, 141)
  assert.equal(readFileSync(errors, 'utf8'), '')
})

test('lost data is a failure', () => {
  const full = openSync('/dev/full', 'w')
  const { status, stderr } = spawnSync(tare, ['help'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
    env: environment,
  })
  assert.equal(stderr, 'tare: cannot write to standard output: ENOSPC\n')
  assert.equal(status, 125)
})
