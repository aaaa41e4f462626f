import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Lacking } from './features.ts'
import { features } from './features.ts'

const lacking = (value: boolean): Lacking => ({
  systemdCgroup: value,
  seccompNotify: value,
  apparmor: value,
  selinux: value,
  intelRdt: value,
  memoryPolicy: value,
  idmap: value,
  tmpcopyup: value,
  netDevices: value,
})

test('what is lacking is told', () => {
  const { mountOptions, linux } = features(lacking(true), [])
  for (const word of ['idmap', 'ridmap', 'tmpcopyup']) assert.ok(!mountOptions.includes(word), word)
  assert.ok(!linux.seccomp.actions.includes('SCMP_ACT_NOTIFY'))
  assert.deepEqual(linux.memoryPolicy, { modes: [], flags: [] })
  assert.deepEqual([linux.cgroup.systemd, linux.netDevices.enabled], [false, false])
})

test('what isn’t is there', () => {
  const { ociVersionMin, ociVersionMax, hooks, mountOptions, linux } = features(lacking(false), [])
  assert.deepEqual([ociVersionMin, ociVersionMax], ['1.0.0', '1.3.0'])
  assert.equal(hooks.length, 6)
  for (const word of ['ro', 'rro', 'bind', 'rprivate', 'idmap', 'iversion'])
    assert.ok(mountOptions.includes(word), word)
  assert.deepEqual(linux.namespaces, ['cgroup', 'ipc', 'mount', 'network', 'pid', 'time', 'user', 'uts'])
  assert.ok(linux.seccomp.actions.includes('SCMP_ACT_NOTIFY'))
  assert.equal(linux.memoryPolicy.modes.length, 7)
})
