import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { ContainerOrigin } from './container-maker.ts'
import { CgroupOrigins, originOfProcesses } from './container-maker.ts'

const A = 'a1'.repeat(32)
const B = 'b2'.repeat(32)

const originOfCgroups = (paths: readonly string[]): ContainerOrigin | undefined => new CgroupOrigins().of(paths)

const idIn = (path: string): readonly unknown[] => {
  const origin = originOfCgroups(['/', path])
  return [origin?.madeBy, origin?.id, origin?.name]
}

test('engines are known by how they call control groups', () => {
  assert.deepEqual(idIn(`/docker/${A}`), ['docker', A, undefined])
  assert.deepEqual(idIn(`/system.slice/docker-${A}.scope`), ['docker', A, undefined])
  assert.deepEqual(idIn(`/machine.slice/libpod-${A}.scope/container`), ['podman', A, undefined])
  assert.deepEqual(idIn(`/libpod_parent/libpod-${A}`), ['podman', A, undefined])
  assert.deepEqual(idIn(`/kubepods.slice/kubepods-pod1.slice/cri-containerd-${A}.scope`), ['containerd', A, undefined])
  assert.deepEqual(idIn(`/kubepods.slice/kubepods-pod1.slice/crio-${A}.scope`), ['cri-o', A, undefined])
  assert.deepEqual(idIn(`/kubepods/besteffort/pod1/${A}`), ['kubernetes', A, undefined])
  assert.deepEqual(idIn('/machine.slice/machine-deb\\x2d12.scope/payload'), ['systemd-nspawn', undefined, 'deb-12'])
  assert.deepEqual(idIn('/machine.slice/systemd-nspawn@web.service/payload'), ['systemd-nspawn', undefined, 'web'])
  assert.deepEqual(idIn('/lxc.payload.web/init.scope'), ['lxc', undefined, 'web'])
  assert.deepEqual(idIn('/tare/0123456789ab.4711'), ['tare', '0123456789ab', undefined])
  assert.deepEqual(idIn('/machine.slice/machine-qemu\\x2d1\\x2dvm.scope'), ['libvirt', undefined, undefined])
})

test('groups that only look like it are no engine of ours', () => {
  const none = [
    '/docker',
    '/docker/short',
    `/docker/${A}x`,
    '/system.slice/docker.service',
    '/tare',
    '/user.slice',
    `/x/${A}`,
  ]
  for (const path of none) assert.equal(originOfCgroups([path]), undefined, path)
  fc.assert(fc.property(fc.array(fc.string()), (paths) => void originOfCgroups(paths)))
})

test('of containers in a container the inner one counts', () => {
  assert.deepEqual(idIn(`/docker/${A}/kubelet/kubepods/burstable/pod1/cri-containerd-${B}.scope`), [
    'containerd',
    B,
    undefined,
  ])
  assert.deepEqual(idIn(`/docker/${A}/docker/${B}`), ['docker', B, undefined])
})

const made = (name: string, ...args: readonly string[]): readonly unknown[] => {
  const origin = originOfProcesses({ name, commandLine: [name, ...args] }, { name: 'sh', commandLine: ['sh'] })
  return [origin?.madeBy, origin?.name, origin?.id]
}

test('engines are known by the process that starts a container', () => {
  assert.deepEqual(made('containerd-shim', '-namespace', 'moby', '-id', A), ['docker', undefined, A])
  assert.deepEqual(made('containerd-shim', '-namespace', 'default', '-id', 'web'), ['containerd', undefined, 'web'])
  assert.deepEqual(made('conmon', '-c', A, '-n', 'web', '--exit-command', '/usr/bin/podman'), ['podman', 'web', A])
  assert.deepEqual(made('runc', '--root', '/run/x', 'run', '--bundle', '/b', 'web'), ['runc', 'web', undefined])
  assert.deepEqual(made('crun', 'run', 'web'), ['crun', 'web', undefined])
  assert.deepEqual(made('systemd-nspawn', '-qD', '/x'), ['systemd-nspawn', undefined, undefined])
  assert.deepEqual(made('systemd-nspawn', '-D', '/srv/deb/'), ['systemd-nspawn', 'deb', undefined])
  assert.deepEqual(made('systemd-nspawn', '--machine=web', '-D', '/srv/deb'), ['systemd-nspawn', 'web', undefined])
  assert.deepEqual(made('bwrap', '--unshare-all', 'sh'), ['bwrap', undefined, undefined])
  assert.deepEqual(made('node', '--', '/usr/bin/tare', 'run', 'sh'), ['tare', undefined, undefined])
  assert.deepEqual(made('make', 'check'), ['make', undefined, undefined])
  assert.deepEqual(made('constructor'), ['constructor', undefined, undefined])
})

test('a tool that is itself the first process is known too, where its starter is no engine', () => {
  const first = { name: 'bwrap', commandLine: ['bwrap'] }
  const by = (name: string): string | undefined => originOfProcesses({ name, commandLine: [name] }, first)?.madeBy
  assert.equal(by('bash'), 'bwrap')
  assert.equal(by('conmon'), 'conmon')
  assert.equal(originOfProcesses(undefined, first)?.madeBy, 'bwrap')
  assert.equal(originOfProcesses(undefined, { name: 'sh', commandLine: [] }), undefined)
})
