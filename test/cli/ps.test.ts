// `tare ps`: what it prints, and what it refuses.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { FoundContainer } from '../../src/index.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { isRoot, NOBODY, tare } from './tare.ts'

const NO_ROOT = isRoot ? false : 'needs root'

/** PID 1 of a container whose name is out to do harm, with a child of its own user. */
const start = async (t: TestContext): Promise<number> => {
  const script = 'exec -a "evil \x1b]0;\x07\n  1 → 1   root" sleep 1000'
  const child = spawn('unshare', ['-pf', '--kill-child', 'bash', '-c', `echo there; ${script}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = once(child, 'close')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  await once(child.stdout, 'data')
  const [pid] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'ascii').trim().split(' ')
  assert.ok(pid !== undefined && pid !== '')
  return Number(pid)
}

const ps = (...args: readonly string[]): string => {
  const { status, stdout, stderr } = tare(['ps', ...args])
  assert.equal(status, 0, stderr)
  return stdout
}

const COMMAND = String.raw`evil \x1b]0;\x07\x0a  1 → 1   root 1000`

test(
  'a container is a heading, and a line for each process with its ids on both sides',
  { skip: NO_ROOT },
  async (t) => {
    const pid = await start(t)
    const [titles, heading, line, ...rest] = ps(String(pid)).split('\n')
    assert.match(titles ?? '', /^ {2}PID +USER +%CPU +TIME +MEMORY +AGE +COMMAND$/)
    assert.match(heading ?? '', new RegExp(`^pid ${pid}   by unshare   pid(   /|$)`))
    assert.equal(line?.slice(line.indexOf('evil')), COMMAND)
    assert.match(line ?? '', new RegExp(`^  ${pid} → 1 +root +[0-9.]+ +0:0\\d\\.\\d\\d +\\S+iB +\\d+s +evil`))
    assert.deepEqual(rest, [''])
    // The others are there too.
    assert.ok(ps().includes(COMMAND))
  },
)

test('columns of choice make a plain table', { skip: NO_ROOT }, async (t) => {
  const pid = await start(t)
  const lines = ps('-o', 'pid,maker,namespaces,container,command', String(pid)).split('\n')
  assert.deepEqual(
    lines.map((line) => line.split(/ {2,}/, 4)),
    [['PID', 'MADE BY', 'NAMESPACES', 'CONTAINER'], [`${pid} → 1`, 'unshare', 'pid', `pid ${pid}`], ['']],
  )
  const pids = ps('--sort=age', '--columns=age,pid').split('\n')
  assert.match(pids[0] ?? '', /^ *AGE +PID$/)
  assert.ok(pids.some((line) => line.endsWith(` ${pid} → 1`)))
})

test('a tree starts at PID 1 of the host', { skip: NO_ROOT }, async (t) => {
  const pid = await start(t)
  const lines = ps('--tree', String(pid)).trimEnd().split('\n')
  assert.match(lines[0] ?? '', /^PID +USER +%CPU +MEMORY +CONTAINER +COMMAND$/)
  assert.match(lines[1] ?? '', /^1 +root /)
  assert.match(lines.at(-2) ?? '', /└ unshare -pf --kill-child/)
  assert.match(lines.at(-1) ?? '', new RegExp(`^${pid} → 1 +root .* pid ${pid} +└ evil`))
})

test('the JSON has every key, and what the library returns', { skip: NO_ROOT }, async (t) => {
  const pid = await start(t)
  const [found, ...more] = JSON.parse(ps('--json', String(pid))) as readonly FoundContainer[]
  assert.deepEqual(more, [])
  assert.deepEqual(Object.keys(found ?? {}), [
    'kind',
    'madeBy',
    'name',
    'id',
    'namespace',
    'namespaces',
    'leader',
    'maker',
    'parent',
    'cgroup',
    'processes',
  ])
  assert.equal(found?.id, null)
  const [process] = found?.processes ?? []
  assert.deepEqual([process?.pids, process?.uidInside, process?.user], [[pid, 1], 0, 'root'])
  assert.deepEqual(process?.commandLine, ['evil \x1b]0;\x07\n  1 → 1   root', '1000'])
  assert.equal(typeof process?.cgroup, 'string')
  const [root] = JSON.parse(ps('--json', '--tree', String(pid))) as readonly {
    readonly process: { readonly pid: number }
  }[]
  assert.equal(root?.process.pid, 1)
})

test('the processes of the host are shown on request', () => {
  const lines = ps('--all').split('\n')
  assert.ok(lines.includes('host'))
  assert.ok(lines.some((line) => line.startsWith(`  ${process.pid} `)))
})

test('an ordinary user sees ids on both sides too', { skip: NO_ROOT }, async (t) => {
  const pid = await start(t)
  const { status, stdout, stderr } = tare(['ps', String(pid)], { as: NOBODY })
  assert.equal(status, 0, stderr)
  const [, heading, line] = stdout.split('\n')
  assert.match(heading ?? '', new RegExp(`^pid ${pid}   by unshare(   /|$)`))
  assert.match(line ?? '', new RegExp(`^  ${pid} → 1 +root `))
})

test(
  'on a terminal lines are as wide as that, and services are mentioned only',
  { skip: NO_ROOT || NO_TERMINAL },
  async (t) => {
    const pid = await start(t)
    const session = new Session(['ps', String(pid)], { rows: 24, columns: 72 })
    assert.equal(await session.status, 0)
    const { text } = session
    session.close()
    const plain = stripVTControlCharacters(text).split('\r\n')
    assert.notEqual(plain.join('\r\n'), text)
    assert.ok(
      plain.some((line) => line.includes('evil') && line.endsWith('…')),
      text,
    )
    assert.ok(
      plain.every((line) => line.length <= 72),
      text,
    )
  },
)

const refusal = (...args: readonly string[]): readonly string[] => {
  const { status, stdout, stderr } = tare(['ps', ...args])
  assert.deepEqual([status, stdout], [125, ''])
  return stderr.trimEnd().split('\n')
}

test('bad input is one clear error, and nothing is printed', () => {
  assert.deepEqual(refusal('0x12'), [
    'tare: cannot use "0x12": it is no process id',
    'It is a number, such as "tare ps" shows.',
  ])
  assert.deepEqual(refusal('--columns=pid,containr'), [
    'tare: cannot use --columns=pid,containr: there is no column "containr"',
    'Did you mean container?',
  ])
  assert.match(refusal('--sort=size')[0] ?? '', /there is no such choice/)
  assert.match(refusal('--tree', '--sort=cpu')[0] ?? '', /a tree has an order of its own/)
  const { pid } = spawnSync('true')
  assert.deepEqual(refusal(String(pid)), [
    `tare: cannot find the container of process ${pid}: ESRCH (no such process)`,
    'It has ended, or lives in another pid namespace.',
  ])
  assert.deepEqual(refusal(String(process.pid)), [
    `tare: cannot find the container of process ${process.pid}: it is in none`,
    'It is in the namespaces of the host.',
  ])
})
