import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { trySyscall } from '../../src/linux/syscall.ts'
import { expectNothingLeft, reapOrphans } from './leaks.ts'
import { ATTACK, attackMount, buildAttack } from './leaks-attack.ts'

const { nothingLeft, scratch } = await expectNothingLeft()
const attack = buildAttack(scratch())
const skip = attack.lack ?? false
const SIGKILL = 9
const index = new URL('../../src/index.js', import.meta.url).href

/** Processes whose program is the hostile one, by the name of it; zombies, which hold nothing, are not counted. */
const survivors = (name: string): readonly string[] =>
  readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(name)
    } catch {
      return false
    }
  })

/** One may end with another. */
const end = (pids: readonly string[]): void => {
  for (const pid of pids) trySyscall('kill', Number(pid), SIGKILL)
}

for (const { what, options, todo } of [
  { what: 'a program', options: {}, todo: false },
  { what: 'a program with a terminal', options: { tty: true }, todo: false },
  {
    what: 'a program without PID 1 beside it',
    options: { init: false },
    todo: 'it can take back that it is to end with its parent',
  },
] as const)
  test(`whoever kills the parent ends the container: ${what} that wants to stay`, { skip, todo }, async (t) => {
    nothingLeft(t)
    const mark = `mark-${process.pid}-${Math.floor(Math.random() * 1e9)}`
    const script = `
      import { run } from ${JSON.stringify(index)}
      const program = run([${JSON.stringify(ATTACK)}, 'stay', ${JSON.stringify(mark)}], ${JSON.stringify({ ...options, mounts: [attackMount(attack)] })})
      program.stdout.once('data', () => console.log('ready'))
      await program
    `
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(parent.stdout, 'data')
    const others = (): readonly string[] => survivors(mark).filter((pid) => pid !== String(parent.pid))
    // It forks three times, and so do its children.
    for (const begin = performance.now(); others().length < 8; await sleep(10))
      assert.ok(performance.now() - begin < 10_000)
    parent.kill('SIGKILL')
    await once(parent, 'close')
    for (const begin = performance.now(); others().length > 0 && performance.now() - begin < 5000;) await sleep(10)
    const left = others()
    end(left)
    for (const begin = performance.now(); others().length > 0 && performance.now() - begin < 5000;) await sleep(10)
    // The one that was the parent's child has come to us.
    for (const begin = performance.now(); reapOrphans() === 0; await sleep(10))
      assert.ok(performance.now() - begin < 5000)
    assert.deepEqual(left, [], 'all of it has ended')
  })

test('a parent killed at any time leaves nothing that goes on', { skip }, async (t) => {
  nothingLeft(t)
  for (const delay of [0, 2, 4, 6, 8, 10, 15, 20, 30, 40, 60, 80]) {
    const mark = `mark-${process.pid}-${delay}-${Math.floor(Math.random() * 1e9)}`
    const script = `
      import { run } from ${JSON.stringify(index)}
      console.log('ready')
      await run([${JSON.stringify(ATTACK)}, 'stay', ${JSON.stringify(mark)}], ${JSON.stringify({ mounts: [attackMount(attack)] })})
    `
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(parent.stdout, 'data')
    await sleep(delay)
    parent.kill('SIGKILL')
    await once(parent, 'close')
    for (const begin = performance.now(); survivors(mark).length > 0 && performance.now() - begin < 5000;)
      await sleep(10)
    const left = survivors(mark)
    end(left)
    reapOrphans()
    assert.deepEqual(left, [], `after ${delay} ms`)
  }
})
