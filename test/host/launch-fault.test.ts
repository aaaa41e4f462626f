// Every step of a launch fails once: the error names it, and nothing is left. Needs root.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LaunchOptions } from '../../src/engine/launch-options.ts'
import { resolveLaunch } from '../../src/engine/resolve-launch.ts'
import { TareError } from '../../src/linux/error.ts'
import { umount } from '../../src/linux/mount.ts'
import { readProcessCapabilities } from '../../src/linux/process-capability.ts'
import { Descriptors } from '../../src/runtime/descriptors.ts'
import { injectFault } from '../../src/runtime/inject.ts'
import { planLaunch } from '../../src/runtime/launch/plan.ts'
import { startLaunch } from '../../src/runtime/launch/start.ts'
import { lacksRoot } from './child.ts'
import { expectNothingLeft } from './leaks.ts'

const ENOSPC = 28
const root = { skip: lacksRoot() ?? false }
const { nothingLeft, scratch } = await expectNothingLeft()

/** Fails each step in turn; resolves with how many failed, and how many could not. */
const failEach = async (
  options: LaunchOptions,
  done = (): void => undefined,
): Promise<{ readonly failed: number; readonly passed: number }> => {
  const count = { failed: 0, passed: 0 }
  for (let index = 0, length = 1; index < length; index++) {
    const descriptors = new Descriptors()
    const plan = planLaunch(resolveLaunch(['true'], options, descriptors))
    const stage = injectFault(plan.stage, { kind: 'fail', phase: 'stage', index, errno: ENOSPC })
    const step = plan.stage[index]
    length = plan.stage.length
    const outcome: unknown = await startLaunch({ ...plan, stage }, [0, 1, 2]).then(
      (launched) => launched.ended.catch((error: unknown) => error),
      (error: unknown) => error,
    )
    descriptors.closeAll()
    if (outcome instanceof TareError) {
      assert.equal(
        outcome.message.split('\n')[0]?.startsWith(`cannot ${step?.what}: ENOSPC`),
        true,
        `${index}: ${outcome.message}`,
      )
      count.failed++
    } else {
      done()
      count.passed++
    }
  }
  return count
}

test('whichever step fails is named, and nothing is left: new namespaces, kept, with another root', root, async (t) => {
  nothingLeft(t)
  const file = join(scratch(), 'uts')
  writeFileSync(file, '')
  const range = { ranges: [{ inside: 0, outside: 100000, size: 1000 }] }
  const own = readProcessCapabilities()
  const { failed, passed } = await failEach(
    {
      fork: true,
      parentDeathSignal: 'KILL',
      unshare: {
        kinds: ['uts', 'user', 'mnt', 'pid'],
        uids: range,
        gids: range,
        persistent: { uts: file },
        mountProc: true,
      },
      root: '/',
      uid: 5,
      gid: 5,
      capabilities: { ...own, ambient: 0n },
      noNewPrivileges: true,
    },
    () => umount(file),
  )
  t.diagnostic(`${failed} steps failed, ${passed} were not needed`)
  assert.ok(failed > 20)
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(file))
})

test('whichever step fails is named, and nothing is left: namespaces of others', root, async (t) => {
  nothingLeft(t)
  const files = { net: '/proc/self/ns/net', uts: '/proc/self/ns/uts', pid: '/proc/self/ns/pid' }
  const { failed, passed } = await failEach({
    enter: { files, root: '/', workdir: '/' },
    noNewPrivileges: true,
    umask: 0o22,
  })
  t.diagnostic(`${failed} steps failed, ${passed} were not needed`)
  assert.ok(failed > 8)
})

test('whichever step fails is named, and nothing is left: a pivot with all that can be mounted', root, async (t) => {
  nothingLeft(t)
  const directory = scratch()
  for (const name of ['dev', 'proc', 'usr', 'lib', 'lib64', 'bin']) mkdirSync(join(directory, name))
  const binds = ['/usr', '/lib', '/lib64', '/bin']
    .filter((path) => existsSync(path))
    .map((path) => ({ source: path, target: path, readOnly: true }))
  const { failed, passed } = await failEach({
    unshare: { kinds: ['mnt'] },
    pivot: { root: directory, binds, proc: true, dev: true },
    env: { PATH: '/bin' },
  })
  t.diagnostic(`${failed} steps failed, ${passed} were not needed`)
  assert.ok(failed > 30)
})
