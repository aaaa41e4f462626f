// `tare cgroup watch`. Needs root to make a group.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { createCgroup, hierarchyOf, readCgroupLayout } from '../../src/linux/index.ts'
import { ended, isRoot, startTare, tare } from './tare.ts'

const layout = readCgroupLayout()
const groups = { skip: isRoot ? (layout.kind === 'none' ? 'needs a cgroup hierarchy' : false) : 'needs root' }

test('it prints events until the group is gone, for people or as JSON', groups, async (t) => {
  const group = createCgroup(layout, `tare-test-${process.pid}-watch`, {}, { controllers: ['pids'] })
  t.after(() => group.remove())
  const watch = (args: readonly string[]): { text: () => string; child: ReturnType<typeof startTare> } => {
    const child = startTare(['cgroup', 'watch', '--pressure=none', group.name, ...args], ['ignore', 'pipe', 'inherit'])
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
    return { text: () => text, child }
  }
  const watches = [watch([]), watch(['--json'])]
  await Promise.all(watches.map(({ child }) => (child.stdout === null ? undefined : once(child.stdout, 'data'))))
  const ends = watches.map(({ child }) => ended(child))
  await group.remove()
  assert.deepEqual(await Promise.all(ends), [0, 0])
  const [people = '', programs = ''] = watches.map(({ text }) => text())
  const clock = String.raw`\d\d:\d\d:\d\d\.\d{3}`
  assert.match(
    people,
    new RegExp(`^${clock}  watching   /tare-test-\\S+: it has no processes\n${clock}  removed    the group is gone\n$`),
  )
  const kinds = programs
    .trimEnd()
    .split('\n')
    .map((line): { kind: string } => JSON.parse(line))
    .map(({ kind }) => kind)
  assert.deepEqual(kinds, ['watching', 'removed'])
})

test('^C ends it', groups, async () => {
  const child = startTare(['cgroup', 'watch', '/'], ['ignore', 'pipe', 'inherit'])
  child.stdout?.once('data', () => child.kill('SIGINT'))
  child.stdout?.resume()
  assert.equal(await ended(child), 130)
})

test('what can not be watched is one error', groups, async (t) => {
  const error = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = tare(['cgroup', 'watch', ...args])
    assert.deepEqual({ status, stdout }, { status: 125, stdout: '' })
    return stderr
  }
  assert.match(error('/tare-none'), /^tare: cannot find cgroup \/tare-none: there is no such group\n/)
  assert.match(error(), /^tare: cannot use tare cgroup watch: GROUP is missing\n/)
  assert.match(
    error('/', '--pressure=disk'),
    /^tare: cannot use --pressure=disk: it is no pressure that can be watched\n/,
  )
  assert.match(error('/', '--pressure=cpu:some:0'), /^tare: cannot use --pressure=cpu:some:0: /)
  assert.match(
    error('/', '--pressure=none', '--pressure=cpu'),
    /^tare: cannot use --pressure=none: another is asked for/,
  )
  assert.match(error('/', '--threshold=much'), /^tare: cannot use "much" as --threshold: it is not a size\n/)
  assert.match(error('/', '-n0'), /^tare: cannot use --count=0: /)
  if (hierarchyOf(layout, 'pids')?.version !== 1) return
  const group = createCgroup(layout, `tare-test-${process.pid}-watch-v1`, {}, { controllers: ['pids'] })
  t.after(() => group.remove())
  assert.match(
    error(group.name, '--pressure=cpu'),
    /^tare: cannot watch the pressure of cgroup \/tare\S+: the group is not in /,
  )
  assert.match(error(group.name, '--threshold=1m'), /^tare: cannot watch thresholds of memory of \/tare\S+: /)
})
