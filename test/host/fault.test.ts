import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import type { RunOptions } from '../../src/engine/options.ts'
import { runWithFault } from '../../src/engine/run.ts'
import { TareError } from '../../src/linux/error.ts'
import { encodePlan } from '../../src/plan/encode.ts'
import { ARCHITECTURE } from '../../src/linux/syscall.ts'
import { startContainer } from '../../src/runtime/start.ts'
import { lacksRoot } from './child.ts'
import { expectNothingLeft } from './leaks.ts'
import { subject, tryEveryFault } from './leaks-fault.ts'

/**
 * Each way of starting a container, each of its steps, each way to go wrong: some five hundred containers for each plan.
 * rootless.test.ts takes the first of them as an ordinary user.
 */
const SUBJECTS: Readonly<Record<string, (directory: string) => RunOptions>> = {
  'with defaults': () => ({}),
  'with the ids of the host': () => ({ userns: 'host' }),
  'with limits': () => ({ memory: '64MiB', pids: 50 }),
  'with a terminal': () => ({ tty: { columns: 100, rows: 30 } }),
  'without init, as another user': () => ({ init: false, user: 1000, groups: [1001], capAdd: ['net_raw'] }),
  'with the root of the host': () => ({ rootfs: 'host' }),
  'with the host and its ids, changes kept': (directory) => ({
    rootfs: 'host',
    userns: 'host',
    overlay: directory,
    network: 'host',
  }),
  'with mounts': (directory) => ({
    readOnly: true,
    mounts: [
      { source: directory, target: '/srv/data', readOnly: true },
      { type: 'tmpfs', target: '/srv/fast', size: '1MiB' },
      { type: 'overlay', lower: '/usr/share/zoneinfo', target: '/opt/deep/zones' },
    ],
    sysctls: { 'net.ipv4.ip_forward': 1 },
    ulimits: { nofile: 100 },
  }),
}

const { nothingLeft, scratch } = await expectNothingLeft()

for (const [name, options] of Object.entries(SUBJECTS))
  test(`nothing is left whichever step fails, or is the last: ${name}`, async (t) => {
    const lack = lacksRoot()
    if (lack !== undefined) return t.skip(lack)
    nothingLeft(t)
    const { failed, infallible, killed, branches } = await tryEveryFault(subject(options(scratch())))
    t.diagnostic(`${failed} failures, ${killed} kills, ${branches} branches; ${infallible} can't fail`)
  })

test('where a program can not be cloned as by vfork, it is forked', async (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const index = subject({}).plan.stage.findIndex(({ operation }) => operation === 'clone')
  const fault = { kind: 'fail', phase: 'stage', index, errno: 22 } as const
  const { exitCode, stdout } = await runWithFault(['sh', '-c', 'echo $$; exit 7'], {}, fault)
  assert.deepEqual({ exitCode, stdout }, { exitCode: 7, stdout: '2\n' })
})

test('nothing is left of streams and terminals when a step fails', async (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  for (const options of [{ stdin: 'pipe' }, { tty: true }, { memory: '64MiB', stdin: { text: 'x' } }] as const) {
    const { plan } = subject(options)
    const steps = [
      ...plan.grant.map((step, index) => ({ phase: 'grant', index, what: step.what }) as const),
      ...[0, 40, 80, 120, plan.stage.length - 1].map(
        (index) => ({ phase: 'stage', index, what: plan.stage[index]?.what ?? '' }) as const,
      ),
    ]
    // The last step is only taken when no directory of PATH had the program.
    const command = ['tare-has-no-such-program']
    for (const { phase, index, what } of steps) {
      const program = runWithFault(command, options, { kind: 'fail', phase, index, errno: 5 })
      const error: unknown = await program.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      assert.ok(error instanceof TareError, `${phase} ${index}`)
      const last = phase === 'stage' && index === plan.stage.length - 1
      if (!last) assert.equal(error.message.split('\n')[0], `cannot ${what}: EIO (input/output error)`)
      else assert.equal(error.code, 'ENOENT')
    }
  }
})

test('nothing is left if the tolerated errno of a step of Tare comes', async (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  const directory = scratch()
  for (const part of ['upper', 'work']) mkdirSync(join(directory, part))
  const options: RunOptions = { rootfs: 'host', userns: 'host', overlay: directory }
  const tolerant = subject(options).plan.prepare.flatMap(({ branches }, index) =>
    branches.map(({ errno }) => ({ index, errno })),
  )
  assert.deepEqual(
    tolerant.map(({ errno }) => errno),
    [17, 17],
  )
  for (const { index, errno } of tolerant) {
    assert.ok(errno !== 'any')
    const { exitCode } = await runWithFault(['true'], options, { kind: 'fail', phase: 'prepare', index, errno })
    assert.equal(exitCode, 0)
  }
})

test('nothing is left if the stage is not started, or refuses its plan', async (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  nothingLeft(t)
  for (const options of [{}, { memory: '64MiB' }] as const) {
    const { plan, host } = subject(options)
    const start = (changed: Partial<typeof plan>): Promise<unknown> =>
      startContainer({ ...plan, ...changed }, { stdio: [0, 1, 2], host }).then((running) => running.ended)
    const CLONE_THREAD = 0x10000
    await assert.rejects(
      start({ cloneFlags: plan.cloneFlags | CLONE_THREAD }),
      /^TareError: cannot start the stage: EINVAL/,
    )
    const back = { errno: 1, to: { index: 0 } }
    const backward = plan.stage.map((step, index) => (index === 3 ? { ...step, branches: [back] } : step))
    const encoded = (stage: typeof plan.stage) => ({ stage, encode: () => encodePlan(stage, plan.data, ARCHITECTURE) })
    await assert.rejects(
      start(encoded(backward)),
      /^TareError: cannot start the container: the stage refused at step 3/,
    )
    const crowded = plan.stage.map((step, index) =>
      index === 3 ? { ...step, branches: [back, back, back, back, back] } : step,
    )
    await assert.rejects(start(encoded(crowded)), /^TareError: cannot encode .*: a step has at most 4 branches/)
  }
})
