/* What a profile means, computed call by call from the profile itself with bigints: nothing of the compiler's is used
 * but the tables. compileSeccomp must agree with it everywhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seccompReturn } from './action.ts'
import type { SeccompArchitecture } from './architectures.ts'
import { SECCOMP_ARCHITECTURES, seccompAbi, seccompNumbers } from './architectures.ts'
import type { SeccompOptions } from './compile.ts'
import { compileSeccomp } from './compile.ts'
import type { SeccompData } from './interpret.ts'
import { interpretSeccomp } from './interpret.ts'
import type { SeccompArgument, SeccompProfile, SeccompSyscall } from './profile.ts'
import { SECCOMP_OPERATORS } from './profile.ts'

const WIDE = 0xffff_ffff_ffff_ffffn
const KILL_PROCESS = 0x8000_0000
const ENOSYS = 0x0005_0000 + 38

const SOCKETS =
  `- socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown
  setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg`.split(/\s+/)
const IPCS = `- semop semget semctl semtimedop - - - - - - msgsnd msgrcv msgget msgctl - - - - - - shmat shmdt shmget
  shmctl`.split(/\s+/)

const value = ({ action, errnoRet }: SeccompSyscall): number => seccompReturn(action, errnoRet)

const holds = ({ op, value: one, valueTwo = 0 }: SeccompArgument, given: bigint, all: bigint): boolean => {
  const a = given & all
  const v = BigInt(one) & all
  if (op === 'SCMP_CMP_MASKED_EQ') return (a & v) === (BigInt(valueTwo) & v)
  if (op === 'SCMP_CMP_EQ') return a === v
  if (op === 'SCMP_CMP_NE') return a !== v
  if (op === 'SCMP_CMP_LT') return a < v
  if (op === 'SCMP_CMP_LE') return a <= v
  if (op === 'SCMP_CMP_GE') return a >= v
  return a > v
}

/** A MASKED_EQ without a bit to look at says nothing. */
const counts = ({ op, value: mask }: SeccompArgument, all: bigint): boolean =>
  op !== 'SCMP_CMP_MASKED_EQ' || (BigInt(mask) & all) !== 0n

const split = (rule: SeccompSyscall): readonly SeccompSyscall[] => {
  const args = rule.args ?? []
  const twice = args.some((a, i) => args.findIndex((b) => a.index === b.index) !== i)
  return twice ? args.map((arg) => ({ ...rule, args: [arg] })) : [rule]
}

const rank = (op: string): number => (/EQ|NE/.test(op) ? 3 : /L[TE]/.test(op) ? 2 : 1)

/** Positive when `b` is to be tried before `a`. */
const later = (a: readonly SeccompArgument[], b: readonly SeccompArgument[], all: bigint): number => {
  const x = a[0]
  const y = b[0]
  if (x === undefined || y === undefined) return a.length - b.length
  const datum = (arg: SeccompArgument): bigint =>
    (arg.op === 'SCMP_CMP_MASKED_EQ' ? BigInt(arg.value) & BigInt(arg.valueTwo ?? 0) : BigInt(arg.value)) & all
  const [p, q] = [datum(x), datum(y)]
  if (x.index !== y.index) return y.index - x.index
  if (rank(x.op) !== rank(y.op)) return rank(y.op) - rank(x.op)
  if (p !== q) return p < q === (rank(x.op) === 2) ? -1 : 1
  return later(a.slice(1), b.slice(1), all)
}

/** What a profile says of a call by name, or undefined where it says nothing. */
const rulesFor = (profile: SeccompProfile, name: string, all: bigint): readonly SeccompSyscall[] => {
  const fallback = seccompReturn(profile.defaultAction, profile.defaultErrnoRet)
  return (profile.syscalls ?? [])
    .filter((rule) => rule.names.includes(name) && value(rule) !== fallback)
    .flatMap(split)
    .map((rule) => ({
      ...rule,
      args: (rule.args ?? []).filter((arg) => counts(arg, all)).toSorted((a, b) => a.index - b.index),
    }))
}

const strictest = (values: readonly number[]): number =>
  values.toSorted((a, b) => ((a & ~0xffff) | 0) - ((b & ~0xffff) | 0))[0] ?? 0

const reverse = new Map<SeccompArchitecture, Map<number, readonly string[]>>()

const namesOf = (architecture: SeccompArchitecture, nr: number): readonly string[] => {
  const known = reverse.get(architecture) ?? new Map<number, readonly string[]>()
  if (!reverse.has(architecture)) {
    for (const [name, each] of seccompNumbers(architecture)) known.set(each, [...(known.get(each) ?? []), name])
    reverse.set(architecture, known)
  }
  return known.get(nr) ?? []
}

