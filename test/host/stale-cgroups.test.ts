// Needs root and a cgroup hierarchy.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, rmdirSync, utimesSync } from 'node:fs'
import { test } from 'node:test'
import { run } from '../../src/engine/run.ts'
import { hierarchyOf, readCgroupLayout } from '../../src/linux/cgroup/layout.ts'
import { cgroupParent } from '../../src/linux/cgroup/parent.ts'
import { isRoot } from './contained.ts'

test('groups that a killed process left are removed by the next start, others are not', async (t) => {
  if (!isRoot) return t.skip('needs root, for control groups')
  const layout = readCgroupLayout()
  const pids = hierarchyOf(layout, 'pids')
  if (pids === undefined) return t.skip('needs the pids controller')
  const parent = `${pids.mountPoint}/${cgroupParent(layout, ['pids'])}`
  // No process has a number that high: kernel.pid_max is at most 4194304.
  const groups = {
    stale: '0123456789ab.5000000',
    young: '0123456789ac.5000000',
    owned: `0123456789ad.${process.pid}`,
    other: 'mine',
  }
  for (const name of Object.values(groups)) mkdirSync(`${parent}/${name}`, { recursive: true })
  mkdirSync(`${parent}/${groups.stale}/slice/service`, { recursive: true })
  const old = new Date(Date.now() - 120_000)
  for (const name of [groups.stale, groups.owned, groups.other]) utimesSync(`${parent}/${name}`, old, old)
  assert.equal((await run(['true'], { pids: 20 })).exitCode, 0)
  const there = Object.entries(groups).filter(([, name]) => existsSync(`${parent}/${name}`))
  assert.deepEqual(
    there.map(([key]) => key),
    ['young', 'owned', 'other'],
  )
  for (const [, name] of there) rmdirSync(`${parent}/${name}`)
})
