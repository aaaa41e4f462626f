// What groups use, from one sample to the next. Needs root to make groups, strace(1) to count system calls.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import type { Cgroup, CgroupSample } from '../../src/linux/cgroup/index.ts'
import { cgroupSamples, createCgroup, hierarchyOf, readCgroupLayout } from '../../src/linux/cgroup/index.ts'

const layout = readCgroupLayout()
const skip = process.getuid?.() !== 0 ? 'needs root' : false
const STRACE = '/usr/bin/strace'

const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'io', 'pids'].filter((name) => hierarchyOf(layout, name) !== undefined)

const makeGroup = (t: TestContext, name: string): Cgroup => {
  const group = createCgroup(
    layout,
    `tare-test-${process.pid}-usage/${name}`,
    { pids: 50 },
    { controllers: CONTROLLERS },
  )
  t.after(async () => {
    await group.kill()
    await group.remove()
    const above = group.directories.map(({ hierarchy, directory }) => ({
      hierarchy,
      directory: directory.slice(0, directory.lastIndexOf('/')),
    }))
    for (const { directory } of above)
      if (existsSync(directory) && readdirSync(directory).length > 0) spawnSync('rmdir', [directory])
  })
  return group
}

/** A loop in the group that ends by itself. */
const spin = (group: Cgroup): void => {
  const joining = group.joinFiles().map((file) => `echo 0 >${file}`)
  spawn(
    'sh',
    ['-c', [...joining, "ulimit -t 5; x=$(head -c 2000000 /dev/zero | tr '\\0' x); while :; do :; done"].join('; ')],
    { stdio: 'ignore' },
  )
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

describe('samples of groups', { skip }, () => {
  it('have a group with what is below it, in it and above it', async (t) => {
    const group = makeGroup(t, 'busy')
    makeGroup(t, 'idle')
    spin(group)
    const top = group.name.slice(0, group.name.lastIndexOf('/'))
    const samples: CgroupSample[] = []
    for await (const sample of cgroupSamples({ group: top, delay: 300 })) if (samples.push(sample) === 3) break
    const [first, , last] = samples
    assert.equal(first?.interval, 0)
    assert.deepEqual(
      last?.groups.map(({ name, level, collapsed }) => ({ name, level, collapsed })),
      [
        { name: top, level: 0, collapsed: false },
        { name: group.name, level: 1, collapsed: false },
        { name: `${top}/idle`, level: 1, collapsed: false },
      ],
    )
    const [above, busy, idle] = last?.groups ?? []
    assert.equal(first?.groups[1]?.cpu?.percent, undefined)
    assert.ok((busy?.cpu?.percent ?? 0) > 1, JSON.stringify(busy))
    assert.ok((above?.cpu?.percent ?? 0) > 1, JSON.stringify(above))
    assert.equal(idle?.cpu?.percent, 0)
    assert.equal(busy?.pids?.current, 1)
    assert.equal(busy?.pids?.max, 50)
    assert.ok((busy?.memory?.current ?? 0) > 0)
  })

  it('end with the depth that was asked for', async (t) => {
    const group = makeGroup(t, 'deep')
    const top = group.name.slice(0, group.name.lastIndexOf('/'))
    for await (const { groups } of cgroupSamples({ group: top, depth: 0 })) {
      assert.deepEqual(
        groups.map(({ name, collapsed }) => ({ name, collapsed })),
        [{ name: top, collapsed: true }],
      )
      break
    }
  })

  it('know nothing of a group from before it was made anew', async (t) => {
    const group = makeGroup(t, 'anew')
    const samples = cgroupSamples({ group: group.name, delay: 20 })
    await samples.next()
    assert.notEqual((await samples.next()).value?.groups[0]?.cpu?.percent, undefined)
    await group.remove()
    createCgroup(layout, group.name.slice(1), {}, { controllers: CONTROLLERS })
    assert.equal((await samples.next()).value?.groups[0]?.cpu?.percent, undefined)
    await group.remove()
    await assert.rejects(samples.next(), /cannot read cgroup .*anew: it was removed/)
  })

  it('stop at the signal, and leave no file open', async (t) => {
    const group = makeGroup(t, 'stop')
    const before = descriptors()
    const controller = new AbortController()
    let seen = 0
    for await (const { groups } of cgroupSamples({ group: group.name, signal: controller.signal, delay: 60_000 })) {
      assert.equal(groups.length, 1)
      assert.ok(descriptors() > before)
      seen += 1
      controller.abort()
    }
    assert.equal(seen, 1)
    assert.equal(descriptors(), before)
  })

  it('refuse a group that is not there, and a delay that is none', async () => {
    await assert.rejects(cgroupSamples({ group: '/tare-none' }).next(), { code: 'ERR_TARE_INPUT' })
    for (const delay of [0, -1, NaN, 2 ** 31])
      await assert.rejects(cgroupSamples({ delay }).next(), { code: 'ERR_TARE_INPUT' })
  })

  it('cost one read for each file of what was asked for, and a look at each directory', (t) => {
    if (!existsSync(STRACE)) return t.skip(`needs ${STRACE}`)
    const group = makeGroup(t, 'cost')
    const log = `/tmp/tare-test-${process.pid}-usage.strace`
    t.after(() => rmSync(log, { force: true }))
    const module = new URL('../../src/linux/cgroup/index.js', import.meta.url)
    const script = `
      const { cgroupSamples } = await import(${JSON.stringify(module.href)})
      const { accessSync } = await import('node:fs')
      const mark = (name) => { try { accessSync('/tare-mark-' + name) } catch {} }
      const samples = cgroupSamples({ group: ${JSON.stringify(group.name)}, parts: ['memory', 'pids'], delay: 1 })
      await samples.next()
      mark('begin')
      await samples.next()
      mark('end')
      await samples.return()`
    const { status, stderr } = spawnSync(
      STRACE,
      ['-f', '-e', 'trace=file,read,pread64', '-o', log, process.execPath, '--input-type=module', '-e', script],
      { encoding: 'utf8' },
    )
    assert.equal(status, 0, stderr)
    const lines = readFileSync(log, 'utf8').split('\n')
    const [begin, end] = ['begin', 'end'].map((name) => lines.findIndex((line) => line.includes(`/tare-mark-${name}`)))
    const calls = lines
      .slice((begin ?? 0) + 1, end)
      .map((line) => /^\d+ +(\w+)\(/.exec(line)?.[1])
      .filter((name) => name !== 'read' && name !== undefined)
    const hierarchies = new Set(['memory', 'pids'].map((name) => hierarchyOf(layout, name)?.name)).size
    assert.equal(calls.filter((name) => name === 'pread64').length, 4, calls.join(' '))
    assert.equal(calls.length - 4, hierarchies, calls.join(' '))
  })
})
