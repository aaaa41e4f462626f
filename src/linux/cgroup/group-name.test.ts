import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InputError } from '../error.ts'
import { parseGroupName } from './group-name.ts'
import type { CgroupLayout } from './layout.ts'

const hierarchy = (name: string, mountPoint: string) =>
  ({ version: 1, name, controllers: [name], mountPoint, root: '/' }) as const

const V1: CgroupLayout = {
  kind: 'v1',
  hierarchies: [hierarchy('memory', '/sys/fs/cgroup/memory'), hierarchy('cpu', '/sys/fs/cgroup/cpu')],
}

test('a name with a slash at the front is a path from the root, any other is not', () => {
  assert.deepEqual(parseGroupName(V1, '/shop/web'), { path: 'shop/web', absolute: true })
  assert.deepEqual(parseGroupName(V1, 'shop/web'), { path: 'shop/web', absolute: false })
  assert.deepEqual(parseGroupName(V1, '//shop///web/'), { path: 'shop/web', absolute: true })
  assert.deepEqual(parseGroupName(V1, '/'), { path: '', absolute: true })
})

test("the directory of a group is as good as its name, in whichever hierarchy it's given", () => {
  assert.deepEqual(parseGroupName(V1, '/sys/fs/cgroup/memory/shop/web'), { path: 'shop/web', absolute: true })
  assert.deepEqual(parseGroupName(V1, '/sys/fs/cgroup/cpu'), { path: '', absolute: true })
  assert.deepEqual(parseGroupName(V1, '/sys/fs/cgroup/memory-of-mine'), {
    path: 'sys/fs/cgroup/memory-of-mine',
    absolute: true,
  })
  const v2: CgroupLayout = { kind: 'v2', hierarchies: [hierarchy('unified', '/sys/fs/cgroup')] }
  assert.deepEqual(parseGroupName(v2, '/sys/fs/cgroup/shop'), { path: 'shop', absolute: true })
})

test('names that leave the hierarchy, or that the kernel would not take, are refused', () => {
  for (const [text, reason] of [
    ['', /it is empty/],
    ['..', /would leave the hierarchy/],
    ['/a/../../b', /would leave the hierarchy/],
    ['/sys/fs/cgroup/memory/../cpu', /would leave the hierarchy/],
    ['./a', /no name of a group/],
    ['a\nb', /line break/],
    ['a\0b', /line break/],
    [`/${'x'.repeat(256)}`, /longer than 255 bytes/],
  ] as const) {
    assert.throws(() => parseGroupName(V1, text), { name: 'TareError', code: 'ERR_TARE_INPUT', message: reason }, text)
  }
})

test('whatever is given, the path that comes out stays inside', () => {
  const part = fc.oneof(fc.string(), fc.constantFrom('..', '.', '', 'web', '/sys/fs/cgroup/memory'))
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      let path: string
      try {
        ;({ path } = parseGroupName(V1, parts.join('/')))
      } catch (error) {
        assert.ok(error instanceof InputError)
        return
      }
      assert.ok(!path.startsWith('/') && !path.endsWith('/') && !/[\n\0]/.test(path))
      for (const word of path === '' ? [] : path.split('/')) assert.ok(!['', '.', '..'].includes(word))
    }),
  )
})
