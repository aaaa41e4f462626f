import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseKernelLogRecord } from './kernel-log.ts'
import type { OomVictim } from './oom-report.ts'
import { OomReader } from './oom-report.ts'

const readAll = (messages: readonly string[]): readonly OomVictim[] => {
  const reader = new OomReader()
  return messages.map((message) => reader.take(message)).filter((victim) => victim !== undefined)
}

const report = (group: string, name: string, pid: number, scope = `oom_memcg=/shop`): string =>
  `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,${scope},task_memcg=${group},task=${name},pid=${pid},uid=7`

const killed = (name: string, pid: number): string =>
  `Memory cgroup out of memory: Killed process ${pid} (${name}) total-vm:35744kB, anon-rss:8064kB, file-rss:1668kB, shmem-rss:0kB, UID:7 pgtables:64kB oom_score_adj:0`

describe('what the kernel says of those it killed', () => {
  it('is the process, its size, its group, and whose limit it was', () => {
    assert.deepEqual(
      readAll(['dd invoked oom-killer: gfp_mask=0xcc0', report('/shop/web', 'dd', 5), killed('dd', 5)]),
      [{ pid: 5, name: 'dd', uid: 7, anon: 8064 * 1024, limitOf: '/shop', group: '/shop/web' }],
    )
    assert.equal(readAll([report('/shop', 'dd', 5, 'global_oom'), killed('dd', 5)])[0]?.limitOf, undefined)
  })

  it('is without a group where that line was left out, or is of another process', () => {
    assert.equal(readAll([killed('dd', 5)])[0]?.group, undefined)
    assert.equal(readAll([report('/shop', 'dd', 4), killed('dd', 5)])[0]?.group, undefined)
  })

  it('is every process of a group that is killed as a whole, each once', () => {
    const whole = 'Tasks in /shop are going to be killed due to memory.oom.group set'
    const victims = readAll([report('/shop', 'a', 1), killed('a', 1), whole, killed('a', 1), killed('b', 2)])
    assert.deepEqual(
      victims.map(({ pid, group }) => [pid, group]),
      [
        [1, '/shop'],
        [2, '/shop'],
      ],
    )
  })

  it('holds whatever name a process gives itself', () => {
    const name = fc.oneof(
      fc.constantFrom('x,pid=1,uid=0', ',task=y', ') total-vm:', 'a (b) c', ',task_memcg=/'),
      fc.string({ minLength: 1, maxLength: 15 }).filter((text) => !/[\n]/.test(text)),
    )
    fc.assert(
      fc.property(name, fc.integer({ min: 1, max: 4e6 }), (comm, pid) => {
        const [victim] = readAll([report('/shop/web', comm, pid), killed(comm, pid)])
        assert.equal(victim?.name, comm)
        assert.equal(victim?.pid, pid)
        assert.equal(victim?.group, '/shop/web')
      }),
    )
  })

  it('is the kernel’s own word, its escapes undone', () => {
    assert.equal(parseKernelLogRecord('6,1506,14192,-;caf\\xc3\\xa9 \\x5c\n SUBSYSTEM=x\n'), 'café \\')
    assert.equal(parseKernelLogRecord('12,1506,14192,-;Killed process 1 (init)\n'), undefined)
  })
})
