// tare cap and its commands but run: capabilities of processes and files.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  CAPABILITIES,
  formatCapabilityText,
  INITIAL_USER_NAMESPACE,
  parseCapabilityList,
  parseCapabilityText,
} from '../../src/linux/index.ts'
import { lacksProgram } from '../host/child.ts'
import { isRoot, NOBODY, tare, NODE_ARGS, PROGRAM } from './tare.ts'

const needsRoot = isRoot ? {} : { skip: 'needs root' }

const scratch = (t: TestContext): string => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-cli-cap-'))
  chmodSync(directory, 0o755)
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

const program = (directory: string, name: string): string => {
  const path = join(directory, name)
  writeFileSync(path, '', { mode: 0o755 })
  return path
}

/** A process that waits, started through setpriv(1); resolves with its id once it is the program that waits. */
const sleeper = async (t: TestContext, ...through: readonly string[]): Promise<number> => {
  const [command = 'sleep', ...args] = [...through, 'sleep', '60']
  const child: ChildProcess = spawn(command, args, { stdio: 'ignore' })
  t.after(async () => {
    if (child.exitCode !== null) return
    const end = once(child, 'exit')
    child.kill('SIGKILL')
    await end
  })
  const pid = child.pid ?? 0
  while (readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'sleep\n') await delay(5)
  return pid
}

const parse = (text: string): unknown => JSON.parse(text)

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined

const ok = (args: readonly string[], status = 0): string => {
  const called = tare(['cap', ...args])
  assert.deepEqual([called.status, called.stderr], [status, ''], args.join(' '))
  return called.stdout
}

const refused = (args: readonly string[], pattern: RegExp, as?: typeof NOBODY): void => {
  const called = tare(['cap', ...args], as === undefined ? {} : { as })
  assert.match(called.stderr, pattern, args.join(' '))
  assert.deepEqual([called.status, called.stdout], [125, ''], args.join(' '))
}

test('a process is shown as getpcaps(8) shows it', needsRoot, async (t) => {
  const lack = lacksProgram('getpcaps', 'setpriv')
  if (lack !== undefined) return t.skip(lack)
  const ways = [
    [],
    ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
    ['setpriv', '--bounding-set=-all,+chown,+kill', '--inh-caps=+kill', '--no-new-privs'],
    ['setpriv', '--reuid=65534', '--clear-groups', '--inh-caps=-all,+net_raw,+kill', '--ambient-caps=+net_raw'],
  ]
  for (const way of ways) {
    const pid = await sleeper(t, ...way)
    const [view] = parse(ok(['--json', `${pid}`])) as [unknown]
    const set = (name: string): bigint => {
      const labels = field(view, name)
      assert.ok(Array.isArray(labels))
      return labels.length === 0 ? 0n : parseCapabilityList(labels.join(','))
    }
    const state = { effective: set('effective'), permitted: set('permitted'), inheritable: set('inheritable') }
    const said = spawnSync('getpcaps', ['--legacy', `${pid}`], { encoding: 'utf8' })
    const text = /: (.*)/.exec(`${said.stdout}${said.stderr}`)?.[1] ?? ''
    assert.equal(
      formatCapabilityText(state),
      formatCapabilityText(parseCapabilityText(text.replace(/^Capabilities for .*?: /, ''))),
    )
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    assert.equal(set('bounding'), BigInt(`0x${/CapBnd:\t(.*)/.exec(status)?.[1]}`))
    assert.equal(set('ambient'), BigInt(`0x${/CapAmb:\t(.*)/.exec(status)?.[1]}`))
    assert.equal(field(view, 'noNewPrivs'), way.includes('--no-new-privs'))
    assert.equal(field(view, 'name'), 'sleep')
    assert.equal(field(view, 'securebits'), null)
    assert.equal(field(field(view, 'userNamespace'), 'inode'), INITIAL_USER_NAMESPACE)
  }
})

