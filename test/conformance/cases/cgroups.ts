import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readCgroupLayout } from '../../../src/linux/cgroup/layout.ts'
import type { Case, Differs } from '../case.ts'
import { lives } from '../case.ts'
import type { Config } from '../config.ts'
import { CGROUPS } from '../config.ts'
import type { Container } from '../container.ts'
import { refuses } from '../expect.ts'

const PATH = 'config-linux.md, Cgroups Path'

/** A file of the container's group, by the controller whose it is and its name in each version. */
interface Setting {
  readonly controller: string
  readonly v1?: readonly [file: string, value: string]
  readonly v2?: readonly [file: string, value: string]
  readonly differs?: Differs
}

const hierarchyOf = (controller: string): ReturnType<typeof readCgroupLayout>['hierarchies'][number] | undefined =>
  readCgroupLayout().hierarchies.find(({ controllers }) => controllers.includes(controller))

const lacks =
  ({ controller, v1, v2 }: Setting) =>
  (): string | undefined => {
    const hierarchy = hierarchyOf(controller)
    if (hierarchy === undefined) return `this host has no ${controller} controller`
    if ((hierarchy.version === 1 ? v1 : v2) !== undefined) return undefined
    return `this host has the ${controller} controller on version ${hierarchy.version}`
  }

const read = (container: Container, { controller, v1, v2 }: Setting): readonly [string, string] => {
  const hierarchy = hierarchyOf(controller)
  assert.ok(hierarchy !== undefined)
  const [file, value] = (hierarchy.version === 1 ? v1 : v2) ?? ['', '']
  return [readFileSync(join(hierarchy.mountPoint, CGROUPS, container.id, file), 'ascii').trim(), value]
}

/** A limit is in the group's file while the container is created. */
const limits = (section: string, must: string, resources: Config, ...settings: readonly Setting[]): Case =>
  lives(
    `config-linux.md, ${section}`,
    must,
    { linux: { resources } },
    (container) => {
      container.create()
      for (const setting of settings) {
        const [found, value] = read(container, setting)
        assert.equal(found, value)
      }
    },
    {
      lacks: () => settings.map((setting) => lacks(setting)()).find((reason) => reason !== undefined),
      differs: settings[0]?.differs ?? {},
    },
  )

export const cgroupCases: readonly Case[] = [
  lives(
    PATH,
    'an absolute path is relative to where the hierarchy is mounted',
    { process: { args: ['sleep', '60'] } },
    async (container) => {
      container.create()
      container.must('start', container.id)
      const pid = Number(container.state()?.['pid'])
      const lines = readFileSync(`/proc/${pid}/cgroup`, 'ascii').trim().split('\n')
      const inIt = lines.filter((line) => line.endsWith(`:/${CGROUPS}/${container.id}`))
      assert.notEqual(inIt.length, 0, lines.join('\n'))
      assert.ok(
        inIt.some((line) => /:(memory|pids)(,|:)|^0::/.test(line)),
        inIt.join('\n'),
      )
      container.must('kill', container.id, 'KILL')
      await container.until('stopped')
    },
  ),
  lives(PATH, 'groups go with the container', { process: { args: ['true'] } }, async (container) => {
    container.create()
    assert.notEqual(container.groups().length, 0)
    container.must('start', container.id)
    await container.until('stopped')
    container.must('delete', container.id)
    assert.deepEqual(container.groups(), [])
  }),
  limits(
    'Memory',
    'limit',
    { memory: { limit: 33_554_432 } },
    {
      controller: 'memory',
      v1: ['memory.limit_in_bytes', '33554432'],
      v2: ['memory.max', '33554432'],
    },
  ),
  limits(
    'Memory',
    'reservation',
    { memory: { reservation: 16_777_216 } },
    {
      controller: 'memory',
      v1: ['memory.soft_limit_in_bytes', '16777216'],
      v2: ['memory.low', '16777216'],
    },
  ),
  limits(
    'Memory',
    'swap, which is memory and swap together',
    { memory: { limit: 33_554_432, swap: 50_331_648 } },
    {
      controller: 'memory',
      v1: ['memory.memsw.limit_in_bytes', '50331648'],
      v2: ['memory.swap.max', '16777216'],
    },
  ),
  limits(
    'Memory',
    'swappiness',
    { memory: { swappiness: 20 } },
    { controller: 'memory', v1: ['memory.swappiness', '20'] },
  ),
  limits('CPU', 'shares', { cpu: { shares: 2048 } }, { controller: 'cpu', v1: ['cpu.shares', '2048'] }),
  limits(
    'CPU',
    'quota and period',
    { cpu: { quota: 25_000, period: 50_000 } },
    { controller: 'cpu', v1: ['cpu.cfs_quota_us', '25000'], v2: ['cpu.max', '25000 50000'] },
    { controller: 'cpu', v1: ['cpu.cfs_period_us', '50000'], v2: ['cpu.max', '25000 50000'] },
  ),
  limits(
    'CPU',
    'cpus and mems',
    { cpu: { cpus: '0', mems: '0' } },
    {
      controller: 'cpuset',
      v1: ['cpuset.cpus', '0'],
      v2: ['cpuset.cpus', '0'],
    },
  ),
  limits(
    'PIDs',
    'limit',
    { pids: { limit: 77 } },
    { controller: 'pids', v1: ['pids.max', '77'], v2: ['pids.max', '77'] },
  ),
  limits(
    'PIDs',
    'a limit of -1 is none',
    { pids: { limit: -1 } },
    { controller: 'pids', v1: ['pids.max', 'max'], v2: ['pids.max', 'max'], differs: { crun: 'crun 1.8 fails at it' } },
  ),
  limits(
    'Network',
    'classID',
    { network: { classID: 1_048_577 } },
    { controller: 'net_cls', v1: ['net_cls.classid', '1048577'] },
  ),
  lives(
    'config-linux.md, Unified',
    'a file that none of the properties is about is written',
    { linux: { resources: { unified: { 'memory.high': '33554432' } } } },
    (container) => {
      container.create()
      assert.equal(read(container, { controller: 'memory', v2: ['memory.high', '33554432'] })[0], '33554432')
    },
    { lacks: lacks({ controller: 'memory', v2: ['memory.high', ''] }) },
  ),
  refuses(
    'config-linux.md, Unified',
    'a controller that isn’t there is an error',
    { linux: { resources: { unified: { 'nonesuch.max': '1' } } } },
    { differs: { crun: 'crun 1.8 leaves groups when a limit can’t be set' } },
  ),
]
