import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeSeccompReturn } from './action.ts'
import type { SeccompArchitecture } from './architectures.ts'
import { seccompAbi, seccompNumbers } from './architectures.ts'
import { compileSeccomp } from './compile.ts'
import { disassembleSeccomp } from './disassemble.ts'
import { interpretSeccomp } from './interpret.ts'
import type { SeccompArgument, SeccompOperator, SeccompProfile } from './profile.ts'

const on =
  (profile: SeccompProfile, architecture: SeccompArchitecture = 'SCMP_ARCH_X86_64') =>
  (name: string, ...args: readonly (number | bigint)[]): string => {
    const { program } = compileSeccomp(profile, { native: 'SCMP_ARCH_X86_64' })
    const nr = seccompNumbers(architecture).get(name) ?? assert.fail(name)
    return describeSeccompReturn(interpretSeccomp(program, { arch: seccompAbi(architecture).audit, nr, args }))
  }

const argument = (index: number, op: SeccompOperator, value: number | bigint, valueTwo?: number): SeccompArgument =>
  valueTwo === undefined ? { index, op, value } : { index, op, value, valueTwo }

test('a listed call gets its action, others the default, EPERM unless said', () => {
  const call = on({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
      { names: ['ptrace'], action: 'SCMP_ACT_TRACE', errnoRet: 9 },
      { names: ['reboot'], action: 'SCMP_ACT_KILL_PROCESS' },
    ],
  })
  assert.equal(call('read'), 'allow')
  assert.equal(call('write'), 'allow')
  assert.equal(call('openat'), 'errno EPERM')
  assert.equal(call('clone3'), 'errno ENOSYS')
  assert.equal(call('ptrace'), 'trace 9')
  assert.equal(call('reboot'), 'kill process')
})

test('a rule without conditions outdoes rules with them, wherever it stands', () => {
  const first = { names: ['ioctl'], action: 'SCMP_ACT_ALLOW' } as const
  const second = { names: ['ioctl'], action: 'SCMP_ACT_KILL', args: [argument(1, 'SCMP_CMP_EQ', 0x5412)] } as const
  for (const syscalls of [
    [first, second],
    [second, first],
  ]) {
    assert.equal(on({ defaultAction: 'SCMP_ACT_ERRNO', syscalls })('ioctl', 0, 0x5412), 'allow')
  }
})

test('the first of two rules without conditions counts', () => {
  const call = on({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      { names: ['mount'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 },
      { names: ['mount'], action: 'SCMP_ACT_KILL' },
    ],
  })
  assert.equal(call('mount'), 'errno EACCES')
})

test('a rule that says what the default says is no rule', () => {
  const call = on({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      { names: ['mount'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
      { names: ['mount'], action: 'SCMP_ACT_ALLOW' },
    ],
  })
  assert.equal(call('mount'), 'allow')
})

test('equality is tried before less, less before greater, the narrower range first', () => {
  const rule = (
    op: SeccompOperator,
    value: number,
    errnoRet: number,
  ): NonNullable<SeccompProfile['syscalls']>[number] => ({
    names: ['kill'],
    action: 'SCMP_ACT_ERRNO',
    errnoRet,
    args: [argument(0, op, value)],
  })
  const call = on({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      rule('SCMP_CMP_GE', 0, 1),
      rule('SCMP_CMP_GT', 100, 2),
      rule('SCMP_CMP_LT', 20, 3),
      rule('SCMP_CMP_LE', 10, 4),
      rule('SCMP_CMP_EQ', 7, 5),
    ],
  })
  const errnos = [7, 10, 15, 50, 101].map((pid) => call('kill', pid))
  assert.deepEqual(errnos, ['errno EIO', 'errno EINTR', 'errno ESRCH', 'errno EPERM', 'errno ENOENT'])
})

test('conditions on one argument are alternatives, on several all must hold', () => {
  const twice = on({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      {
        names: ['personality'],
        action: 'SCMP_ACT_ALLOW',
        args: [argument(0, 'SCMP_CMP_EQ', 0), argument(0, 'SCMP_CMP_EQ', 8)],
      },
      {
        names: ['kill'],
        action: 'SCMP_ACT_ALLOW',
        args: [argument(1, 'SCMP_CMP_EQ', 0), argument(0, 'SCMP_CMP_GT', 1)],
      },
    ],
  })
  assert.deepEqual(
    [0, 8, 9].map((value) => twice('personality', value)),
    ['allow', 'allow', 'errno EPERM'],
  )
  assert.deepEqual(
    [twice('kill', 2, 0), twice('kill', 1, 0), twice('kill', 2, 9)],
    ['allow', 'errno EPERM', 'errno EPERM'],
  )
})

test('on 64 bits both words are compared, on 32 the low one', () => {
  const profile: SeccompProfile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86'],
    syscalls: [{ names: ['close'], action: 'SCMP_ACT_ALLOW', args: [argument(0, 'SCMP_CMP_EQ', 3)] }],
  }
  assert.equal(on(profile)('close', 3), 'allow')
  assert.equal(on(profile)('close', 0x1_0000_0003), 'errno EPERM')
  assert.equal(on(profile, 'SCMP_ARCH_X86')('close', 0x1_0000_0003), 'allow')
})

