import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import { decodeRusage, decodeWaitInfo, decodeWaitStatus, exitCodeOf, waitid } from './wait.ts'

test('the status word of wait4(2)', () => {
  assert.deepEqual(decodeWaitStatus(0), { kind: 'exited', code: 0 })
  assert.deepEqual(decodeWaitStatus(0xff00), { kind: 'exited', code: 255 })
  assert.deepEqual(decodeWaitStatus(9), { kind: 'killed', signal: 9, coreDumped: false })
  assert.deepEqual(decodeWaitStatus(0x80 | 11), { kind: 'killed', signal: 11, coreDumped: true })
  assert.deepEqual(decodeWaitStatus(0x137f), { kind: 'stopped', signal: 19 })
  assert.deepEqual(decodeWaitStatus(0xffff), { kind: 'continued' })
})

test('what a shell would say', () => {
  fc.assert(fc.property(fc.nat({ max: 255 }), (code) => assert.equal(exitCodeOf({ kind: 'exited', code }), code)))
  assert.equal(exitCodeOf({ kind: 'killed', signal: 9, coreDumped: false }), 137)
  assert.equal(exitCodeOf({ kind: 'stopped', signal: 19 }), undefined)
})

const siginfo = (code: number, status: number, pid = 42): Uint8Array => {
  const bytes = new Uint8Array(128)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, 17, true)
  view.setInt32(8, code, true)
  view.setInt32(16, pid, true)
  view.setUint32(20, 4294967294, true)
  view.setInt32(24, status, true)
  return bytes
}

test('the siginfo_t of waitid(2)', () => {
  const expected = { pid: 42, uid: 4294967294 }
  assert.deepEqual(decodeWaitInfo(siginfo(1, 7)), { ...expected, status: { kind: 'exited', code: 7 } })
  const killed = { kind: 'killed', signal: 11, coreDumped: true }
  assert.deepEqual(decodeWaitInfo(siginfo(3, 11)), { ...expected, status: killed })
  assert.deepEqual(decodeWaitInfo(siginfo(2, 9))?.status, { kind: 'killed', signal: 9, coreDumped: false })
  assert.deepEqual(decodeWaitInfo(siginfo(4, 5))?.status, { kind: 'trapped', signal: 5 })
  assert.deepEqual(decodeWaitInfo(siginfo(5, 19))?.status, { kind: 'stopped', signal: 19 })
  assert.deepEqual(decodeWaitInfo(siginfo(6, 18))?.status, { kind: 'continued' })
  assert.equal(decodeWaitInfo(new Uint8Array(128)), undefined)
  assert.throws(() => decodeWaitInfo(siginfo(9, 0)), TareError)
  assert.throws(() => decodeWaitInfo(new Uint8Array(20)), TareError)
})

test('struct rusage, in microseconds and bytes', () => {
  const bytes = new Uint8Array(144)
  const view = new DataView(bytes.buffer)
  for (let index = 0; index < 18; index++) view.setBigInt64(8 * index, BigInt(index + 1), true)
  assert.deepEqual(decodeRusage(bytes), {
    userTime: 1_000_002,
    systemTime: 3_000_004,
    maxResident: 5 * 1024,
    minorFaults: 9,
    majorFaults: 10,
    blocksIn: 12,
    blocksOut: 13,
    voluntarySwitches: 17,
    involuntarySwitches: 18,
  })
  assert.throws(() => decodeRusage(new Uint8Array(143)), TareError)
})

test('waiting for what is no child says so', () => {
  assert.throws(() => waitid({ pid: 1 }), /cannot wait for process 1: ECHILD \(no child process\)\nIt is no child/)
})
