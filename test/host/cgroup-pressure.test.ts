// Pressure stall information and its triggers. Needs root to make a group, and a kernel with CONFIG_PSI.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cgroup } from '../../src/linux/cgroup/index.ts'
import { createCgroup, readCgroupLayout, readHostPressure, watchPressure } from '../../src/linux/cgroup/index.ts'

const layout = readCgroupLayout()

const lacks = (t: TestContext): boolean => {
  const missing =
    process.getuid?.() !== 0
      ? 'root'
      : !existsSync('/proc/pressure/cpu')
        ? 'pressure stall information'
        : layout.kind === 'v1'
          ? 'a cgroup v2 hierarchy'
          : undefined
  if (missing !== undefined) t.skip(`needs ${missing}`)
  return missing !== undefined
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

const makeGroup = async (t: TestContext, name: string): Promise<Cgroup> => {
  const cgroup = createCgroup(layout, `tare-test-${process.pid}-${name}`, {}, { controllers: ['unified'] })
  t.after(async () => {
    await cgroup.kill()
    await cgroup.remove()
  })
  return cgroup
}

/** Two loops on one processor: one of them always waits. */
const compete = (cgroup: Cgroup): void => {
  for (let i = 0; i < 2; i += 1) {
    spawn('sh', ['-c', `echo 0 >${cgroup.unified}/cgroup.procs; exec taskset -c 0 sh -c 'while :; do :; done'`], {
      stdio: 'ignore',
    })
  }
}

describe('pressure', () => {
  it('of the host is read', (t) => {
    if (lacks(t)) return
    const { cpu, memory } = readHostPressure() ?? assert.fail()
    const total = Number(/^some .* total=(\d+)$/m.exec(readFileSync('/proc/pressure/cpu', 'utf8'))?.[1])
    assert.ok(cpu?.some !== undefined && cpu.some.total <= total && cpu.some.total > total - 10_000_000)
    assert.ok(memory?.full !== undefined)
  })

  it('of a group grows when its processes wait, and fires the trigger', async (t) => {
    if (lacks(t)) return
    const cgroup = await makeGroup(t, 'fire')
    const watch = watchPressure(`${cgroup.unified}/cpu.pressure`, { kind: 'some', stall: 100_000, window: 2_000_000 })
    compete(cgroup)
    assert.equal(await watch.next(), true)
    watch.close()
    assert.ok((cgroup.stats().pressure?.cpu?.some?.total ?? 0) >= 100_000)
  })

  it('does not fire without cause; closing ends the wait and leaves no descriptor', async (t) => {
    if (lacks(t)) return
    const cgroup = await makeGroup(t, 'calm')
    const make = (): ReturnType<typeof watchPressure> =>
      watchPressure(`${cgroup.unified}/cpu.pressure`, { kind: 'some', stall: 100_000, window: 2_000_000 })
    const first = make()
    const waiting = first.next()
    await sleep(100)
    first.close()
    assert.equal(await waiting, false)
    const before = descriptors()
    const second = make()
    const third = make()
    const wait = third.next()
    second.close()
    third.close()
    assert.equal(await wait, false)
    assert.equal(descriptors(), before)
    assert.equal(await third.next(), false)
  })

  it('of a group that is removed ends the wait', async (t) => {
    if (lacks(t)) return
    const cgroup = createCgroup(layout, `tare-test-${process.pid}-gone`, {}, { controllers: ['unified'] })
    const watch = watchPressure(`${cgroup.unified}/cpu.pressure`, { kind: 'some', stall: 100_000, window: 2_000_000 })
    const waiting = watch.next()
    await cgroup.remove()
    assert.equal(await waiting, false)
    watch.close()
  })

  it('of a file that is none says so', (t) => {
    if (lacks(t)) return
    const trigger = { kind: 'some', stall: 100_000, window: 2_000_000 } as const
    assert.throws(() => watchPressure('/proc/pressure/none', trigger), { code: 'ENOENT' })
    assert.throws(() => watchPressure('/proc/pressure/cpu', { ...trigger, window: 1 }), { code: 'ERR_TARE_INPUT' })
  })
})
