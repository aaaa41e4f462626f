import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { test } from 'node:test'

import { eachMountNamespace } from './mount-namespace.ts'

test('looking at mount namespaces leaves no descriptor open, even when the one who looks fails', () => {
  const own = openSync('/proc/self/ns/mnt', 'r')
  const open = (): readonly string[] => readdirSync('/proc/self/fd')
  const before = open()
  eachMountNamespace(own, (fd) => assert.notEqual(fd, own))
  assert.deepEqual(open(), before)
  try {
    eachMountNamespace(own, () => {
      throw new Error('enough')
    })
  } catch (error) {
    assert.equal(String(error), 'Error: enough')
  }
  assert.deepEqual(open(), before)
  closeSync(own)
})