test('for people the sets are short, and long with what each allows', needsRoot, async (t) => {
  const lack = lacksProgram('setpriv')
  if (lack !== undefined) return t.skip(lack)
  const through = [
    'setpriv',
    '--reuid=65534',
    '--clear-groups',
    '--inh-caps=-all,+net_raw,+kill',
    '--ambient-caps=+kill',
  ]
  const pid = await sleeper(t, ...through, '--bounding-set=-all,+chown,+kill,+net_raw')
  const text = ok([`${pid}`])
  for (const line of [
    new RegExp(`^process +${pid} sleep$`, 'm'),
    /^user +65534$/m,
    /^user namespace +user:\[4026531837\], the host's own$/m,
    /^no new privileges +no$/m,
    /^permitted +cap_kill$/m,
    /^effective +cap_kill$/m,
    /^inheritable +cap_kill, cap_net_raw$/m,
    /^bounding +cap_chown, cap_kill, cap_net_raw$/m,
    /^ambient +cap_kill$/m,
  ]) {
    assert.match(text, line)
  }
  const long = ok(['-v', `${pid}`])
  for (const { name, allows } of CAPABILITIES) {
    const line = long.split('\n').find((each) => each.startsWith(`${name.toLowerCase()} `))
    assert.ok(line?.endsWith(allows), name)
  }
  assert.match(long, /^cap_chown +\.\.\.b\. /m)
  assert.match(long, /^cap_kill +peiba /m)
  assert.match(long, /^cap_net_raw +\.\.ib\. /m)
  assert.match(long, /^cap_bpf +\.\.\.\.\. /m)
})

test('without a process it shows what a program gets that is started here, with its securebits', needsRoot, (t) => {
  const lack = lacksProgram('setpriv')
  if (lack !== undefined) return t.skip(lack)
  const args = ['--securebits=+noroot,+noroot_locked', '--bounding-set=-sys_boot', PROGRAM, ...NODE_ARGS]
  const { stdout } = spawnSync('setpriv', [...args, 'cap', '--json'], { encoding: 'utf8' })
  const [view] = parse(stdout) as [unknown]
  assert.deepEqual(field(view, 'securebits'), ['SECBIT_NOROOT', 'SECBIT_NOROOT_LOCKED'])
  assert.deepEqual(field(view, 'permitted'), [])
  const bounding = field(view, 'bounding')
  assert.ok(Array.isArray(bounding) && !bounding.includes('cap_sys_boot') && bounding.includes('cap_chown'))
})

test('of processes of others an ordinary user is told what is for all to know', needsRoot, async (t) => {
  const pid = await sleeper(t)
  const seen = tare(['cap', `${pid}`], { as: NOBODY })
  assert.deepEqual([seen.status, seen.stderr], [0, ''])
  assert.match(seen.stdout, /^user namespace +may not be known$/m)
  assert.match(seen.stdout, /^effective +all/m)
})

test('threads that hold other sets are told', needsRoot, async (t) => {
  const lack = lacksProgram('python3')
  if (lack !== undefined) return t.skip(lack)
  const script = `
import ctypes, struct, threading, time, sys
def drop():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(126, struct.pack('II', 0x20080522, 0), struct.pack('6I', 0, 0, 0, 0, 0, 0))
    print(threading.get_native_id(), flush=True)
    time.sleep(60)
threading.Thread(target=drop, daemon=True).start()
time.sleep(60)
`
  if (process.arch !== 'x64') return t.skip('needs x86-64: the script has the number of capset(2) there')
  const child = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(async () => {
    const end = once(child, 'exit')
    child.kill('SIGKILL')
    await end
  })
  const [line]: unknown[] = await once(child.stdout, 'data')
  const tid = String(line).trim()
  assert.match(ok([`${child.pid}`]), new RegExp(`^threads +with other sets: ${tid}$`, 'm'))
  assert.match(ok([tid]), /^effective +none$/m)
  const [view] = parse(ok(['--json', `${child.pid}`])) as [unknown]
  const threads = field(view, 'threads')
  assert.ok(Array.isArray(threads) && threads.length === 1)
  assert.deepEqual([field(threads[0], 'tid'), field(threads[0], 'effective')], [Number(tid), []])
})

