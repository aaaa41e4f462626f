// `tare demo`. Needs user namespaces.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Called } from './tare.ts'
import { NOBODY, NO_CONTAINERS, isRoot, tare } from './tare.ts'

const container = { skip: NO_CONTAINERS }

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts']

const check = ({ status, stdout, stderr }: Called): ReadonlyMap<string, readonly string[]> => {
  assert.deepEqual([status, stderr], [0, ''])
  const lines = stdout.split('\n')
  for (const line of lines) assert.ok(line.length <= 100, line)
  assert.deepEqual(lines[0]?.split(/ {2,}/), ['what', 'host', 'container'])
  assert.match(stdout, /^A container with all of that takes [\d.]+ ms, from start to end/m)
  assert.match(stdout, /^Try next: /m)
  const rows = new Map(lines.map((line) => line.split(/ {3,}/)).map(([what = '', ...cells]) => [what, cells]))
  for (const kind of NAMESPACES) {
    const [host = '', inside = ''] = rows.get(`${kind} namespace`) ?? []
    assert.match(host, /^\d+$/, kind)
    assert.match(inside, /^\d+$/, kind)
    assert.notEqual(host, inside, kind)
  }
  assert.deepEqual(rows.get('process id')?.[1], '2')
  assert.deepEqual(rows.get('processes in sight')?.[1], '2')
  assert.deepEqual(rows.get('network interfaces')?.[1], 'lo')
  assert.deepEqual(rows.get('can gain privileges')?.[1], 'no')
  assert.deepEqual(rows.get('system calls')?.[1], 'filtered')
  assert.match(rows.get('capabilities')?.[1] ?? '', /^10: chown /)
  return rows
}

test('it shows both sides, as whoever runs it', container, () => {
  const rows = check(tare(['demo']))
  assert.match(rows.get('user id')?.[1] ?? '', /^0, which is \d+/)
})

test('an ordinary user sees it too, and is told why there are no limits, if there are none', container, (t) => {
  if (!isRoot) {
    t.skip('needs root, to become another user')
    return
  }
  const called = tare(['demo'], { as: NOBODY, cwd: '/' })
  const rows = check(called)
  assert.match(rows.get('user id')?.[1] ?? '', /^0, which is 65534/)
  const limited = rows.get('memory, at most')?.[1] === '64 MiB'
  assert.equal(/^It has no limits: cannot /m.test(called.stdout), !limited)
})

test('on a terminal that has colours, what differs is green', container, () => {
  const { stdout } = tare(['demo'], { env: { FORCE_COLOR: '1' } })
  assert.ok(stdout.includes('\u001b[32mlo\u001b[39m'))
})
