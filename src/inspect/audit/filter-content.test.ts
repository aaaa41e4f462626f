import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SECCOMP_RET } from '../../linux/seccomp/action.ts'
import { NATIVE_SECCOMP_ARCHITECTURE, seccompNumbers } from '../../linux/seccomp/architectures.ts'
import { filterContent } from './filter-content.ts'

/** struct sock_filter (linux/filter.h). */
const instruction = (code: number, jt: number, jf: number, k: number): readonly number[] => {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, code, true)
  view.setUint8(2, jt)
  view.setUint8(3, jf)
  view.setUint32(4, k, true)
  return [...bytes]
}

const LOAD = 0x20
const JUMP_IF_EQUAL = 0x15
const RETURN = 0x06

const returning = (value: number): Uint8Array => Uint8Array.from(instruction(RETURN, 0, 0, value))

/** Refuses one call by its number, and doesn't ask of which architecture it is. */
const refusing = (call: string): Uint8Array =>
  Uint8Array.from([
    ...instruction(LOAD, 0, 0, 0),
    ...instruction(JUMP_IF_EQUAL, 0, 1, seccompNumbers(NATIVE_SECCOMP_ARCHITECTURE).get(call) ?? 0),
    ...instruction(RETURN, 0, 0, SECCOMP_RET.ERRNO + 1),
    ...instruction(RETURN, 0, 0, SECCOMP_RET.ALLOW),
  ])

test('filters that let all through, or nothing', () => {
  const all = filterContent([returning(SECCOMP_RET.ALLOW)])
  assert.equal(all.grave.length + all.minor.length, all.asked)
  assert.deepEqual(all.foreign, [], 'no more than by the calls of this machine')
  for (const nothing of [SECCOMP_RET.KILL_PROCESS, SECCOMP_RET.KILL_THREAD, SECCOMP_RET.ERRNO + 1, SECCOMP_RET.TRAP])
    assert.deepEqual(filterContent([returning(nothing)]), { grave: [], minor: [], foreign: [], asked: all.asked })
})

test('of several filters the strictest counts', () => {
  const open = returning(SECCOMP_RET.ALLOW)
  const shut = returning(SECCOMP_RET.ERRNO + 1)
  assert.deepEqual(filterContent([open, shut]).grave, [])
  assert.deepEqual(filterContent([shut, open]).grave, [])
  assert.ok(filterContent([returning(SECCOMP_RET.LOG), open]).grave.length > 0, 'to be logged is to be let through')
  assert.deepEqual(filterContent([returning(SECCOMP_RET.USER_NOTIF)]).grave, [], 'another process decides')
})

test('a filter that forgets the other architectures of the machine', () => {
  const { grave, foreign } = filterContent([refusing('bpf')])
  assert.ok(!grave.includes('bpf'))
  assert.ok(grave.includes('mount'))
  assert.notDeepEqual(foreign, [], 'where its calls have other numbers, it is let through')
})