test('socketcall and ipc get what the calls behind them get; where arguments decide, the strictest of all', () => {
  const call = on(
    {
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: ['SCMP_ARCH_X86'],
      syscalls: [
        { names: ['connect', 'shmget'], action: 'SCMP_ACT_ALLOW' },
        { names: ['socket'], action: 'SCMP_ACT_ALLOW', args: [argument(0, 'SCMP_CMP_EQ', 1)] },
      ],
    },
    'SCMP_ARCH_X86',
  )
  assert.equal(call('socketcall', 3), 'allow')
  assert.equal(call('socketcall', 1, 1), 'errno EPERM')
  assert.equal(call('socketcall', 2), 'errno EPERM')
  assert.equal(call('connect'), 'allow')
  assert.equal(call('socket', 1), 'allow')
  assert.equal(call('ipc', 23), 'allow')
  assert.equal(call('ipc', 0x1_0017), 'allow')
  assert.equal(call('ipc', 21), 'errno EPERM')
})

test('a call newer than the profile gets ENOSYS where asked, unless the default lets it pass', () => {
  const profile: SeccompProfile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: ['read', 'openat2'], action: 'SCMP_ACT_ALLOW' }],
  }
  const result = (given: SeccompProfile, nr: number, newer: 'default' | 'ENOSYS'): string => {
    const { program } = compileSeccomp(given, { native: 'SCMP_ARCH_X86_64', newer })
    return describeSeccompReturn(interpretSeccomp(program, { arch: seccompAbi('SCMP_ARCH_X86_64').audit, nr }))
  }
  assert.equal(result(profile, 438, 'ENOSYS'), 'errno ENOSYS')
  assert.equal(result(profile, 436, 'ENOSYS'), 'errno EPERM')
  assert.equal(result(profile, 438, 'default'), 'errno EPERM')
  assert.equal(result({ ...profile, defaultAction: 'SCMP_ACT_LOG' }, 438, 'ENOSYS'), 'log')
})

test('an architecture that is not covered kills the process, as do calls of x32', () => {
  const { program } = compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW' }, { native: 'SCMP_ARCH_X86_64' })
  const result = (arch: number, nr: number): string => describeSeccompReturn(interpretSeccomp(program, { arch, nr }))
  assert.equal(result(seccompAbi('SCMP_ARCH_X86').audit, 1), 'kill process')
  assert.equal(result(seccompAbi('SCMP_ARCH_X86_64').audit, 0x4000_0001), 'kill process')
  assert.equal(result(seccompAbi('SCMP_ARCH_X86_64').audit, 0xffff_ffff), 'allow')
  assert.equal(result(seccompAbi('SCMP_ARCH_X86_64').audit, 1), 'allow')
})

test('flags: SPEC_ALLOW unless said; a listener and TSYNC, or its absence and WAIT_KILLABLE_RECV, exclude each other', () => {
  const flags = (given: Partial<SeccompProfile>): number =>
    compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', ...given }).flags
  const all: NonNullable<SeccompProfile['flags']> = [
    'SECCOMP_FILTER_FLAG_TSYNC',
    'SECCOMP_FILTER_FLAG_LOG',
    'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
    'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
  ]
  const syscalls: NonNullable<SeccompProfile['syscalls']> = [{ names: ['mknod'], action: 'SCMP_ACT_NOTIFY' }]
  assert.equal(flags({}), 4)
  assert.equal(flags({ flags: [] }), 0)
  assert.equal(flags({ flags: all }), 1 + 2 + 4)
  assert.equal(flags({ flags: all, syscalls }), 2 + 4 + 8 + 32)
  assert.equal(compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }).listener, true)
  assert.equal(compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW' }).listener, false)
})

test('names that no architecture has are told and left out', () => {
  const compiled = compileSeccomp({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: ['read', 'reed', 'cacheflush', 'reed'], action: 'SCMP_ACT_ALLOW' }],
  })
  assert.deepEqual(compiled.unknown, ['reed'])
})

test('neighbours with one outcome are one range, a single call one comparison', () => {
  const { program } = compileSeccomp(
    { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mount'], action: 'SCMP_ACT_ERRNO' }] },
    { native: 'SCMP_ARCH_AARCH64' },
  )
  assert.deepEqual(disassembleSeccomp(program), [
    '0: load arch',
    '1: arch == SCMP_ARCH_AARCH64 ? 2 : 6',
    '2: load nr',
    '3: nr == 0x28 ? 4 : 5',
    '4: return errno EPERM',
    '5: return allow',
    '6: return kill process',
  ])
})

test('a filter longer than the kernel takes is refused with its length', () => {
  const rules = (count: number): SeccompProfile => ({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: Array.from({ length: count }, (_, i) => ({
      names: ['ioctl'],
      action: 'SCMP_ACT_ALLOW' as const,
      args: [argument(0, 'SCMP_CMP_EQ', BigInt(i) << 31n)],
    })),
  })
  assert.throws(
    () => compileSeccomp(rules(20_000)),
    /^TareError: cannot compile the seccomp profile: it takes \d{5} instructions, and the kernel no more than 4096\n/,
  )
  assert.ok(compileSeccomp(rules(900)).instructions <= 4096)
})
