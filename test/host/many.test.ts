import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate as nextTurn } from 'node:timers/promises'

import type { RunOptions } from '../../src/engine/options.ts'
import { run } from '../../src/engine/run.ts'
import { isRoot } from './contained.ts'
import { assertNothingLeft, expectNothingLeft, snapshotHost } from './leaks.ts'

await expectNothingLeft()

setFlagsFromString('--expose-gc')
const collectGarbage: unknown = runInNewContext('gc')

/** Bytes of this process in memory, and of those the ones in use by JavaScript, when all that is garbage is gone. */
const memory = async (): Promise<{ readonly resident: number; readonly heap: number }> => {
  assert.ok(typeof collectGarbage === 'function')
  for (let round = 0; round < 4; round += 1) {
    collectGarbage()
    await nextTurn()
  }
  const resident = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'ascii'))?.[1]) * 1024
  return { resident, heap: process.memoryUsage().heapUsed }
}

const COUNT = 1000
const PARTS = 8

/** Kinds of containers in turn, as far as this user may make them. */
const KINDS: readonly RunOptions[] = [
  {},
  { tty: true },
  { stdin: { text: 'x'.repeat(1000) } },
  ...(isRoot ? [{ memory: '64MiB', pids: 20 }, { userns: 'host' } as const] : []),
]

test(`${COUNT} containers in a row leave nothing, and no memory in use`, async (t) => {
  const before = snapshotHost()
  const some = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      const { exitCode, stdout } = await run(['echo', String(index)], { ...KINDS[index % KINDS.length] })
      assert.deepEqual([exitCode, stdout.trim()], [0, String(index)])
    }
  }
  const samples: Awaited<ReturnType<typeof memory>>[] = []
  for (let part = 0; part < PARTS; part += 1) {
    await some(COUNT / PARTS)
    samples.push(await memory())
  }
  // What is compiled and cached grows for a while, in jumps; what is left of each container grows in every part.
  const least = (kind: 'heap' | 'resident'): number =>
    Math.min(...samples.slice(1).map((sample, index) => sample[kind] - (samples[index]?.[kind] ?? 0))) / (COUNT / PARTS)
  t.diagnostic(
    `bytes more for each: ${Math.round(least('heap'))} in the heap, ${Math.round(least('resident'))} resident`,
  )
  assert.ok(least('heap') < 256, `${least('heap')} bytes of the heap are left of each`)
  assert.ok(least('resident') < 4096, `${least('resident')} bytes are left of each`)
  await assertNothingLeft(before, t.name)
})

test('50 containers at once, four times, leave nothing', async (t) => {
  const before = snapshotHost()
  for (let round = 0; round < 4; round += 1) {
    const programs = Array.from({ length: 50 }, (_, index) =>
      run(['sh', '-c', `sleep 0.2; echo ${index}`], { ...KINDS[index % KINDS.length] }),
    )
    const outputs = (await Promise.all(programs)).map(({ stdout }) => stdout.trim())
    assert.deepEqual(
      outputs,
      programs.map((_, index) => String(index)),
    )
  }
  await assertNothingLeft(before, t.name)
})

test('50 containers at once that all fail, or are killed, leave nothing', async (t) => {
  const before = snapshotHost()
  const failing = Array.from({ length: 50 }, (_, index) =>
    index % 2 === 0
      ? run(['tare-has-no-such-program']).then(
          () => 'ran',
          (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
        )
      : run(['sleep', '1000'], { timeout: index * 10 }).then(({ timedOut }) => timedOut),
  )
  const expected = failing.map((_, index) => (index % 2 === 0 ? 'ENOENT' : true))
  assert.deepEqual(await Promise.all(failing), expected)
  await assertNothingLeft(before, t.name)
})

test('the kernel has freed the namespaces of containers that are gone', async (t) => {
  if (!isRoot) return t.skip('needs root, to set a limit on namespaces')
  // In a user namespace that may have 40 of each kind, 200 containers run in a row: so those before are freed. The
  // kernel does so a moment after the end, for network namespaces in turn.
  const index = new URL('../../src/index.js', import.meta.url).href
  const script = `
    import { writeFileSync } from 'node:fs'
    import { run } from ${JSON.stringify(index)}
    for (const kind of ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'])
      writeFileSync('/proc/sys/user/max_' + kind + '_namespaces', '40')
    for (let count = 0; count < 200; count++) await run(['true'], { uidMappings: [{ inside: 0, outside: 0, size: 1 }] })
    console.log('all ran')
  `
  const through = ['-U', '--map-root-user', '--mount', process.execPath, '--input-type=module', '-e', script]
  const { stdout, stderr } = spawnSync('unshare', through, { encoding: 'utf8' })
  assert.equal(stdout, 'all ran\n', stderr)
})
