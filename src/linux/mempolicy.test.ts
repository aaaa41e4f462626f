import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeMemoryPolicy, MAX_NODES } from './mempolicy.ts'
import { trySyscall } from './syscall.ts'

test('nodes are bits, and flags are added to the mode', () => {
  const { mode, nodemask, maxnode } = encodeMemoryPolicy('MPOL_INTERLEAVE', [0, 2, 9], ['MPOL_F_STATIC_NODES'])
  assert.equal(mode, 0x8003)
  assert.deepEqual(Array.from(nodemask ?? []).slice(0, 3), [0b101, 0b10, 0])
  assert.equal(maxnode, MAX_NODES + 1)
})

test('the kernel takes a policy for node 0, and it is to be read again', (t) => {
  const { mode, nodemask, maxnode } = encodeMemoryPolicy('MPOL_BIND', [0])
  const result = trySyscall('set_mempolicy', mode, nodemask, maxnode)
  if (result === -38) return t.skip('needs a kernel with NUMA')
  assert.equal(result, 0)
  try {
    const now = new Int32Array(1)
    const mask = new Uint8Array(MAX_NODES / 8)
    assert.equal(trySyscall('get_mempolicy', now, mask, MAX_NODES + 1, null, 0), 0)
    assert.deepEqual([now[0], mask[0]], [2, 1])
  } finally {
    const none = encodeMemoryPolicy('MPOL_DEFAULT', [])
    assert.equal(trySyscall('set_mempolicy', none.mode, none.nodemask, none.maxnode), 0)
  }
})
