// The standalone program: that one file is all it takes, and that nothing but its arguments tells it what to be.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { NO_CONTAINERS, ROOT, STANDALONE, isRoot } from './tare.ts'

const program = STANDALONE ?? join(ROOT, 'build/standalone/tare')
const needs = { skip: existsSync(program) ? false : 'needs the standalone program: npm run build:standalone' }
const needsContainers = { skip: needs.skip === false ? NO_CONTAINERS : needs.skip }
const needsRoot = { skip: needs.skip === false && !isRoot ? 'needs root' : needs.skip }

const scratch = mkdtempSync(join(tmpdir(), 'tare-standalone-'))
after(() => rmSync(scratch, { recursive: true }))

const call = (args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd: string = scratch) => {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    env: { PATH: '/usr/bin:/bin', HOME: scratch, ...env },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

/** Code that says so if it is run. */
const strange = (directory: string): string => {
  const file = join(directory, 'strange.js')
  writeFileSync(file, 'process.stderr.write("strange code\\n")\nprocess.exit(33)\n')
  return file
}

const version = call(['version'])

test('the environment does not make it anything else', needs, () => {
  const file = strange(scratch)
  for (const env of [
    { BUN_BE_BUN: '1' },
    { BUN_OPTIONS: `--preload ${file}` },
    { BUN_INSPECT_PRELOAD: file, BUN_INSPECT: 'ws://127.0.0.1:0/' },
    { BUN_JSC_dumpOptions: '1' },
    { NODE_OPTIONS: `--require ${file}` },
  ]) {
    assert.deepEqual(call(['version'], env), version, JSON.stringify(env))
    assert.equal(call(['--no-such-option'], env).status, 125, JSON.stringify(env))
  }
  assert.match(version.stdout, /^tare \d/)
})

test('nor does what lies in the current directory', needs, () => {
  const directory = mkdtempSync(join(scratch, 'directory-'))
  const file = strange(directory)
  writeFileSync(join(directory, 'bunfig.toml'), `preload = ["${file}"]\n[run]\npreload = ["${file}"]\n`)
  writeFileSync(join(directory, '.env'), `BUN_OPTIONS=--preload ${file}\nFORCE_COLOR=1\n`)
  writeFileSync(
    join(directory, 'package.json'),
    `{ "name": "tare", "version": "33", "imports": { "#a": "./strange.js" } }`,
  )
  writeFileSync(join(directory, 'tsconfig.json'), '{ "compilerOptions": { "paths": { "*": ["./strange.js"] } } }')
  assert.deepEqual(call(['version'], {}, directory), version)
  assert.ok(!call(['help'], {}, directory).stdout.includes('\u001b'))
})

test('variables that it does not look at still reach a program that they are meant for', needsContainers, () => {
  const env = { BUN_OPTIONS: '--smol', NODE_OPTIONS: '--no-warnings', bun_options: 'small' }
  const passed = ['-e', 'BUN_OPTIONS', '-e', 'NODE_OPTIONS', '-e', 'bun_options']
  const { stdout } = call(['run', ...passed, '--', 'env'], env)
  for (const [name, value] of Object.entries(env)) assert.ok(stdout.split('\n').includes(`${name}=${value}`), name)
})

test('it leaves no file, and needs no place for one', needsRoot, () => {
  const script = `
    mount -t tmpfs -o ro,noexec tmpfs /tmp && mount -t tmpfs -o ro,noexec tmpfs /var/tmp && cd / || exit 1
    TMPDIR=/tmp "$0" ps --json && TMPDIR=/tmp "$0" run -- echo contained`
  const outside = join('/run', `tare-standalone-${process.pid}`)
  copyFileSync(program, outside)
  chmodSync(outside, 0o755)
  try {
    const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, outside], { encoding: 'utf8' })
    assert.equal(stderr, '')
    assert.match(stdout, /^\[[^]*\]\ncontained\n$/)
  } finally {
    rmSync(outside)
  }
  const temporary = join(scratch, 'temporary')
  mkdirSync(temporary)
  assert.equal(call(['ps'], { TMPDIR: temporary, BUN_TMPDIR: temporary }).status, 0)
  assert.deepEqual(readdirSync(temporary), [])
})

// As under Node, what is closed is /dev/null then: nothing else may have taken its number.
test('it works where standard input, output and error are closed', needs, () => {
  const file = join(scratch, 'output')
  const script = `"$0" info --json >"$1" 0<&- 2>&-; echo $?; "$0" info 0<&- 1>&- 2>&-; echo $?`
  assert.equal(execFileSync('sh', ['-c', script, program, file], { encoding: 'utf8' }), '0\n0\n')
})

test('by the name of tare-oci it is the OCI runtime', needs, () => {
  const { status, stdout } = spawnSync(join(program, '../tare-oci'), ['--version'], { encoding: 'utf8' })
  assert.equal(status, 0)
  assert.match(stdout, /^tare-oci version \d[^]*^spec: \d/m)
})

test('it is called tare, and not what it was told by', needsContainers, () => {
  const { stdout } = call(['unshare', '--', 'sh', '-c', 'cat /proc/$PPID/comm; ls /proc/$PPID/fd | wc -l'])
  const [name, descriptors] = stdout.split('\n')
  assert.equal(name, 'tare')
  assert.ok(Number(descriptors) > 2)
})

test('with the power of its file it refuses to run', needsRoot, () => {
  const copy = join(scratch, 'privileged')
  copyFileSync(program, copy)
  chmodSync(scratch, 0o755)
  chmodSync(copy, 0o4755)
  const { status, stdout, stderr } = spawnSync(copy, ['version'], { uid: 65534, gid: 65534, encoding: 'utf8' })
  assert.deepEqual([status, stdout], [125, ''])
  assert.match(stderr, /^tare: cannot run set-user-id, .*\n.*\n$/)
})
