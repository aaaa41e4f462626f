import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '../error.ts'
import { validateSeccompProfile } from './profile.ts'

const refused = (value: unknown, message: RegExp): void => {
  assert.throws(
    () => validateSeccompProfile(value),
    (error) => error instanceof InputError && message.test(error.message),
    `${JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each))} passed`,
  )
}

const one = (syscall: unknown): unknown => ({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }, syscall],
})

const arg = (given: unknown): unknown => one({ names: ['read'], action: 'SCMP_ACT_ALLOW', args: [given] })

test('a whole profile passes as it is, without what is unknown or null', () => {
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_LOONGARCH64'],
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    listenerPath: '/run/agent.sock',
    listenerMetadata: 'x=1',
    syscalls: [
      { names: ['mknod', 'mknodat'], action: 'SCMP_ACT_NOTIFY' },
      {
        names: ['clone'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 1,
        args: [{ index: 0, value: 0xffff_ffff_ffff_ffffn, valueTwo: 7, op: 'SCMP_CMP_MASKED_EQ' }],
      },
    ],
  }
  const given = {
    ...profile,
    comment: 'none of ours',
    syscalls: profile.syscalls.map((each) => ({ args: null, comment: '', errnoRet: null, ...each })),
  }
  assert.deepEqual(validateSeccompProfile(given), profile)
  assert.deepEqual(validateSeccompProfile({ defaultAction: 'SCMP_ACT_ALLOW', architectures: null, syscalls: null }), {
    defaultAction: 'SCMP_ACT_ALLOW',
  })
})

test('no flags and absent flags are two things', () => {
  assert.deepEqual(validateSeccompProfile({ defaultAction: 'SCMP_ACT_ALLOW', flags: [] }).flags, [])
  assert.equal(validateSeccompProfile({ defaultAction: 'SCMP_ACT_ALLOW' }).flags, undefined)
})

test('a fault is named with its place', () => {
  refused([], /^cannot use linux\.seccomp: \[\] is no object$/m)
  refused({}, /linux\.seccomp\.defaultAction: undefined is no action\nOne of SCMP_ACT_KILL, /)
  refused({ defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 1 }, /defaultErrnoRet: SCMP_ACT_ALLOW returns no error/)
  refused(
    { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 4096 },
    /defaultErrnoRet: 4096 is no integer from 0 to 4095/,
  )
  refused(
    { defaultAction: 'SCMP_ACT_ERRNO', architectures: ['amd64'] },
    /architectures\[0\]: "amd64" is no architecture/,
  )
  refused({ defaultAction: 'SCMP_ACT_ERRNO', flags: ['TSYNC'] }, /flags\[0\]: "TSYNC" is no flag/)
  refused({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: {} }, /linux\.seccomp\.syscalls: \{\} is no array/)
  refused(one({ names: [], action: 'SCMP_ACT_ALLOW' }), /syscalls\[1\]\.names: it names no system call/)
  refused(one({ names: ['read', 3], action: 'SCMP_ACT_ALLOW' }), /syscalls\[1\]\.names\[1\]: 3 is no non-empty string/)
  refused(one({ names: ['read'], action: 'ALLOW' }), /syscalls\[1\]\.action: "ALLOW" is no action/)
  refused(
    one({ names: ['read'], action: 'SCMP_ACT_TRAP', errnoRet: 1 }),
    /syscalls\[1\]\.errnoRet: SCMP_ACT_TRAP returns/,
  )
  refused(
    arg({ index: 6, value: 0, op: 'SCMP_CMP_EQ' }),
    /syscalls\[1\]\.args\[0\]\.index: 6 is no integer from 0 to 5/,
  )
  refused(
    arg({ index: 0, value: 0, op: '==' }),
    /syscalls\[1\]\.args\[0\]\.op: "==" is no operator\nOne of SCMP_CMP_NE/,
  )
  refused(arg({ index: 0, op: 'SCMP_CMP_EQ' }), /syscalls\[1\]\.args\[0\]\.value: undefined is no unsigned integer/)
})

test('a value has to be unsigned, of 64 bits and exact', () => {
  refused(arg({ index: 0, value: -1, op: 'SCMP_CMP_EQ' }), /args\[0\]\.value: -1 is no unsigned integer of 64 bits/)
  refused(arg({ index: 0, value: 1n << 64n, op: 'SCMP_CMP_EQ' }), /value: 18446744073709551616 is no unsigned integer/)
  refused(arg({ index: 0, value: 1.5, op: 'SCMP_CMP_EQ' }), /value: 1\.5 is no unsigned integer/)
  refused(arg({ index: 0, value: 2 ** 64 - 1, op: 'SCMP_CMP_EQ' }), /has lost bits as a number\nGive .* bigint/)
})

test('notification is refused where it would stop the start, or nobody could listen', () => {
  refused({ defaultAction: 'SCMP_ACT_NOTIFY' }, /defaultAction: SCMP_ACT_NOTIFY would stop the start/)
  refused(one({ names: ['write'], action: 'SCMP_ACT_NOTIFY' }), /syscalls\[1\]\.action: SCMP_ACT_NOTIFY on write/)
  refused(one({ names: ['mount'], action: 'SCMP_ACT_NOTIFY' }), /listenerPath: SCMP_ACT_NOTIFY needs a socket/)
  refused({ defaultAction: 'SCMP_ACT_ALLOW', listenerMetadata: 'x' }, /listenerMetadata: there is no listenerPath/)
})
