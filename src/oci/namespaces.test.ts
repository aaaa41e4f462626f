import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NAMESPACE_KINDS } from '../linux/namespace.ts'
import { NAMESPACE_TYPES, namespaceKind } from './namespaces.ts'

test('the specification has a type for every kind of the kernel', () => {
  assert.deepEqual(NAMESPACE_TYPES.map(namespaceKind).toSorted(), NAMESPACE_KINDS)
})
