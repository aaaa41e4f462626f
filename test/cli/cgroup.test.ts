// The commands of `tare cgroup`, on whichever layout this host has. Needs root.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tare } from './tare.ts'

test('ls lists the root and what is below it', () => {
  const { status, stdout, stderr } = tare(['cgroup', 'ls', '/'])
  assert.equal(status, 0, stderr)
  const [titles = '', root = ''] = stdout.split('\n')
  assert.match(titles, /^GROUP +PROCESSES /)
  assert.match(root, /^\/ +\d+ /)
})

test('ls --json has the processes of the root', () => {
  const { stdout } = tare(['cgroup', 'ls', '--json'])
  const [root]: { name: string; processes: readonly number[] }[] = JSON.parse(stdout)
  assert.equal(root?.name, '/')
  assert.ok((root?.processes.length ?? 0) > 0)
})

test('ls of a group that is not there says so', () => {
  const { status, stderr } = tare(['cgroup', 'ls', '/tare-no-such-group'])
  assert.equal(status, 125)
  assert.match(stderr, /^tare: cannot find cgroup \/tare-no-such-group: there is no such group\n/)
})