const meaning = (profile: SeccompProfile, data: SeccompData, options: SeccompOptions): number => {
  const fallback = seccompReturn(profile.defaultAction, profile.defaultErrnoRet)
  const native = options.native ?? 'SCMP_ARCH_X86_64'
  const covered = [native, ...(profile.architectures ?? [])]
  const sameAudit = covered.filter((each) => seccompAbi(each).audit === data.arch)
  const isX86 = data.arch === seccompAbi('SCMP_ARCH_X86_64').audit
  const x32 = isX86 && data.nr >= 0x4000_0000
  const named = (architecture: SeccompArchitecture): number[] =>
    (profile.syscalls ?? []).flatMap(({ names }) => names.flatMap((n) => seccompNumbers(architecture).get(n) ?? []))
  const keeps = options.newer !== 'ENOSYS' || /ALLOW|LOG|TRACE/.test(profile.defaultAction)
  const architecture = isX86 ? sameAudit.find((each) => (each === 'SCMP_ARCH_X32') === x32) : sameAudit[0]
  if (sameAudit.length === 0) return KILL_PROCESS
  if (architecture === undefined) {
    return data.nr === 0xffff_ffff ? (keeps ? fallback : ENOSYS) : KILL_PROCESS
  }
  const { bits, multiplexed } = seccompAbi(architecture)
  const all = bits === 32 ? 0xffff_ffffn : WIDE
  const args = Array.from({ length: 6 }, (_, i) => BigInt(data.args?.[i] ?? 0))

  const names = namesOf(architecture, data.nr)
  const rules = names.flatMap((name) => rulesFor(profile, name, all))
  const plain = rules.find((rule) => (rule.args ?? []).length === 0)
  if (plain !== undefined) return value(plain)

  const multiplexer = !multiplexed ? undefined : names.find((name) => name === 'socketcall' || name === 'ipc')
  const mask = multiplexer === 'ipc' ? 0xffff : 0xffff_ffff
  const code = Number((args[0] ?? 0n) & BigInt(mask))
  const inner = (multiplexer === 'ipc' ? IPCS : multiplexer === 'socketcall' ? SOCKETS : [])[code] ?? '-'
  const hidden = inner === '-' ? [] : rulesFor(profile, inner, all)
  const sure = hidden.find((rule) => (rule.args ?? []).length === 0)
  const behind = hidden.length === 0 ? [] : [sure ? value(sure) : strictest([...hidden.map(value), fallback])]
  const selects: SeccompArgument = { index: 0, op: 'SCMP_CMP_MASKED_EQ', value: mask, valueTwo: code }

  const found = [
    ...rules.map((rule) => ({ args: rule.args ?? [], value: value(rule) })),
    ...behind.map((each) => ({ args: [selects], value: each })),
  ]
    .filter((rule) => rule.args.every((arg) => holds(arg, args[arg.index] ?? 0n, all)))
    .toSorted((a, b) => later(a.args, b.args, all))
  if (found[0] !== undefined) return found[0].value
  const last = Math.max(...named(architecture), -1)
  return !keeps && last >= 0 && data.nr > last ? ENOSYS : fallback
}

const show = (data: SeccompData): string =>
  `arch 0x${data.arch.toString(16)} nr ${data.nr} args ${(data.args ?? []).map((arg) => `0x${arg.toString(16)}`).join(' ')}`

/** Numbers of every kind: all small ones, every base, the tables' own, the edges. */
const numbersOf = (architecture: SeccompArchitecture): readonly number[] => {
  const { base } = seccompAbi(architecture)
  const small = Array.from({ length: 620 }, (_, i) => i)
  const own = [...seccompNumbers(architecture).values()].flatMap((nr) => [nr - 1, nr, nr + 1]).filter((nr) => nr >= 0)
  const edges = [0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff]
  return [...new Set([...small, ...small.map((nr) => 0x4000_0000 + nr), ...own, base, ...edges])]
}

/** Values on both sides of those that a profile compares with, in either word. */
const interesting = (profile: SeccompProfile): readonly bigint[] => {
  const given = (profile.syscalls ?? []).flatMap(({ args = [] }) =>
    args.flatMap(({ value: one, valueTwo = 0 }) => [BigInt(one), BigInt(valueTwo)]),
  )
  const near = given.flatMap((v) => [v - 1n, v, v + 1n, v ^ (1n << 32n), v + (1n << 32n), v | (1n << 63n)])
  return [...new Set([0n, 1n, WIDE, ...near].map((v) => BigInt.asUintN(64, v)))]
}

const agree = (profile: SeccompProfile, options: SeccompOptions, inputs: Iterable<SeccompData>): void => {
  const { program } = compileSeccomp(profile, options)
  for (const data of inputs) {
    const is = interpretSeccomp(program, data)
    const should = meaning(profile, data, options)
    if (is !== should) assert.fail(`${show(data)}: 0x${is.toString(16)} instead of 0x${should.toString(16)}`)
  }
}

const everywhere: readonly SeccompProfile[] = [
  { defaultAction: 'SCMP_ACT_ALLOW' },
  { defaultAction: 'SCMP_ACT_KILL_PROCESS', syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] },
  {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      { names: ['read', 'write', 'openat', 'close', 'mmap', 'mmap2', 'exit_group'], action: 'SCMP_ACT_ALLOW' },
      { names: ['socket', 'shmat'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] },
      { names: ['bind', 'semop', 'accept'], action: 'SCMP_ACT_ALLOW' },
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
      { names: ['no_such_call'], action: 'SCMP_ACT_ALLOW' },
    ],
  },
]

