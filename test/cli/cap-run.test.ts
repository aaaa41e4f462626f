import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isRoot, NOBODY, tare } from './tare.ts'

const options = isRoot ? {} : { skip: 'needs root' }

const run = (...args: readonly string[]) => tare(['cap', 'run', ...args])

const sets = (...args: readonly string[]): Readonly<Record<string, string>> => {
  const { status, stdout, stderr } = run(...args, '--', 'grep', '^Cap', '/proc/self/status')
  assert.deepEqual([status, stderr], [0, ''], args.join(' '))
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(':\t')),
  )
}

/** Bits 10, 12 and 13. */
const BIND = '0000000000000400'
const NET = '0000000000003000'
const NONE = '0000000000000000'

test('a program has what was chosen', options, () => {
  const own = sets()
  const mask = (text: string | undefined): bigint => BigInt(`0x${text}`)
  const dropped = sets('--drop', 'net_raw', '--drop=cap_net_admin')
  for (const line of ['CapPrm', 'CapEff', 'CapBnd']) {
    assert.equal(mask(dropped[line]), mask(own[line]) & ~mask(NET), line)
  }
  const kept = { CapInh: BIND, CapPrm: BIND, CapEff: BIND, CapBnd: BIND, CapAmb: BIND }
  assert.deepEqual(sets('--keep', 'net_bind_service', '--user', 'nobody'), kept)
  assert.deepEqual(sets('--keep', 'net_bind_service'), { ...kept, CapInh: NONE, CapAmb: NONE })
  assert.deepEqual(sets('--securebits', 'noroot', '--keep=10'), kept)
  assert.deepEqual(sets('--securebits=+noroot'), { ...own, CapPrm: NONE, CapEff: NONE })
  const bounded = sets('--bounding=-all,+net_bind_service', '--inheritable', 'net_raw,net_admin')
  assert.deepEqual([bounded['CapBnd'], bounded['CapInh'], bounded['CapAmb']], [BIND, NET, NONE])
  const ambient = sets('-u', '65534', '--ambient=+net_raw,+net_admin')
  assert.deepEqual([ambient['CapInh'], ambient['CapEff'], ambient['CapAmb']], [NET, NET, NET])
  assert.equal(run('--no-new-privs', 'grep', 'NoNewPrivs', '/proc/self/status').stdout, 'NoNewPrivs:\t1\n')
})

test('its words and its exit status are its own', options, () => {
  assert.equal(run('echo', '--drop', 'all').stdout, '--drop all\n')
  assert.equal(run('sh', '-c', 'exit 42').status, 42)
  assert.equal(run('sh', '-c', 'kill -TERM $$').status, 143)
  assert.deepEqual([run('/nonexistent').status, run('/etc/passwd').status], [127, 126])
})

test('a program whose file has capabilities of its own is told apart', options, (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-cli-cap-run-'))
  t.after(() => rmSync(directory, { recursive: true }))
  chmodSync(directory, 0o755)
  const program = join(directory, 'true')
  copyFileSync('/bin/true', program)
  assert.equal(tare(['cap', 'set', 'cap_net_raw=ep', program]).status, 0)
  const at = { PATH: `${directory}:/usr/bin` }
  const lacking = tare(['cap', 'run', '-u', 'nobody', '--keep=net_raw,kill', 'true'], { env: at })
  assert.equal(lacking.status, 125)
  assert.match(
    lacking.stderr,
    /true: its file has capabilities of its own, cap_net_raw=ep, instead of cap_kill\nA copy/,
  )
  const dropped = run('--drop=net_raw', program)
  assert.equal(dropped.status, 125)
  assert.match(dropped.stderr, /the kernel refuses that without cap_net_raw in the bounding set\n/)
  assert.equal(run('-u', 'nobody', '--keep=net_raw', program).status, 0)
})

test('what can not be is one error, and nothing is started', options, () => {
  const refused = (args: readonly string[], pattern: RegExp, as?: typeof NOBODY): void => {
    const called = tare(['cap', 'run', ...args, '--', 'echo', 'started'], as === undefined ? {} : { as })
    assert.deepEqual([called.status, called.stdout], [125, ''], args.join(' '))
    assert.match(called.stderr, pattern)
  }
  refused(['--drop', 'net_rwa'], /capability net_rwa: there is none of that name\nDid you mean cap_net_raw\?\n/)
  refused(['--drop', '45'], /cap_45: this kernel knows none of that number\n/)
  refused(['--drop', 'chown', '--keep', 'chown'], /cap_chown: they are both to be had and to be dropped\n/)
  refused(['--ambient', 'chown,-kill'], /some words have a sign and some have none\n/)
  refused(['--bounding', '-all', '--add', 'chown', '--inheritable', '+kill', '--user=nosuchuser'], /nosuchuser/)
  refused(['--securebits', 'nort'], /securebit nort: there is none of that name\nDid you mean noroot\?\n/)
  refused(['--securebits', 'keep_caps'], /it does not outlive execve\(2\)\n/)
  refused(['--drop', 'all'], /bounding set .*: EPERM .*\n.*cap_setpcap.*\n/, NOBODY)
  refused(['--add', 'chown'], /with cap_chown: EPERM .*\nBe root/, NOBODY)
  const dropped = tare(['cap', 'run', '--drop=all', '--no-new-privs', 'grep', 'CapPrm', '/proc/self/status'], {
    as: NOBODY,
  })
  assert.deepEqual(dropped, { status: 0, stdout: `CapPrm:\t${NONE}\n`, stderr: '' })
})
