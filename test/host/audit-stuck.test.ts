// Processes that know they are looked at, and do what they can against it.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import type { Audit } from '../../src/inspect/audit/audit.ts'
import { lacksProgram, lacksRoot } from './child.ts'
import { expectNothingLeft } from './leaks.ts'
import { childrenOf, reapAllBut } from './peers.ts'

const { nothingLeft, scratch } = await expectNothingLeft()

const source = fileURLToPath(new URL('../../../test/host/stuck.c', import.meta.url))
const tare = fileURLToPath(new URL('../../../bin/tare', import.meta.url))

const skip = lacksRoot() ?? lacksProgram('cc') ?? (existsSync('/dev/fuse') ? false : 'needs /dev/fuse')

test('file systems that never answer keep nobody who looks', { skip }, async (t) => {
  nothingLeft(t)
  const directory = scratch()
  const stuck = join(directory, 'stuck')
  const build = spawnSync('cc', ['-Wall', '-Wextra', '-Werror', '-o', stuck, source], { encoding: 'utf8' })
  assert.equal(build.status, 0, build.stderr)
  const before = childrenOf(process.pid)
  const child = spawn(stuck, [directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  try {
    await once(child.stdout, 'data')
    // In a process of its own: one that waited for such a file system could do nothing else.
    const { stdout, stderr, status } = spawnSync(tare, ['audit', '--json', String(child.pid)], {
      encoding: 'utf8',
      timeout: 20_000,
      killSignal: 'SIGKILL',
    })
    assert.equal(stderr, '')
    assert.equal(status, 2)
    const [audited]: readonly Audit[] = JSON.parse(stdout)
    assert.ok(audited !== undefined)
    const { name, findings } = audited
    assert.equal(name, '\rKthread:\t1')
    const unknown = findings.filter(({ state }) => state === 'unknown').map(({ wall, id }) => `${wall} ${id}`)
    assert.ok(unknown.includes('devices nodes'), unknown.join(', '))
    for (const view of [['ns', String(child.pid)], ['ns'], ['ps']]) {
      const { signal } = spawnSync(tare, view, { timeout: 20_000, killSignal: 'SIGKILL' })
      assert.equal(signal, null, view.join(' '))
    }
  } finally {
    child.kill('SIGKILL')
    await ended
    // The server comes to whoever takes orphans.
    await reapAllBut(before)
  }
})