test('two processes are compared', needsRoot, async (t) => {
  const lack = lacksProgram('setpriv')
  if (lack !== undefined) return t.skip(lack)
  const plain = await sleeper(t)
  const other = await sleeper(
    t,
    'setpriv',
    '--reuid=65534',
    '--clear-groups',
    '--bounding-set=-sys_boot',
    '--no-new-privs',
  )
  assert.equal(ok(['diff', `${plain}`, `${plain}`]), '')
  assert.equal(ok(['diff', `${plain}`]), '')
  const text = ok(['diff', `${plain}`, `${other}`], 1)
  assert.match(text, new RegExp(`^ +${plain} sleep +${other} sleep$`, 'm'))
  assert.match(text, /^user +0 +65534$/m)
  assert.match(text, /^no new privileges +no +yes$/m)
  assert.match(text, /^cap_sys_boot +pe\.b\. +\.\.\.\.\.$/m)
  assert.match(text, /^cap_kill +pe\.b\. +\.\.\.b\.$/m)
  assert.ok(!text.includes('user namespace'))
  const compared = parse(ok(['diff', '--json', `${plain}`, `${other}`], 1))
  assert.deepEqual(field(compared, 'facts'), { uid: [0, 65534], noNewPrivs: [false, true] })
  const capabilities = field(compared, 'capabilities')
  assert.ok(Array.isArray(capabilities))
  assert.deepEqual(
    capabilities.find((each) => field(each, 'name') === 'cap_sys_boot'),
    { name: 'cap_sys_boot', in: [['permitted', 'effective', 'bounding'], []] },
  )
})

test('capabilities are explained by name, by number and by mask, as capsh(1) reads it', (t) => {
  const text = ok(['explain', 'NET_RAW', 'cap_sys_module'])
  assert.match(text, /^cap_net_raw 13\n {4}Open raw and packet sockets/m)
  assert.match(text, /^cap_sys_module 16\n.*\n {4}Out of a container:\n {6}takeover: Load a module/m)
  assert.equal(ok(['explain', '13']), ok(['explain', 'net_raw']))
  const all = ok(['explain'])
  for (const { name, allows } of CAPABILITIES)
    assert.match(all, new RegExp(`^${name.toLowerCase()} \\d+\n {4}${allows.replace(/[().]/g, '.')}$`, 'm'))

  const mask = '00000000a80425fb'
  const decoded = ok(['explain', mask])
  for (const form of [`0x${mask}`, `CapEff:\t${mask}`])
    assert.equal(ok(['explain', form]).split('\n').length, decoded.split('\n').length)
  assert.equal(ok(['explain', 'CapEff:', mask]), decoded)
  assert.match(ok(['explain', '0x20000000001']), /^0x20000000001 = cap_chown,cap_41\n/)
  assert.match(ok(['explain', '0x20000000001']), /^cap_41 41, which this kernel does not know\n/m)
  assert.equal(ok(['explain', 'kill,net_raw']), ok(['explain', 'net_raw', 'kill']))
  assert.equal(ok(['explain', 'cap_kill=p cap_net_raw+i']), ok(['explain', 'kill,13']))
  assert.equal(ok(['explain', '0x0']), '0x0 = none\n')
  const lack = lacksProgram('capsh')
  if (lack !== undefined) return t.skip(lack)
  const said = execFileSync('capsh', [`--decode=${mask}`], { encoding: 'utf8' })
  assert.equal(decoded.split('\n')[0]?.replace(' = ', '='), said.replace('0x', '').trim())
})

test('files are given capabilities, which are shown, verified and taken again', needsRoot, (t) => {
  const lack = lacksProgram('getcap')
  if (lack !== undefined) return t.skip(lack)
  const directory = scratch(t)
  const [a, b] = [program(directory, 'a'), program(directory, 'b')]
  assert.equal(ok(['set', 'cap_net_raw,cap_kill=ep', a, b]), '')
  assert.equal(ok(['get', a]), `${a}   cap_kill,cap_net_raw=ep\n`)
  assert.equal(execFileSync('getcap', [a], { encoding: 'utf8' }), `${a} cap_kill,cap_net_raw=ep\n`)
  assert.equal(ok(['set', '-n', '1000', 'cap_kill=i', b]), '')
  assert.equal(execFileSync('getcap', ['-n', b], { encoding: 'utf8' }), `${b} cap_kill=i [rootid=1000]\n`)
  assert.equal(ok(['get', b]), `${b}   cap_kill=i   root id 1000\n`)
  assert.equal(ok(['verify', 'cap_kill,cap_net_raw+ep', a]), `${a}   same\n`)
  assert.equal(
    ok(['verify', 'cap_kill=i', a, b], 1),
    `${a}   differs: effective, inheritable, permitted\n${b}   differs: root id\n`,
  )
  assert.equal(ok(['verify', '--root-id=1000', 'cap_kill=i', b]), `${b}   same\n`)
  mkdirSync(join(directory, 'deep'))
  program(join(directory, 'deep'), 'none')
  assert.deepEqual(parse(ok(['get', '-r', '--json', directory])), [
    {
      path: a,
      capabilities: {
        text: 'cap_kill,cap_net_raw=ep',
        permitted: ['cap_kill', 'cap_net_raw'],
        inheritable: [],
        effective: true,
        rootId: null,
        revision: 2,
      },
    },
    {
      path: b,
      capabilities: {
        text: 'cap_kill=i',
        permitted: [],
        inheritable: ['cap_kill'],
        effective: false,
        rootId: 1000,
        revision: 3,
      },
    },
  ])
  assert.equal(ok(['rm', a]), `${a}\n`)
  assert.equal(ok(['rm', a]), '')
  assert.equal(ok(['get', a]), `${a}   none\n`)
  assert.equal(ok(['rm', '-r', directory]), `${b}\n`)
  assert.equal(ok(['get', '-r', directory]), '')
})

