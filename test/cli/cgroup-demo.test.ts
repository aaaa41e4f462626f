// `tare cgroup demo`. Needs root to make groups.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupTree, hierarchyOf, readCgroupLayout } from '../../src/linux/index.ts'
import { NOBODY, ended, isRoot, startTare, tare } from './tare.ts'

const layout = readCgroupLayout()
const lacking = ['cpu', 'memory', 'pids'].find((controller) => hierarchyOf(layout, controller) === undefined)
const demo = { skip: isRoot ? (lacking === undefined ? false : `needs the ${lacking} controller`) : 'needs root' }

interface Phase {
  readonly name: string
  readonly figures: Readonly<Record<string, number>>
  readonly values: readonly number[]
}

interface Chapter {
  readonly id: string
  readonly skipped: string | null
  readonly phases: readonly Phase[]
}

/** What a demo of this process has left. */
const leftBy = (pid: number | undefined): readonly string[] => [
  ...cgroupTree(layout)
    .map(({ name }) => name)
    .filter((name) => name.includes(`/tare-demo-${pid}-`)),
  ...readdirSync(tmpdir()).filter((name) => name.startsWith(`tare-demo-${pid}-`)),
]

test('what it measures is what the kernel has counted; nothing is left', demo, async () => {
  const child = startTare(['cgroup', 'demo', '--quick', '--json'], ['ignore', 'pipe', 'inherit'])
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  assert.equal(await ended(child), 0)
  assert.deepEqual(leftBy(child.pid), [])
  const { chapters }: { chapters: readonly Chapter[] } = JSON.parse(text)
  assert.deepEqual(
    chapters.map(({ id }) => id),
    ['cpu', 'memory', 'disk', 'pids', 'freezer'],
  )
  const figures = (id: string): readonly Readonly<Record<string, number>>[] => {
    const chapter = chapters.find((one) => one.id === id)
    assert.equal(chapter?.skipped, null)
    return chapter?.phases.map((phase) => phase.figures) ?? []
  }
  const [, held, shared] = figures('cpu')
  assert.ok((held?.['throttledPeriods'] ?? 0) > 0, JSON.stringify(held))
  assert.ok((held?.['cpuTime'] ?? Infinity) < 2 * 10_000 * ((held?.['periods'] ?? 0) + 2), JSON.stringify(held))
  assert.ok((shared?.['sharePercent'] ?? 100) < 50, JSON.stringify(shared))
  const [free, limited] = figures('memory')
  assert.ok(free?.['oomKills'] === 0 && (free['peak'] ?? 0) > 24 * 2 ** 20, JSON.stringify(free))
  assert.ok(
    (limited?.['oomKills'] ?? 0) > 0 && (limited?.['peak'] ?? Infinity) <= 12 * 2 ** 20,
    JSON.stringify(limited),
  )
  const [bomb, contained] = figures('pids')
  assert.ok(bomb?.['refused'] === 0 && (bomb['peak'] ?? 0) > 16, JSON.stringify(bomb))
  assert.ok((contained?.['refused'] ?? 0) > 0 && (contained?.['peak'] ?? 99) <= 16, JSON.stringify(contained))
  const [running, frozen, thawed] = figures('freezer')
  assert.ok((frozen?.['cpuTime'] ?? Infinity) < 5000, JSON.stringify(frozen))
  for (const phase of [running, thawed]) assert.ok((phase?.['cpuTime'] ?? 0) > 5000, JSON.stringify(phase))
})

test('a disk is slowed down', { skip: demo.skip || (existsSync('/sys/dev/block') ? false : 'needs a disk') }, (t) => {
  const { status, stdout } = tare(['cgroup', 'demo', '--quick', '--json', '--only=disk'])
  assert.equal(status, 0)
  const { chapters }: { chapters: readonly Chapter[] } = JSON.parse(stdout)
  const [disk] = chapters
  if (disk?.skipped !== null) return t.skip(`needs a disk that can be limited: ${disk?.skipped}`)
  const [free, held] = disk.phases.map(({ figures }) => figures)
  assert.ok((held?.['bytes'] ?? 0) > 0 && (free?.['bytes'] ?? 0) >= 32 * 2 ** 20)
  // A second's worth may be let through at the beginning.
  assert.ok((held?.['bytes'] ?? Infinity) < 8 * 2 ** 20, JSON.stringify(held))
})

test('what can not be shown here is skipped aloud', demo, () => {
  const { status, stdout } = tare(['cgroup', 'demo', '--quick', '--only=disk', '--scratch=/proc'])
  assert.equal(status, 0)
  assert.match(
    stdout,
    /^1\. Block I\/O: .*\n[^]*\n {3}Skipped: cannot find the block device of \/proc: its file system/,
  )
})

test('blocks where the locale has them, else ASCII alone', demo, () => {
  const drawn = (LC_ALL: string): string =>
    tare(['cgroup', 'demo', '--quick', '--only=pids'], { env: { LC_ALL } }).stdout
  assert.match(drawn('C.UTF-8'), /┤[^\n]*█[^]*└─+┴─+\n +no limit +pids=16\n/)
  assert.match(drawn('C'), /^[\n\x20-\x7e]*#[\n\x20-\x7e]*\+-+\+-+\n +no limit +pids=16\n[\n\x20-\x7e]*$/)
})

test('^C ends it, and takes everything away', demo, async () => {
  const child = startTare(['cgroup', 'demo', '--only=freezer'], ['ignore', 'ignore', 'inherit'])
  for (let round = 0; leftBy(child.pid).length === 0 && round < 400; round++) await sleep(25)
  assert.equal(leftBy(child.pid).length, 1)
  child.kill('SIGINT')
  assert.equal(await ended(child), 130)
  assert.deepEqual(leftBy(child.pid), [])
})

test('what is left by one that was killed goes with the next', demo, async () => {
  const child = startTare(['cgroup', 'demo', '--only=pids'], ['ignore', 'ignore', 'inherit'])
  for (let round = 0; leftBy(child.pid).length === 0 && round < 400; round++) await sleep(25)
  child.kill('SIGKILL')
  await ended(child)
  assert.equal(leftBy(child.pid).length, 1)
  assert.equal(tare(['cgroup', 'demo', '--quick', '--only=pids']).status, 0)
  assert.deepEqual(leftBy(child.pid), [])
})

test('what makes no sense, or is not allowed, is one error', demo, () => {
  const error = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = tare(['cgroup', 'demo', ...args])
    assert.deepEqual({ status, stdout }, { status: 125, stdout: '' })
    return stderr
  }
  assert.match(
    error('--only=disc'),
    /^tare: cannot use --only=disc of tare cgroup demo: there is no such choice\nDid you mean disk\?\n$/,
  )
  assert.match(error('--scratch=/none'), /^tare: cannot use --scratch=\/none: there is no such directory\n$/)
  const { status, stdout, stderr } = tare(['cgroup', 'demo'], { as: NOBODY })
  assert.deepEqual({ status, stdout }, { status: 125, stdout: '' })
  assert.match(stderr, /^tare: cannot find a place for cgroups: [^\n]+\n[^\n]*root[^\n]*\n$/)
})
