import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Spec } from '../src/oci/spec.ts'
import { InputError } from '../src/linux/error.ts'
import { explainSteps } from '../src/plan/explain.ts'
import type { BundlePlan } from '../src/runtime/oci/plan.ts'
import { planBundle } from '../src/runtime/oci/plan.ts'
import { processSpecOf } from '../src/runtime/oci/process-spec.ts'
import type { PlanHost } from '../src/runtime/plan/context.ts'

/** Whole plans of bundles are kept as text; UPDATE_PLANS=1 writes them anew (compare plan.test.ts). */
const folder = join(dirname(fileURLToPath(import.meta.url)), '../../test/plans')

const KNOWN: Readonly<Record<string, 'file' | 'directory'>> = {
  '/proc/kcore': 'file',
  '/proc/keys': 'file',
  '/proc/acpi': 'directory',
  '/proc/sys': 'directory',
  '/data': 'directory',
}
const hierarchy = {
  version: 2,
  name: 'unified',
  controllers: ['memory'],
  mountPoint: '/sys/fs/cgroup',
  root: '/',
} as const

const host = (uid: number): PlanHost => ({
  privileged: uid === 0,
  uid,
  gid: uid,
  cgroups: { kind: 'v2', hierarchies: [hierarchy] },
  kernelFile: (path) => KNOWN[path],
})

const process = {
  user: { uid: 1000, gid: 1000, additionalGids: [4] },
  args: ['server'],
  env: ['PATH=/usr/bin:/bin', 'HOME=/'],
  cwd: '/srv',
  capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'], permitted: ['CAP_KILL'], effective: ['CAP_KILL'] },
  noNewPrivileges: true,
  oomScoreAdj: 100,
} as const

const hook = { path: '/hook', args: ['hook', 'now'], timeout: 5 }

const SPEC: Spec = {
  ociVersion: '1.0.2',
  root: { path: 'rootfs', readonly: true },
  process,
  hostname: 'box',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro', 'nosuid'] },
    { destination: '/data', type: 'bind', source: '/data', options: ['rbind', 'ro', 'rprivate'] },
    { destination: '/etc/hosts', type: 'bind', source: 'hosts', options: ['bind'] },
  ],
  hooks: { createRuntime: [hook], createContainer: [hook], startContainer: [hook] },
  linux: {
    namespaces: (['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'] as const).map((type) => ({ type })),
    maskedPaths: ['/proc/keys', '/proc/acpi', '/proc/missing', '/etc/secret'],
    readonlyPaths: ['/proc/sys'],
    sysctl: { 'net.ipv4.ip_forward': '1' },
    devices: [{ type: 'c', path: '/dev/net/tun', major: 10, minor: 200, fileMode: 0o600, uid: 1000, gid: 0 }],
  },
}

const plan = (spec: Spec, on: PlanHost): BundlePlan => {
  const asked = { id: 'box', bundle: '/bundle', rootfs: '/bundle/rootfs', spec, preserveFds: 1, noPivot: false }
  const decided = processSpecOf(spec.process ?? process, { rootfs: '/none', seccomp: undefined, newKeyring: true })
  const groups = [{ hierarchy, directory: '/sys/fs/cgroup/tare/box' }]
  return planBundle({ ...asked, noNewKeyring: false, wait: true }, decided, on, groups)
}

const cases: Readonly<Record<string, readonly [Spec, PlanHost]>> = {
  'oci-created': [SPEC, host(0)],
  'oci-terminal-joined-user': [
    {
      ...SPEC,
      process: { ...process, terminal: true, consoleSize: { width: 80, height: 24 } },
      hooks: {},
      linux: {
        namespaces: [
          { type: 'mount' },
          { type: 'user', path: '/proc/7/ns/user' },
          { type: 'network', path: '/run/netns/a' },
          { type: 'pid', path: '/proc/7/ns/pid' },
          { type: 'uts' },
          { type: 'time' },
        ],
        timeOffsets: { boottime: { secs: 3600 } },
        rootfsPropagation: 'rshared',
      },
    },
    host(0),
  ],
}

const textOf = (name: string): string => {
  const [spec, on] = cases[name] ?? [SPEC, host(0)]
  const { prepare, grant, unshare, stage } = plan(spec, on)
  const start = unshare === undefined ? [] : [unshare.step]
  const phases = [
    ['prepare', prepare],
    ['grant', grant],
    ['start', start],
    ['stage', stage],
  ] as const
  return phases
    .flatMap(([phase, steps]) =>
      explainSteps(steps, phase, { number: 1, index: 0 }).map((step) =>
        [step.number, phase, step.mechanism, step.call, step.what, step.onError.join('; ')].join('\t').trimEnd(),
      ),
    )
    .join('\n')
    .concat('\n')
}

for (const name of Object.keys(cases))
  test(`the plan ${name} is as written down`, () => {
    const file = join(folder, `${name}.txt`)
    const text = textOf(name)
    if (globalThis.process.env['UPDATE_PLANS'] === '1') writeFileSync(file, text)
    assert.equal(text, readFileSync(file, 'utf8'))
  })

test('every path of the container is opened as the container sees it', () => {
  const opened = textOf('oci-created')
    .split('\n')
    .filter((line) => line.includes('openat2('))
  assert.ok(opened.length > 5)
  for (const line of opened) assert.match(line, /RESOLVE_IN_ROOT\|RESOLVE_NO_MAGICLINKS/)
})

test('what a bundle can not have is refused with its place', () => {
  const refused = (change: Partial<Spec>, words: RegExp): void =>
    assert.throws(
      () => plan({ ...SPEC, ...change }, host(0)),
      (error) => error instanceof InputError && words.test(error.message),
    )
  refused({ linux: {} }, /linux\.namespaces: it has no mount namespace/)
  refused({ mounts: [{ destination: '/a', type: 'bind' }] }, /mounts\[0\]\.source: a bind mount needs one/)
  refused(
    { mounts: [{ destination: '/a', type: 'tmpfs', options: ['tmpcopyup'] }] },
    /mounts\[0\]: a tmpfs can not be filled/,
  )
  refused(
    { linux: { ...SPEC.linux, sysctl: { 'kernel.panic': '1' } } },
    /linux\.sysctl: kernel\.panic: it is the whole host’s/,
  )
  refused({ linux: { namespaces: [{ type: 'mount' }] } }, /hostname: the container shares the uts namespace/)
  refused(
    { hostname: '', linux: { namespaces: [{ type: 'mount' }], sysctl: { 'net.ipv4.ip_forward': '1' } } },
    /net\.ipv4\.ip_forward: the container shares the net namespace/,
  )
})
