import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { run } from '../../src/engine/run.ts'
import { TareError } from '../../src/linux/error.ts'
import { isRoot, lines, refusal, said, sh } from './contained.ts'
import { expectNothingLeft } from './leaks.ts'

const { nothingLeft } = await expectNothingLeft()

/** Why limits can't be set by this process, or undefined. */
const lacksLimits = async (): Promise<string | undefined> => {
  if (isRoot) return undefined
  const error: unknown = await run(['true'], { pids: 10 }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error === undefined ? undefined : 'needs root or a delegated cgroup'
}

test('an exit code or a signal is the result', async (t) => {
  nothingLeft(t)
  for (const init of [true, false]) {
    for (const code of [0, 1, 42, 125, 255])
      assert.deepEqual((await run(['sh', '-c', `exit ${code}`], { init })).exitCode, code)
  }
  for (const signal of ['TERM', 'KILL', 'SEGV', 'ABRT', 'USR1']) {
    const { exitCode, signal: name } = await run(['sh', '-c', `kill -${signal} $$`])
    assert.deepEqual([exitCode, name], [undefined, `SIG${signal}`])
  }
})

test('PID 1 reaps orphans, and the program is not it', async (t) => {
  nothingLeft(t)
  const script = `
    echo $$
    for i in 1 2 3 4 5; do (sh -c 'exit 0' & exec sh -c 'exit 0') & done; wait
    (setsid sh -c 'sleep 0.1' & ) ; sleep 0.5
    grep -l '^State:.Z' /proc/[0-9]*/status | wc -l
    cat /proc/1/comm
  `
  const [pid, zombies] = await lines(script)
  assert.deepEqual([pid, zombies], ['2', '0'])
  assert.equal(await sh('echo $$', { init: false }), '1')
})

test('signals reach the program, by way of PID 1', async (t) => {
  nothingLeft(t)
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGUSR1', 'SIGWINCH', 'SIGRTMIN+1', 10]) {
    const name = typeof signal === 'number' ? signal : signal === 'SIGRTMIN+1' ? 35 : signal.slice(3)
    const program = run(['sh', '-c', `trap 'echo got; exit 7' ${name}; echo ready; while :; do sleep 0.02; done`])
    await said(program, 'ready')
    assert.equal(program.kill(signal), true)
    const { stdout, exitCode } = await program
    assert.deepEqual([stdout, exitCode], ['ready\ngot\n', 7], String(signal))
    assert.equal(program.kill(), false, 'it has ended')
  }
  const untrapped = run(['sh', '-c', 'echo ready; exec sleep 100'])
  await said(untrapped, 'ready')
  untrapped.kill()
  assert.equal((await untrapped).signal, 'SIGTERM')
})

test('a signal that comes before the program is there, is for it', async (t) => {
  nothingLeft(t)
  const program = run(['sleep', '100'])
  program.kill('SIGKILL')
  const error: unknown = await program.then(
    ({ signal }) => signal,
    (reason: unknown) => reason,
  )
  // It had not become the program yet: there is no result of one.
  assert.ok(error instanceof TareError)
  assert.equal(error.code, 'ERR_TARE_KILLED')
})

/** Leaves behind what tries hardest to stay: sessions of their own, stopped, deaf, and forking. */
const STUBBORN = `
  setsid sh -c 'trap "" TERM HUP INT; while :; do sleep 1; done' &
  setsid setsid sh -c 'kill -STOP $$' &
  (trap "" TERM; exec setsid sleep 1000) &
  echo ready
`

test('when the program ends, all that it has started ends', async (t) => {
  nothingLeft(t)
  assert.equal(await sh(STUBBORN), 'ready')
})

test('when the time is up, everything ends', async (t) => {
  nothingLeft(t)
  for (const init of [true, false]) {
    const begin = performance.now()
    const command = ['sh', '-c', `trap '' TERM INT; ${STUBBORN} sleep 1000`]
    const { timedOut, signal, exitCode, stdout } = await run(command, { timeout: 700, init })
    assert.deepEqual([timedOut, signal, exitCode, stdout], [true, 'SIGKILL', undefined, 'ready\n'])
    assert.ok(performance.now() - begin < 5000)
  }
  const { timedOut: inTime } = await run(['true'], { timeout: '10s' })
  assert.equal(inTime, false)
  assert.equal((await run(['sleep', '1000'], { timeout: 1 })).timedOut, true, 'even on the way')
})

