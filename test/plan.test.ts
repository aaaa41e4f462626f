import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { capabilitySet } from '../src/linux/capability.ts'
import { explainSteps } from '../src/plan/explain.ts'
import { DEFAULT_DEVICES } from '../src/engine/devices.ts'
import { DEFAULT_CAPABILITIES } from '../src/engine/resolve-process.ts'
import type { PlanHost } from '../src/runtime/plan/context.ts'
import { planContainer } from '../src/runtime/plan.ts'
import type { ContainerSpec } from '../src/runtime/spec.ts'

/**
 * Plans are data: whole ones are kept here as text, and any change to what a container's start consists of shows in
 * the difference. UPDATE_PLANS=1 writes them anew.
 */
const folder = join(dirname(fileURLToPath(import.meta.url)), '../../test/plans')

const bounding = capabilitySet(DEFAULT_CAPABILITIES)
const spec: ContainerSpec = {
  root: {
    kind: 'made',
    size: 1 << 30,
    entries: [
      ...['usr', 'etc', 'proc', 'sys', 'dev'].map((path) => ({ kind: 'directory', path, mode: 0o755 }) as const),
      { kind: 'link', path: 'bin', target: 'usr/bin' },
      { kind: 'file', path: 'etc/hostname', content: 'box\n' },
    ],
  },
  readOnlyRoot: false,
  mounts: [
    { kind: 'bind', source: '/usr', target: '/usr', attributes: 7, recursive: true, make: 'directory', idmap: false },
    { kind: 'bind', source: '/job', target: '/work', attributes: 6, recursive: true, make: 'directory', idmap: true },
    { kind: 'filesystem', type: 'tmpfs', target: '/work/scratch', attributes: 6, options: [['size', '1048576']] },
  ],
  devices: DEFAULT_DEVICES,
  process: {
    args: ['true'],
    env: ['PATH=/usr/bin:/bin'],
    cwd: '/',
    uid: 0,
    gid: 0,
    groups: [],
    umask: 0o022,
    capabilities: { bounding, permitted: bounding, effective: bounding, inheritable: 0n, ambient: 0n },
    noNewPrivileges: true,
    rlimits: [{ resource: 7, name: 'nofile', soft: 1024n, hard: 2048n }],
    terminal: false,
    init: true,
    newKeyring: false,
    seccomp: { program: new Uint8Array(16), flags: 4 },
  },
  hostname: 'box',
  userNamespace: { kind: 'host' },
  network: 'none',
  sysctls: [['net.ipv4.ip_forward', '1']],
  maskedPaths: ['/proc/acpi', '/proc/keys', '/proc/missing'],
  readonlyPaths: ['/proc/sys'],
}

const FILES: Readonly<Record<string, 'file' | 'directory'>> = {
  '/proc/acpi': 'directory',
  '/proc/keys': 'file',
  '/proc/sys': 'directory',
}

const host = (uid: number): PlanHost => ({
  privileged: uid === 0,
  uid,
  gid: uid,
  cgroups: undefined,
  kernelFile: (path) => FILES[path],
})

const range = [{ inside: 0, outside: 524288, size: 65536 }]
const one = [{ inside: 0, outside: 1000, size: 1 }]

const cases: Readonly<Record<string, readonly [ContainerSpec, PlanHost]>> = {
  'root-own-ids': [spec, host(0)],
  'root-mapped-ids': [{ ...spec, userNamespace: { kind: 'mapped', uids: range, gids: range, helper: false } }, host(0)],
  'ordinary-user': [{ ...spec, userNamespace: { kind: 'mapped', uids: one, gids: one, helper: false } }, host(1000)],
  'terminal-overlay-user': [
    {
      ...spec,
      root: { kind: 'overlay', layers: { lower: ['/tree'], kept: '/kept', size: 1 << 20 } },
      mounts: [],
      process: {
        ...spec.process,
        uid: 1000,
        gid: 1000,
        groups: [4],
        terminal: true,
        size: { columns: 80, rows: 24 },
        init: false,
      },
      userNamespace: { kind: 'mapped', uids: range, gids: range, helper: false },
    },
    host(0),
  ],
}

const textOf = (name: string): string => {
  const [given, on] = cases[name] ?? [spec, host(0)]
  const plan = planContainer(given, on)
  const phases = [
    ['prepare', plan.prepare],
    ['grant', plan.grant],
    ['start', [plan.unshare.step]],
    ['stage', plan.stage],
  ] as const
  let number = 1
  return phases
    .flatMap(([phase, steps]) => {
      const explained = explainSteps(steps, phase, { number, index: 0 })
      number += steps.length
      return explained.map((step) =>
        [step.number, phase, step.mechanism, step.call, step.what, step.onError.join('; ')].join('\t').trimEnd(),
      )
    })
    .join('\n')
    .concat('\n')
}

for (const name of Object.keys(cases))
  test(`the plan ${name} is as written down`, () => {
    const file = join(folder, `${name}.txt`)
    const text = textOf(name)
    if (process.env['UPDATE_PLANS'] === '1') writeFileSync(file, text)
    assert.equal(text, readFileSync(file, 'utf8'))
  })

test('a plan is the same each time, and says all it does', () => {
  for (const name of Object.keys(cases)) {
    const text = textOf(name)
    assert.equal(textOf(name), text)
    for (const line of text.trimEnd().split('\n')) assert.ok((line.split('\t')[4] ?? '').length > 1, line)
  }
})

test('what nobody may change by a race is attached by descriptor, or below what we made', () => {
  const text = textOf('terminal-overlay-user')
  for (const line of text.split('\n')) {
    if (!line.includes('openat2(')) continue
    assert.match(line, /RESOLVE_IN_ROOT\|RESOLVE_NO_MAGICLINKS/)
  }
})
