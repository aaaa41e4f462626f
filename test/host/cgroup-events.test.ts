// What happens to a group, as the kernel tells it. Needs root to make groups and to read the log of the kernel.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import type { Cgroup, CgroupEvent, CgroupEventsOptions } from '../../src/linux/cgroup/index.ts'
import { cgroupEvents, createCgroup, hierarchyOf, readCgroupLayout } from '../../src/linux/cgroup/index.ts'

const layout = readCgroupLayout()
const skip = process.getuid?.() !== 0 ? 'needs root' : false
const version = (controller: string): 1 | 2 | undefined => hierarchyOf(layout, controller)?.version
const CONTROLLERS = ['memory', 'pids', 'freezer', 'unified'].filter((name) => version(name) !== undefined)
const timeout = 90_000

const makeGroup = (t: TestContext, name: string): Cgroup => {
  const limits = { memory: { max: 16 * 2 ** 20, swap: 0 }, pids: 6 }
  const group = createCgroup(layout, `tare-test-${process.pid}-${name}`, limits, { controllers: CONTROLLERS })
  t.after(async () => {
    await group.kill()
    await group.remove()
  })
  return group
}

/** Runs a script in the group. */
const start = (group: Cgroup, script: string): void => {
  const joining = group.joinFiles().map((file) => `echo 0 >${file}`)
  spawn('sh', ['-c', [...joining, script].join('; ')], { stdio: 'ignore' })
}

/** A watch that has begun, and what it has told. */
class Listener {
  readonly seen: CgroupEvent[] = []
  readonly #events: AsyncGenerator<CgroupEvent, void, void>

  constructor(group: Cgroup, options: CgroupEventsOptions = { pressure: [] }) {
    this.#events = cgroupEvents(group.name, options)
  }

  /** The next event of which that is true. */
  async until(is: (event: CgroupEvent) => boolean): Promise<CgroupEvent> {
    for (;;) {
      const { value } = await this.#events.next()
      if (value === undefined) throw new Error(`there are no more events after ${JSON.stringify(this.seen)}`)
      this.seen.push(value)
      if (is(value)) return value
    }
  }

  /** An event of which that is true, be it one that was told before. What is looked at comes in no order. */
  async told(is: (event: CgroupEvent) => boolean): Promise<CgroupEvent> {
    return this.seen.find(is) ?? this.until(is)
  }

  close(): Promise<unknown> {
    return this.#events.return()
  }
}

