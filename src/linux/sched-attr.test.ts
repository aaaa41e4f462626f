import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeIoprio, encodeSchedAttr, IOPRIO_WHO_PROCESS, SCHED_ATTR_SIZE, SCHED_POLICIES } from './sched-attr.ts'
import { trySyscall } from './syscall.ts'

test('the bytes are those of struct sched_attr', () => {
  const bytes = encodeSchedAttr({
    policy: 'SCHED_DEADLINE',
    flags: ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_DL_OVERRUN'],
    runtime: 1,
    deadline: 2n,
    period: 3,
  })
  const view = new DataView(bytes.buffer)
  assert.deepEqual([view.getUint32(0, true), view.getUint32(4, true), view.getBigUint64(8, true)], [48, 6, 5n])
  assert.deepEqual(
    [24, 32, 40].map((at) => view.getBigUint64(at, true)),
    [1n, 2n, 3n],
  )
  assert.equal(new DataView(encodeSchedAttr({ policy: 'SCHED_BATCH', nice: -3 }).buffer).getInt32(16, true), -3)
})

test('the kernel takes them, and says the same', () => {
  const read = (): DataView => {
    const bytes = new Uint8Array(SCHED_ATTR_SIZE)
    assert.equal(trySyscall('sched_getattr', 0, bytes, SCHED_ATTR_SIZE, 0), 0)
    return new DataView(bytes.buffer)
  }
  const before = read()
  assert.equal(trySyscall('sched_setattr', 0, encodeSchedAttr({ policy: 'SCHED_BATCH', nice: 0 }), 0), 0)
  try {
    assert.equal(read().getUint32(4, true), SCHED_POLICIES.SCHED_BATCH)
  } finally {
    assert.equal(trySyscall('sched_setattr', 0, new Uint8Array(before.buffer), 0), 0)
  }
})

test('an I/O priority is a class and a level', () => {
  assert.equal(encodeIoprio('IOPRIO_CLASS_BE', 4), 0x4004)
  const before = trySyscall('ioprio_get', IOPRIO_WHO_PROCESS, 0)
  assert.equal(trySyscall('ioprio_set', IOPRIO_WHO_PROCESS, 0, encodeIoprio('IOPRIO_CLASS_IDLE', 7)), 0)
  assert.equal(trySyscall('ioprio_get', IOPRIO_WHO_PROCESS, 0), 0x6007)
  assert.equal(trySyscall('ioprio_set', IOPRIO_WHO_PROCESS, 0, before), 0)
})