test('an aborted signal ends everything, and is what the promise rejects with', async (t) => {
  nothingLeft(t)
  const reason = new Error('no more')
  await assert.rejects(async () => run(['true'], { signal: AbortSignal.abort(reason) }), reason)
  const controller = new AbortController()
  const program = run(['sh', '-c', `${STUBBORN} sleep 1000`], { signal: controller.signal })
  await said(program, 'ready')
  controller.abort(reason)
  await assert.rejects(async () => program, reason)
  for (const delay of [0, 1, 3, 6, 10, 15]) {
    const early = new AbortController()
    const starting = run(['sleep', '1000'], { signal: early.signal })
    setTimeout(() => early.abort(reason), delay)
    await assert.rejects(async () => starting, reason, `after ${delay} ms`)
  }
})

test('memory beyond the limit is not had, and the result says so', async (t) => {
  const lack = await lacksLimits()
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  // tail keeps all of what has no line ends.
  const hungry = await run(['sh', '-c', 'head -c 200m /dev/zero | tail >/dev/null'], { memory: '32MiB' })
  assert.equal(hungry.oomKilled, true)
  const direct = await run(['tail', '/dev/zero'], { memory: '32MiB' })
  assert.deepEqual([direct.oomKilled, direct.signal], [true, 'SIGKILL'])
  assert.ok((direct.usage.peakMemory ?? 0) > 24 << 20 && (direct.usage.peakMemory ?? 0) <= 32 << 20)
  const modest = await run(['true'], { memory: '32MiB' })
  assert.deepEqual([modest.oomKilled, modest.exitCode], [false, 0])
})

test('no more processes than the limit', async (t) => {
  const lack = await lacksLimits()
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const script = 'i=0; while [ $i -lt 50 ]; do sleep 5 & i=$((i+1)); done'
  const { stderr, exitCode } = await run(['sh', '-c', script], { pids: 10 })
  assert.match(stderr, /[Cc]annot fork|Resource temporarily unavailable/)
  assert.equal(exitCode, 2)
})

test('no more processor time than the limit', async (t) => {
  const lack = await lacksLimits()
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const { usage } = await run(['sh', '-c', 'while :; do :; done'], { cpus: 0.2, timeout: 3000 })
  const share = (usage.userTime + usage.systemTime) / (usage.wallTime * 1000)
  assert.ok(share < 0.3, `${share} of a processor`)
})

test('a limit that can not be set is an error, and nothing is left', async (t) => {
  nothingLeft(t)
  const lack = await lacksLimits()
  if (lack !== undefined) {
    // Never ignored: refused.
    assert.match(await refusal({ memory: '32MiB' }), /delegated|may not write/)
    return
  }
  await assert.rejects(async () => run(['true'], { cpusetCpus: '4000' }), TareError)
  assert.match(await refusal({ memory: 'much' }), /much/)
  assert.match(await refusal({ cpus: 0 }), /cpus/)
  assert.match(await refusal({ pids: 1.5 }), /pids/)
  assert.match(await refusal({ memorySwap: '1GiB' }), /Give memory too/)
  assert.match(await refusal({ memory: '2GiB', memorySwap: '1GiB' }), /at least as much as memory/)
  assert.match(await refusal({ deviceReadBps: [{ device: '/dev/null', rate: 1 }] }), /block device/)
})

test('usage is of the program and what it started', async (t) => {
  nothingLeft(t)
  const { usage } = await run(['sh', '-c', 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 0.2'])
  assert.ok(usage.userTime > 50_000 && usage.userTime < 20_000_000, `${usage.userTime} µs`)
  assert.ok(usage.wallTime > 200 + usage.userTime / 1000 / 2, `${usage.wallTime} ms`)
  assert.ok((usage.peakMemory ?? 0) > 200_000 && (usage.peakMemory ?? 0) < 64 << 20, `${usage.peakMemory} bytes`)
  const idle = await run(['sleep', '0.5'])
  assert.ok(idle.usage.userTime + idle.usage.systemTime < 400_000)
  await sleep(1)
})
