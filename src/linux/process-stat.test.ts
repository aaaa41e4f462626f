import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'

import fc from 'fast-check'

import { InputError } from './error.ts'
import { pageSize, parseProcessStat, readProcessStat, residentPages, timeSinceBoot } from './process-stat.ts'
import { readProcessStatus } from './process-status.ts'

/** The fields behind the name, as a shell that slept wrote them; the 1st of them is the 3rd of the file. */
const TAIL =
  'S 4321 4230 4229 34816 4230 4194304 1234 5678 0 0 17 5 100 200 20 0 3 0 98765 3842048 801 18446744073709551615 ' +
  '1 1 0 0 0 0 0 4096 65538 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0'

test('reads the fields of a stat file, in units that people use', () => {
  assert.deepEqual(parseProcessStat(`4230 (sh) ${TAIL}\n`), {
    pid: 4230,
    comm: 'sh',
    state: 'S',
    ppid: 4321,
    pgrp: 4230,
    session: 4229,
    tty: 34816,
    foreground: 4230,
    isKernelThread: false,
    cpu: { user: 170_000, system: 50_000 },
    childrenCpu: { user: 1_000_000, system: 2_000_000 },
    nice: 0,
    threads: 3,
    startTime: 987_650,
    virtualMemory: 3_842_048,
  })
})

test('a name may hold anything: it goes up to the last parenthesis', () => {
  const unit = fc.oneof(fc.constantFrom('(', ')', ' ', '\n', '\\', ') S 1 ', 'é'), fc.string())
  const name = fc.array(unit, { maxLength: 8 }).map((parts) => parts.join('').replaceAll('\0', ''))
  fc.assert(
    fc.property(name, fc.nat(), (comm, pid) => {
      const stat = parseProcessStat(`${pid} (${comm}) ${TAIL}\n`)
      assert.equal(stat.comm, comm)
      assert.equal(stat.pid, pid)
      assert.equal(stat.ppid, 4321)
    }),
  )
})

test('refuses what is no stat file, whole or cut short', () => {
  const whole = `4230 (a (b) c) ${TAIL}`
  for (const text of ['', '4230', '4230 (sh', '(sh) S', 'x (sh) S 1', whole.slice(0, 60)]) {
    assert.throws(() => parseProcessStat(text), InputError, text)
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!text.includes(' ('))
      assert.throws(() => parseProcessStat(text), InputError)
    }),
  )
})

test('reads this process and the one that started it', () => {
  const stat = readProcessStat('self')
  assert.equal(stat.pid, process.pid)
  assert.equal(stat.ppid, process.ppid)
  assert.equal(stat.state, 'R')
  assert.ok(stat.cpu.user + stat.cpu.system > 0)
  assert.ok(stat.startTime < timeSinceBoot())
  assert.ok(readProcessStat(process.ppid).startTime <= stat.startTime)
})

test('says of which process it can not read the state', () => {
  assert.throws(() => readProcessStat(0x3fffff), {
    code: 'ENOENT',
    message:
      'cannot read the state of process 4194303: ENOENT (no such file or directory)\nThere is no such process, or it is not visible from this pid namespace.',
  })
})

test('knows the size of a page, and what is in memory of a process', async () => {
  // A process that does nothing: what its files say doesn't change between two looks.
  const child = spawn('/bin/sleep', ['60'], { stdio: 'ignore' })
  await once(child, 'spawn')
  while (readProcessStat(child.pid ?? 0).state !== 'S') await setTimeout(1)
  const pages = residentPages(readFileSync(`/proc/${child.pid}/statm`, 'ascii'))
  assert.equal(pages * pageSize(), readProcessStatus(child.pid ?? 0).rss)
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  assert.throws(() => residentPages(''), InputError)
})

test('reads the time since boot', () => {
  const before = Number(readFileSync('/proc/uptime', 'ascii').split(' ')[0]) * 1000
  const time = timeSinceBoot()
  const after = Number(readFileSync('/proc/uptime', 'ascii').split(' ')[0]) * 1000
  // The file is cut to hundredths of a second.
  assert.ok(time >= before && time <= after + 10, `${before} ${time} ${after}`)
})