const listen = async (t: TestContext, group: Cgroup, options?: CgroupEventsOptions): Promise<Listener> => {
  const listener = new Listener(group, options)
  t.after(() => listener.close())
  await listener.until(({ kind }) => kind === 'watching')
  return listener
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

describe('events of a group', { skip, timeout }, () => {
  it('begin with what it is now, and end with its end', async (t) => {
    const group = makeGroup(t, 'end')
    const before = descriptors()
    const listener = new Listener(group)
    const { time, ...first } = await listener.until(() => true)
    assert.ok(time > 0)
    assert.deepEqual(first, { kind: 'watching', populated: false, frozen: false, missing: [] })
    await group.remove()
    await listener.until(({ kind }) => kind === 'removed')
    assert.deepEqual(
      listener.seen.map(({ kind }) => kind),
      ['watching', 'removed'],
    )
    await assert.rejects(
      listener.until(() => true),
      /no more events/,
    )
    assert.equal(descriptors(), before)
  })

  it('tell that memory ran out, and who was killed', async (t) => {
    const group = makeGroup(t, 'oom')
    const listener = await listen(t, group)
    start(group, 'exec dd if=/dev/zero of=/dev/null bs=64M count=1')
    const killed = await listener.until(({ kind }) => kind === 'killed')
    assert.ok(killed.kind === 'killed')
    const { name, uid, anon, limitOf, group: where } = killed
    assert.deepEqual({ name, uid, limitOf, where }, { name: 'dd', uid: 0, limitOf: group.name, where: group.name })
    assert.ok(anon > 2 ** 20 && anon <= 16 * 2 ** 20)
    await listener.told((event) => event.kind === 'counter' && event.counter === 'oom_kill' && event.total === 1)
    if (version('memory') === 1) assert.ok(listener.seen.some(({ kind }) => kind === 'oom'))
  })

  it('tell that forks were refused, and that the group is empty again', async (t) => {
    const group = makeGroup(t, 'fork')
    const listener = await listen(t, group)
    start(group, 'for i in 1 2 3 4 5 6 7; do sleep 0.2 & done; wait')
    await listener.until((event) => event.kind === 'populated' && event.populated)
    const refused = await listener.told(({ kind }) => kind === 'counter')
    assert.ok(refused.kind === 'counter' && refused.count > 0 && refused.total === refused.count)
    assert.deepEqual([refused.file, refused.counter], ['pids.events', 'max'])
    await listener.told((event) => event.kind === 'populated' && !event.populated)
  })

  it('tell that it was frozen and thawed', async (t) => {
    const group = makeGroup(t, 'freeze')
    const listener = await listen(t, group)
    start(group, 'sleep 5')
    await listener.until((event) => event.kind === 'populated' && event.populated)
    await group.freeze()
    await listener.until((event) => event.kind === 'frozen' && event.frozen)
    group.thaw()
    await listener.until((event) => event.kind === 'frozen' && !event.frozen)
  })

  it('tell that processes wait for long, and that they no longer do', async (t) => {
    if (layout.kind === 'v1') return t.skip('needs a cgroup v2 hierarchy')
    const group = makeGroup(t, 'wait')
    const pressure = [{ resource: 'cpu', kind: 'some', stall: 100_000, window: 2_000_000 }] as const
    const listener = await listen(t, group, { pressure })
    for (let i = 0; i < 2; i += 1) start(group, "exec taskset -c 0 timeout 1 sh -c 'while :; do :; done'")
    const first = await listener.until(({ kind }) => kind === 'pressure')
    assert.ok(first.kind === 'pressure' && first.above && first.resource === 'cpu')
    await listener.until((event) => event.kind === 'pressure' && !event.above)
  })

  it('tell that memory is hard to reclaim, and crosses a threshold', async (t) => {
    if (version('memory') !== 1) return t.skip('needs the memory controller on cgroup v1')
    const group = makeGroup(t, 'level')
    const listener = await listen(t, group, { pressure: [], thresholds: [8 * 2 ** 20] })
    start(group, 'exec dd if=/dev/zero of=/dev/null bs=64M count=1')
    const up = await listener.until(({ kind }) => kind === 'threshold')
    assert.ok(up.kind === 'threshold' && up.above && up.current >= up.threshold)
    await listener.until(({ kind }) => kind === 'level')
    await listener.until((event) => event.kind === 'threshold' && !event.above)
  })

  it('refuse what can not be watched', async (t) => {
    await assert.rejects(cgroupEvents('/tare-none').next(), { code: 'ERR_TARE_INPUT' })
    const group = makeGroup(t, 'refuse')
    const thresholds = version('memory') === 1 ? [-1] : [4096]
    await assert.rejects(cgroupEvents(group.name, { thresholds }).next(), { code: 'ERR_TARE_INPUT' })
    const pressure = [{ resource: 'cpu', kind: 'some', stall: 1, window: 1 }] as const
    const before = descriptors()
    await assert.rejects(cgroupEvents(group.name, { pressure }).next(), { code: 'ERR_TARE_INPUT' })
    assert.equal(descriptors(), before)
  })

  it('stop at the signal, and leave no descriptor', async (t) => {
    const group = makeGroup(t, 'stop')
    const before = descriptors()
    const controller = new AbortController()
    const kinds: string[] = []
    for await (const { kind } of cgroupEvents(group.name, { signal: controller.signal })) {
      kinds.push(kind)
      setTimeout(() => controller.abort(), 20)
    }
    assert.deepEqual(kinds, ['watching'])
    assert.equal(descriptors(), before)
  })
})
