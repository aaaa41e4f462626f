import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { InputError } from './error.ts'
import { parseProcessStatus, readProcessStatus } from './process-status.ts'

const lines = (name: string, more: readonly string[] = []): string =>
  [
    `Name:\t${name}`,
    'Umask:\t0027',
    'State:\tS (sleeping)',
    'Tgid:\t1234',
    'Ngid:\t0',
    'Pid:\t1234',
    'PPid:\t1200',
    'TracerPid:\t77',
    'Uid:\t1000\t1001\t1002\t1003',
    'Gid:\t2000\t2001\t2002\t2003',
    'FDSize:\t64',
    'Groups:\t4 24 27 ',
    'NStgid:\t1234\t7\t1',
    'NSpid:\t1234\t7\t1',
    ...more,
    'Threads:\t3',
    'SigQ:\t0/63000',
    'NoNewPrivs:\t1',
    'Seccomp:\t2',
    'Seccomp_filters:\t2',
    '',
  ].join('\n')

const MEMORY = ['VmPeak:\t    9000 kB', 'VmRSS:\t    2048 kB', 'RssAnon:\t 1024 kB', 'VmSwap:\t      16 kB']

test('reads what a status file says', () => {
  assert.deepEqual(parseProcessStatus(lines('nginx', MEMORY)), {
    name: 'nginx',
    state: 'S',
    pid: 1234,
    ppid: 1200,
    tracerPid: 77,
    uid: { real: 1000, effective: 1001, saved: 1002, filesystem: 1003 },
    gid: { real: 2000, effective: 2001, saved: 2002, filesystem: 2003 },
    groups: [4, 24, 27],
    pids: [1234, 7, 1],
    threads: 3,
    rss: 2048 * 1024,
    swap: 16 * 1024,
    umask: 0o27,
    noNewPrivs: true,
    seccomp: 'filter',
    seccompFilters: 2,
  })
})

test('a thread of the kernel and a process that ended have no memory', () => {
  const { rss, swap } = parseProcessStatus(lines('kthreadd'))
  assert.deepEqual([rss, swap], [undefined, undefined])
})

test('a name can not pass itself off as another line: the kernel escapes what ends a line', () => {
  const name = fc.array(fc.oneof(fc.constantFrom('\n', '\\', '\nUid:\t0', '\\n', 'n'), fc.string()), { maxLength: 6 })
  const escape = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  fc.assert(
    fc.property(name, (parts) => {
      const status = parseProcessStatus(lines(escape(parts.join(''))))
      assert.equal(status.name, parts.join(''))
      assert.equal(status.uid.real, 1000)
    }),
  )
})

test('refuses what is no status file, whole or cut short', () => {
  const whole = lines('sh')
  const cut = fc.nat({ max: whole.indexOf('Threads') }).map((length) => whole.slice(0, length))
  fc.assert(fc.property(cut, (text) => assert.throws(() => parseProcessStatus(text), InputError)))
  assert.throws(() => parseProcessStatus(whole.replace('\nUid:', '\nuid:')), {
    message: 'cannot read the status of a process: it has no line Uid',
  })
})

test('reads this process', () => {
  const status = readProcessStatus('self')
  assert.equal(status.pid, process.pid)
  assert.equal(status.ppid, process.ppid)
  assert.equal(status.uid.effective, process.geteuid?.())
  assert.equal(status.gid.effective, process.getegid?.())
  assert.equal(status.pids[0], process.pid)
  assert.ok((status.rss ?? 0) > 1024 * 1024)
  // Node adds the effective group to the others.
  assert.deepEqual(new Set([...status.groups, status.gid.effective]), new Set(process.getgroups?.()))
})
