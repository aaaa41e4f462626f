import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { InputError, TareError } from '../../linux/error.ts'
import { BOOT_OPTIONS } from '../boot-options.ts'
import { BOOT_SHAPE } from './boot-shape.ts'
import { mergeSettings } from './merge.ts'
import { readSettings, settingsPath, settingsSchema, writeSettings } from './settings.ts'

const base = mkdtempSync(join(tmpdir(), 'tare-settings-'))
after(() => rmSync(base, { recursive: true }))

const box = join(base, 'box')
mkdirSync(box)
const file = `${box}.tare.json`

const write = (text: string, mode = 0o644): void => {
  rmSync(file, { force: true })
  writeFileSync(file, text)
  chmodSync(file, mode)
}

const refusal = (text: string, mode?: number): string => {
  write(text, mode)
  try {
    readSettings(box)
  } catch (error) {
    assert.ok(error instanceof InputError)
    return error.message
  }
  return assert.fail(`was read: ${text}`)
}

test('settings lie beside the directory, links followed', () => {
  symlinkSync('box', join(base, 'link'))
  assert.equal(settingsPath(box), file)
  assert.equal(settingsPath(join(base, 'link')), file)
  assert.throws(() => settingsPath(join(base, 'none')), /^TareError: cannot use .*none as a system: it does not exist/)
})

test('a machine without a file has none', () => {
  rmSync(file, { force: true })
  assert.deepEqual(readSettings(box), {})
})

test('all that a system can be booted with can be a setting', () => {
  const { properties } = BOOT_SHAPE.schema
  assert.ok(typeof properties === 'object' && properties !== null)
  assert.deepEqual(Object.keys(properties).toSorted(), BOOT_OPTIONS.toSorted())
})

test('the schema that is published is that of what is read', () => {
  const path = join(fileURLToPath(import.meta.url), '../../../../../docs/machine.schema.json')
  const wanted: unknown = JSON.parse(readFileSync(path, 'utf8'))
  assert.deepEqual(wanted, JSON.parse(JSON.stringify(settingsSchema())), 'node scripts/schema.mjs writes it anew')
})

test('settings of every kind are read', () => {
  write(`{
    "$schema": "machine.schema.json",
    "memory": "1g", "memorySwap": -1, "cpus": 1.5, "pids": 100, "hostname": "web", "network": "host",
    "mounts": [
      { "source": "data", "target": "/data", "readOnly": true },
      { "type": "tmpfs", "target": "/scratch", "size": "64m", "mode": 448 },
      { "type": "overlay", "lower": "/usr", "keep": "changes", "target": "/over" }
    ],
    "env": { "A": "1", "B": null }, "ulimits": { "nofile": [1024, "unlimited"], "core": 0 },
    "uidMappings": [{ "inside": 0, "outside": 100000, "size": 65536 }],
    "cgroup": { "memory": { "high": "max" }, "unified": { "cpu.weight": "50" } },
    "seccomp": { "defaultAction": "SCMP_ACT_ALLOW" }, "arguments": ["single"], "ephemeral": false
  }`)
  assert.deepEqual(readSettings(box), {
    memory: '1g',
    memorySwap: -1,
    cpus: 1.5,
    pids: 100,
    hostname: 'web',
    network: 'host',
    mounts: [
      { source: join(base, 'data'), target: '/data', readOnly: true },
      { type: 'tmpfs', target: '/scratch', size: '64m', mode: 448 },
      { type: 'overlay', lower: ['/usr'], keep: join(base, 'changes'), target: '/over' },
    ],
    env: { A: '1', B: undefined },
    ulimits: { nofile: [1024, 'unlimited'], core: 0 },
    uidMappings: [{ inside: 0, outside: 100000, size: 65536 }],
    cgroup: { memory: { high: 'max' }, unified: { 'cpu.weight': '50' } },
    seccomp: { defaultAction: 'SCMP_ACT_ALLOW' },
    arguments: ['single'],
    ephemeral: false,
  })
})

test('a fault is told with its file, line and name, and what was meant', () => {
  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    ['{\n "memroy": "1g" }', /box\.tare\.json: line 2: memroy: there is nothing of that name\nDid you mean memory\?$/],
    ['{\n\n "memory": "lots" }', /line 3: memory: "lots" is no size\n/],
    ['{ "memory": true }', /line 1: memory: it is no text/],
    ['{ "mounts": [{ "target": "/a" }] }', /mounts\[0\]\.source: it is missing/],
    [
      '{ "mounts": [{ "type": "tmpfs", "target": "/a",\n "source": "b" }] }',
      /line 2: mounts\[0\]\.source: there is nothing/,
    ],
    ['{ "network": "nine" }', /network: there is no "nine"\nDid you mean "none"\?/],
    ['{ "env": { "A": 1 } }', /env\.A: it is no text/],
    ['{ "ulimits": { "nofile": [1] } }', /ulimits\.nofile: it is not a soft and a hard limit/],
    ['{ "pids": 1.5 }', /pids: it is no whole number from 0/],
    ['{ "seccomp": { "defaultAction": "NO" } }', /seccomp\.defaultAction/],
    ['{ "toString": 1 }', /toString: there is nothing of that name/],
    ['[]', /line 1: it is no object/],
    ['{', /line 1: it ends where/],
  ]
  for (const [text, message] of cases) assert.match(refusal(text), message)
})

test('a file that others may write to is refused', () => {
  assert.match(refusal('{}', 0o664), /others may write to them\nTake that away: chmod go-w /)
  assert.match(refusal('{}', 0o646), /others may write to them/)
  rmSync(file)
  symlinkSync('/dev/null', file)
  assert.throws(() => readSettings(box), /ELOOP/)
  rmSync(file)
  mkdirSync(file)
  assert.throws(() => readSettings(box), /that is no regular file/)
  rmSync(file, { recursive: true })
})

test('a link in the place of the file is not written through, and it is said', () => {
  const system = join(base, 'system')
  mkdirSync(join(system, 'sbin'), { recursive: true })
  for (const name of ['bin', 'etc']) mkdirSync(join(system, name))
  writeFileSync(join(system, 'sbin/init'), '', { mode: 0o755 })
  symlinkSync('/dev/null', `${system}.tare.json`)
  assert.throws(
    () => writeSettings(system, { memory: '1g' }),
    (error) =>
      error instanceof TareError && /^cannot read the settings .*system\.tare\.json: ELOOP/.test(error.message),
  )
})

test('what is given goes before, one by one where it has a name', () => {
  assert.deepEqual(
    mergeSettings(
      {
        memory: '1g',
        cpus: 2,
        env: { A: '1', B: '2' },
        mounts: [
          { source: '/a', target: '/x' },
          { source: '/b', target: '/y' },
        ],
      },
      { memory: '2g', env: { B: '3' }, mounts: [{ source: '/c', target: '/x' }] },
    ),
    {
      memory: '2g',
      cpus: 2,
      env: { A: '1', B: '3' },
      mounts: [
        { source: '/b', target: '/y' },
        { source: '/c', target: '/x' },
      ],
    },
  )
  assert.deepEqual(mergeSettings({}, { pids: 3 }), { pids: 3 })
})
