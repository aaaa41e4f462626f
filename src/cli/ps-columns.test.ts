import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ContainedProcess, FoundContainer } from '../index.ts'
import type { Line } from './ps-columns.ts'
import { ageText, commandText, DEFAULT_COLUMNS, labelOf, PS_COLUMNS, timeText, TREE_COLUMNS } from './ps-columns.ts'

const PROCESS: ContainedProcess = {
  pid: 4711,
  pids: [4711, 7, 1],
  ppid: 4700,
  name: 'nginx',
  commandLine: ['nginx: master process', '', ''],
  state: 'S',
  threads: 3,
  isKernelThread: false,
  uid: 1000,
  user: 'alice',
  uidInside: 0,
  cpuTime: 62_340_000,
  cpuPercent: 12.34,
  memory: 3 * 1024 * 1024,
  startTime: new Date(0),
  age: 3_723_000,
  cgroup: '/machine.slice/web',
}

const CONTAINER: FoundContainer = {
  kind: 'container',
  madeBy: 'podman',
  name: undefined,
  id: '8f3ac2d1e0b7a6c5',
  namespace: { kind: 'pid', inode: 4 },
  namespaces: [
    { kind: 'mnt', inode: 3 },
    { kind: 'pid', inode: 4 },
  ],
  leader: 4711,
  maker: 4700,
  parent: undefined,
  cgroup: '/machine.slice/web',
  processes: [PROCESS],
}

const show = (line: Line): Readonly<Record<string, string>> =>
  Object.fromEntries(PS_COLUMNS.map(({ name, cell }) => [name, cell(line)]))

test('a process on both sides', () => {
  assert.deepEqual(show({ process: PROCESS, container: CONTAINER }), {
    pid: '4711 → 7 → 1',
    ppid: '4700',
    user: 'alice → 0',
    cpu: '12.3',
    time: '1:02.34',
    memory: '3MiB',
    age: '1h02m',
    started: '1970-01-01 00:00:00',
    state: 'S',
    threads: '3',
    cgroup: '/machine.slice/web',
    container: '8f3ac2d1e0b7',
    maker: 'podman',
    namespaces: 'mnt pid',
    name: 'nginx',
    command: 'nginx: master process',
  })
})

test('what can not be known, or is the same on both sides, is not shown', () => {
  const process = { ...PROCESS, uid: 0, user: 'root', memory: undefined, cgroup: undefined, commandLine: [] }
  const { user, memory, cgroup, container, maker, command } = show({ process, container: undefined })
  assert.deepEqual([user, memory, cgroup, container, maker, command], ['root', '', '', '', '', '[nginx]'])
  assert.equal(
    show({ process: { ...PROCESS, uidInside: undefined, user: undefined }, container: undefined })['user'],
    '1000 → ?',
  )
})

test('a container is called by its name, else by its id, else by its first process', () => {
  assert.equal(labelOf({ ...CONTAINER, name: 'web' }), 'web')
  assert.equal(labelOf(CONTAINER), '8f3ac2d1e0b7')
  assert.equal(labelOf({ ...CONTAINER, id: undefined }), 'pid 4711')
  assert.equal(labelOf({ ...CONTAINER, kind: 'host', id: undefined }), 'host')
})

test('times and ages in the units that fit them', () => {
  assert.deepEqual([0, 20_000, 59_999_999, 3_600_000_000, 100 * 3_600_000_000].map(timeText), [
    '0:00.00',
    '0:00.02',
    '0:59.99',
    '1:00:00',
    '100:00:00',
  ])
  const day = 86_400_000
  assert.deepEqual([0, 59_999, 60_000, 3_599_000, 3_600_000, day - 1, day, 12 * day + 7 * 3_600_000].map(ageText), [
    '0s',
    '59s',
    '1m00s',
    '59m59s',
    '1h00m',
    '23h59m',
    '1d00h',
    '12d07h',
  ])
})

test('a command line as a process wrote it over its own is shown without what is left behind it', () => {
  assert.equal(commandText({ ...PROCESS, commandLine: ['sh', '-c', 'a b'] }), 'sh -c a b')
})

test('each column has a name of its own, and the default ones are there', () => {
  const names = PS_COLUMNS.map(({ name }) => name)
  assert.equal(new Set(names).size, names.length)
  for (const name of [...DEFAULT_COLUMNS.split(','), ...TREE_COLUMNS.split(',')]) assert.ok(names.includes(name), name)
})

test('numbers are sorted from the largest down, text upwards', () => {
  const other: Line = { process: { ...PROCESS, pid: 5000, cpuTime: 1, user: 'bob' }, container: undefined }
  const line: Line = { process: PROCESS, container: undefined }
  const order = (name: string): readonly number[] =>
    [other, line].toSorted(PS_COLUMNS.find((column) => column.name === name)?.compare).map(({ process }) => process.pid)
  assert.deepEqual(order('pid'), [4711, 5000])
  assert.deepEqual(order('time'), [4711, 5000])
  assert.deepEqual(order('user'), [4711, 5000])
  assert.deepEqual(order('memory'), [5000, 4711])
})
