// The plan of a launch with everything at once, as text: what comes before what. UPDATE_PLANS=1 writes it anew.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ALL_CAPABILITIES, capabilitySet } from '../src/linux/capability.ts'
import { explainSteps } from '../src/plan/explain.ts'
import { planLaunch } from '../src/runtime/launch/plan.ts'
import type { LaunchSpec } from '../src/runtime/launch/spec.ts'

const some = capabilitySet(['CAP_NET_RAW'])

const NOTHING: LaunchSpec = {
  args: ['true'],
  argv0: undefined,
  env: ['PATH=/usr/bin:/bin'],
  joins: [],
  enter: [],
  unshare: undefined,
  root: undefined,
  pivot: undefined,
  workdir: undefined,
  fork: false,
  uid: undefined,
  gid: undefined,
  groups: undefined,
  dropGroups: 'now',
  capabilities: undefined,
  dropped: 0n,
  keepCapabilities: false,
  securebits: undefined,
  setpcap: false,
  noNewPrivileges: false,
  umask: undefined,
  parentDeathSignal: undefined,
}

const EVERYTHING: LaunchSpec = {
  ...NOTHING,
  argv0: '-true',
  joins: [{ fd: 40, path: '/sys/fs/cgroup/mine' }],
  enter: [
    { fd: 41, kinds: ['net', 'uts'], of: 'process 812' },
    { fd: 42, kinds: ['user'], of: '/run/user-namespace' },
  ],
  unshare: {
    kinds: ['mnt', 'pid', 'time', 'user'],
    owner: { uid: 1000, gid: 1000 },
    uids: { mappings: [{ inside: 0, outside: 1000, size: 1 }], by: 'self' },
    gids: { mappings: [{ inside: 0, outside: 100000, size: 10 }], by: 'helper' },
    setgroups: 'deny',
    monotonic: 5,
    boottime: -5,
    propagation: 'slave',
    proc: '/proc',
    binfmt: { path: '/binfmt', register: ':x:E::x::/x:' },
    persistent: {},
  },
  root: { kind: 'descriptor', fd: 43, of: 'the root of process 812' },
  workdir: { kind: 'path', path: '/work' },
  fork: true,
  uid: 1000,
  gid: 1000,
  groups: [],
  dropGroups: 'either',
  capabilities: {
    bounding: ALL_CAPABILITIES & ~some,
    permitted: some,
    effective: 0n,
    inheritable: some,
    ambient: some,
  },
  dropped: some,
  securebits: 4,
  setpcap: true,
  noNewPrivileges: true,
  umask: 0o77,
  parentDeathSignal: 15,
}

const textOf = (spec: LaunchSpec): string =>
  explainSteps(planLaunch(spec).stage, 'stage', { number: 1, index: 0 })
    .map((step) => [step.number, step.mechanism, step.call, step.what, step.onError.join('; ')].join('\t').trimEnd())
    .join('\n')
    .concat('\n')

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../test/plans')

test('the plan of a launch with everything at once is as written down', () => {
  const file = join(folder, 'launch-everything.txt')
  const text = textOf(EVERYTHING)
  if (process.env['UPDATE_PLANS'] === '1') writeFileSync(file, text)
  assert.equal(text, readFileSync(file, 'utf8'))
})

test('without walls a launch closes descriptors, lets signals in, and runs the program', () => {
  const steps = planLaunch(NOTHING).stage.map(({ call }) => call)
  assert.deepEqual(
    steps,
    ['close_range', 'rt_sigprocmask', 'execve', 'execve', 'execve', 'execve', 'execve'].slice(0, steps.length),
  )
  assert.equal(planLaunch(NOTHING).waits, false)
  assert.equal(planLaunch(EVERYTHING).waits, true)
})

test('in namespaces that were entered nobody may look into it, unless it must set up those that it makes', () => {
  const { enter, unshare } = EVERYTHING
  assert.ok(unshare !== undefined)
  const plain = {
    ...unshare,
    owner: undefined,
    monotonic: undefined,
    boottime: undefined,
    uids: undefined,
    gids: undefined,
  }
  const opens = (kinds: typeof unshare.kinds): readonly string[] =>
    planLaunch({ ...NOTHING, enter, unshare: { ...plain, kinds, setgroups: undefined } })
      .stage.filter(({ call }) => call === 'prctl')
      .map(({ what }) => what)
  assert.deepEqual(opens(['mnt', 'uts']), ['be opaque'])
  assert.deepEqual(opens(['mnt', 'user']), ['be opaque', 'be open again'])
})
