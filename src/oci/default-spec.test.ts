import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultSpec } from './default-spec.ts'
import { parseSpec } from './spec.ts'

/** Without what is undefined, as it is written. */
const written = (value: object): unknown => JSON.parse(JSON.stringify(value))

for (const unified of [true, false]) {
  for (const rootless of [undefined, { uid: 1000, gid: 1001 }]) {
    test(`what is written is taken: ${unified ? 'version 2' : 'version 1'}, ${rootless ? 'an ordinary user' : 'root'}`, () => {
      const spec = defaultSpec({ unified, rootless })
      assert.deepEqual(written(parseSpec(JSON.stringify(spec))), written(spec))
      const types = (spec.linux?.namespaces ?? []).map(({ type }) => type)
      assert.equal(types.includes('cgroup'), unified)
      assert.equal(types.includes('user'), rootless !== undefined)
      assert.equal(types.includes('network'), rootless === undefined)
    })
  }
}

test('an ordinary user has no group for terminals, and sees the host’s sysfs', () => {
  const { mounts = [], linux } = defaultSpec({ unified: true, rootless: { uid: 1000, gid: 1001 } })
  assert.ok(!mounts.some(({ options = [] }) => options.some((option) => option.startsWith('gid='))))
  assert.equal(mounts.find(({ destination }) => destination === '/sys')?.options?.includes('rbind'), true)
  assert.deepEqual(linux?.uidMappings, [{ containerID: 0, hostID: 1000, size: 1 }])
  assert.equal(linux?.resources, undefined)
})