test('names of files can not drive the terminal', needsRoot, (t) => {
  const directory = scratch(t)
  const odd = program(directory, 'a\u001b[31m\nb')
  assert.equal(ok(['set', 'cap_kill=p', odd]), '')
  assert.equal(ok(['get', '-r', directory]), `${directory}/a\\x1b[31m\\x0ab   cap_kill=p\n`)
  const link = join(directory, 'link')
  symlinkSync('\u001b]0;title\u0007', link)
  refused(['get', link], /Name the file that it leads to: \\x1b\]0;title\\x07\n$/)
  assert.equal(ok(['rm', '-r', directory]), `${directory}/a\\x1b[31m\\x0ab\n`)
})

test('that they will have no effect is a warning', needsRoot, (t) => {
  const directory = scratch(t)
  const script = program(directory, 'script')
  writeFileSync(script, '#!/bin/sh\n')
  const { status, stdout, stderr } = tare(['cap', 'set', 'cap_kill=ep', script])
  assert.deepEqual([status, stdout], [0, ''])
  assert.match(stderr, /^tare: the capabilities of .*script will have no effect: it is a script: .*interpreter\n$/)
})

test('bad input is one error, with what to do, and nothing is done', needsRoot, (t) => {
  const directory = scratch(t)
  const file = program(directory, 'program')
  refused(['set', 'cap_net_rwa=ep', file], /there is no capability "cap_net_rwa"\nDid you mean cap_net_raw\?\n$/)
  refused(['set', 'cap_kill', file], /"cap_kill" has no =, \+ or -\nA clause is/)
  refused(['set', 'cap_kill=p+', file], /"\+" is wrong as character 11\n/)
  refused(['set', 'cap_kill=p cap_chown=e', file], /a file makes all of its capabilities effective, or none\n/)
  refused(['set', '45=p', file], /cap_45: this kernel knows none of that number\nIts last is cap_/)
  refused(['set', '-n', '0', 'cap_kill=p', file], /cannot use --root-id=0: it is no user id from 1/)
  refused(['set', '-n', '4294967295', 'cap_kill=p', file], /it is no user id from 1/)
  refused(['set', 'cap_kill=p'], /FILE is missing/)
  refused(['set', 'cap_kill=p', file, join(directory, 'none')], /none: ENOENT .*\nThere is no such file/)
  refused(['set', 'cap_kill=p', file, '/proc/version'], /version: EOPNOTSUPP/)
  refused(['set', 'cap_kill=p', file, directory], /it is a directory\nOnly regular files/)
  refused(['set', 'cap_kill=p', file], /EPERM .*\nIt takes CAP_SETFCAP/, NOBODY)
  refused(['rm', file], /EPERM .*\nIt takes CAP_SETFCAP/, NOBODY)
  assert.equal(ok(['get', file]), `${file}   none\n`)
  refused(['4194304'], /process 4194304: ESRCH \(no such process\)\nIt has ended/)
  refused(['diff', '4194304'], /ESRCH/)
  refused(['0'], /"0": it is no process id\n/)
  refused(['gte', file], /"gte": it is no process id\nDid you mean "tare cap get"\?\n$/)
  refused(['--', 'get'], /"get": it is no process id\n/)
  refused(['explain', 'sys_admni'], /sys_admni: there is none of that name\nDid you mean cap_sys_admin\?\n/)
  refused(['explain', `0x1${'0'.repeat(16)}`], /more than 64 bits/)
  refused(['explain', '64'], /capability 64: there is none of that name/)
})
