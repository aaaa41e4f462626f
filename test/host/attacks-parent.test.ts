import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

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

for (const { what, options } of [
  { what: 'a program', options: {} },
  { what: 'a program with a terminal', options: { tty: true } },
  // It can take back that it is to end with its parent, but not with the PID 1 around it.
  { what: 'a program that is PID 1', options: { init: false } },
] as const)
  test(`whoever kills the parent ends the container: ${what} that wants to stay`, { skip }, async (t) => {
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
    // What came to us may be on its way out still.
    const children = (): string => readFileSync(`/proc/self/task/${process.pid}/children`, 'ascii')
    for (const begin = performance.now(); children() !== ''; await sleep(5)) {
      reapOrphans()
      assert.ok(performance.now() - begin < 5000, children())
    }
    assert.deepEqual(left, [], `after ${delay} ms`)
  }
})

/** Starts a container whose process waits for its plan for ever, and tells its id. */
const waiting = (tell: string): string => `
  import { runWithFault } from ${JSON.stringify(new URL('../../src/engine/run.js', import.meta.url).href)}
  const program = runWithFault(['true'], {}, { kind: 'kill', phase: 'unshare', index: 0 })
  program.catch(() => undefined)
  const look = setInterval(() => {
    if (program.pid === undefined) return
    clearInterval(look)
    ${tell}
  }, 1)
`

const ends = async (pid: number): Promise<void> => {
  const gone = (): boolean => reapOrphans() >= 0 && trySyscall('kill', pid, 0) < 0
  for (const begin = performance.now(); !gone(); await sleep(10)) assert.ok(performance.now() - begin < 5000)
}

test('whoever kills the parent ends a process that still waits for its plan', { skip }, async (t) => {
  nothingLeft(t)
  const parent = spawn(process.execPath, ['--input-type=module', '-e', waiting('console.log(program.pid)')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line]: unknown[] = await once(parent.stdout, 'data')
  const pid = Number(String(line))
  assert.equal(trySyscall('kill', pid, 0), 0)
  parent.kill('SIGKILL')
  await once(parent, 'close')
  await ends(pid)
})

// Descriptors are the whole process's: those of a worker that is terminated stay open, whatever opened them.
test('a worker that is terminated ends a process that still waits for its plan', { skip }, async () => {
  const code = waiting("import('node:worker_threads').then(({ parentPort }) => parentPort.postMessage(program.pid))")
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`))
  const [pid]: unknown[] = await once(worker, 'message')
  assert.equal(trySyscall('kill', Number(pid), 0), 0)
  await worker.terminate()
  await ends(Number(pid))
})