test('a filter gives every call of every architecture what the profile says', () => {
  for (const base of everywhere) {
    for (const architecture of SECCOMP_ARCHITECTURES) {
      for (const newer of ['default', 'ENOSYS'] as const) {
        const profile: SeccompProfile = { ...base, architectures: [architecture] }
        const { audit: arch } = seccompAbi(architecture)
        const inputs = numbersOf(architecture).flatMap((nr) => [
          { arch, nr, args: [] },
          { arch, nr, args: [1n] },
          { arch, nr, args: [0x1_0000_0001n, 21n] },
          { arch, nr, args: [0x1_0015n] },
        ])
        const native = seccompAbi('SCMP_ARCH_X86_64').audit
        const foreign = seccompAbi('SCMP_ARCH_AARCH64').audit
        inputs.push({ arch: native, nr: 0, args: [] }, { arch: foreign, nr: 63, args: [] })
        agree(profile, { native: 'SCMP_ARCH_X86_64', newer }, inputs)
      }
    }
  }
})

const action = fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_LOG', 'SCMP_ACT_TRAP', 'SCMP_ACT_KILL')
const word = fc.oneof(
  fc.bigInt({ min: 0n, max: WIDE }),
  fc.bigInt({ min: 0n, max: 4n }),
  fc.constantFrom(0xffff_ffffn, 0x1_0000_0000n, 0x7fff_ffffn, WIDE, 0xffff_ffff_0000_0000n),
)
const argument: fc.Arbitrary<SeccompArgument> = fc.record({
  index: fc.integer({ min: 0, max: 5 }),
  value: word,
  valueTwo: word,
  op: fc.constantFrom(...SECCOMP_OPERATORS),
})
const names = fc.subarray(
  ['read', 'write', 'clone', 'socket', 'bind', 'socketcall', 'ipc', 'shmat', 'ioctl', 'mmap2', 'chown32', 'openat2'],
  { minLength: 1 },
)
const rule: fc.Arbitrary<SeccompSyscall> = fc
  .record({ names, action, errno: fc.integer({ min: 0, max: 40 }), args: fc.array(argument, { maxLength: 3 }) })
  .map(({ errno, ...given }) => (given.action === 'SCMP_ACT_ERRNO' ? { ...given, errnoRet: errno } : given))
const profile: fc.Arbitrary<SeccompProfile> = fc.record({
  defaultAction: action,
  architectures: fc.subarray([...SECCOMP_ARCHITECTURES], { maxLength: 5 }),
  syscalls: fc.array(rule, { maxLength: 12 }),
})

test('a filter means what a random profile says, whatever its rules and their order', () => {
  const options = fc.record({
    native: fc.constantFrom('SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'),
    newer: fc.constantFrom('default', 'ENOSYS'),
  })
  fc.assert(
    fc.property(profile, options, fc.array(fc.nat(), { minLength: 6, maxLength: 6 }), (given, chosen, picks) => {
      const values = interesting(given)
      const architectures = [...new Set([chosen.native, ...(given.architectures ?? []), 'SCMP_ARCH_X86' as const])]
      const called = [...new Set((given.syscalls ?? []).flatMap((each) => each.names))]
      const inputs = architectures.flatMap((architecture) => {
        const { audit: arch } = seccompAbi(architecture)
        const nrs = called.flatMap((name) => seccompNumbers(architecture).get(name) ?? [])
        return [...new Set([...nrs, ...nrs.map((nr) => nr + 1), 700, 0x4000_0001, 0xffff_ffff])].flatMap((nr) =>
          Array.from({ length: 12 }, (_, i) => ({
            arch,
            nr,
            args: picks.map((pick, j) => values[(pick + i * (2 * j + 1)) % values.length] ?? 0n),
          })),
        )
      })
      agree(given, chosen, inputs)
    }),
    { numRuns: 300 },
  )
})

test('rules too far apart for one jump are reached by long ones', () => {
  const many: SeccompProfile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: Array.from({ length: 300 }, (_, i) => ({
      names: ['ioctl'],
      action: i % 2 === 0 ? ('SCMP_ACT_ALLOW' as const) : ('SCMP_ACT_LOG' as const),
      args: [
        { index: 1, value: BigInt(i) << 31n, op: 'SCMP_CMP_EQ' as const },
        { index: 2, value: i, op: 'SCMP_CMP_GT' as const },
      ],
    })),
  }
  const { audit: arch } = seccompAbi('SCMP_ARCH_X86_64')
  const inputs = Array.from({ length: 302 }, (_, i) => i).flatMap((i) =>
    [0n, BigInt(i), BigInt(i) + 1n, WIDE].map((third) => ({ arch, nr: 16, args: [0n, BigInt(i) << 31n, third] })),
  )
  const options: SeccompOptions = { native: 'SCMP_ARCH_X86_64' }
  assert.ok(compileSeccomp(many, options).instructions > 1000)
  agree(many, options, [...inputs, { arch, nr: 0 }, { arch, nr: 17 }])
})
