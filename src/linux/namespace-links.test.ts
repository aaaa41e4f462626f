import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import { test } from 'node:test'

import { ERRNO } from './errno.ts'
import { NamespaceLinks } from './namespace-links.ts'
import { NAMESPACE_KINDS, readNamespace } from './namespace.ts'

test('links tell the inodes that the kernel writes in them', () => {
  const names = [...NAMESPACE_KINDS, 'pid_for_children', 'time_for_children'] as const
  const proc = openSync('/proc', 'r')
  const links = new NamespaceLinks(proc, names)
  const expected = names.map((link) => readNamespace('self', link)?.inode)
  assert.deepEqual([...links.read(`${process.pid}/ns`)], expected)
  assert.deepEqual(
    [...links.read('0/ns')],
    names.map(() => -(ERRNO['ENOENT'] ?? 0)),
  )
  assert.deepEqual([...links.read(`${process.pid}/task/${process.pid}/ns`)], expected)
  closeSync(proc)
})
