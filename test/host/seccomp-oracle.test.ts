/* Tare's filters beside libseccomp's for the same profiles: both are run over the same calls and must agree. Needs a C
 * compiler and libseccomp's header. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { seccompReturn } from '../../src/linux/seccomp/action.ts'
import type { SeccompArchitecture } from '../../src/linux/seccomp/architectures.ts'
import { NATIVE_SECCOMP_ARCHITECTURE, seccompAbi, seccompNumbers } from '../../src/linux/seccomp/architectures.ts'
import { compileSeccomp } from '../../src/linux/seccomp/compile.ts'
import type { SeccompData } from '../../src/linux/seccomp/interpret.ts'
import { interpretSeccomp } from '../../src/linux/seccomp/interpret.ts'
import type { SeccompArgument, SeccompProfile, SeccompSyscall } from '../../src/linux/seccomp/profile.ts'
import { SECCOMP_OPERATORS } from '../../src/linux/seccomp/profile.ts'
import { defaultSeccompProfile } from '../../src/runtime/default-seccomp.ts'

/** Little-endian ones that libseccomp 2.5 knows: it takes no others on a little-endian host. */
const NAMES: Readonly<Partial<Record<SeccompArchitecture, string>>> = {
  SCMP_ARCH_X86_64: 'x86_64',
  SCMP_ARCH_X86: 'x86',
  SCMP_ARCH_X32: 'x32',
  SCMP_ARCH_AARCH64: 'aarch64',
  SCMP_ARCH_ARM: 'arm',
  SCMP_ARCH_MIPSEL: 'mipsel',
  SCMP_ARCH_MIPSEL64: 'mipsel64',
  SCMP_ARCH_MIPSEL64N32: 'mipsel64n32',
  SCMP_ARCH_PPC64LE: 'ppc64le',
  SCMP_ARCH_RISCV64: 'riscv64',
}
const ARCHITECTURES: readonly SeccompArchitecture[] = Object.keys(NAMES).filter(
  (name): name is SeccompArchitecture => name in NAMES,
)

/** Calls behind socketcall and ipc. */
const MULTIPLEXED = new Set(
  `socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt
  getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg semop semget semctl semtimedop msgsnd msgrcv msgget msgctl shmat
  shmdt shmget shmctl socketcall ipc`.split(/\s+/),
)

const folder = mkdtempSync(join(tmpdir(), 'tare-seccomp-'))
after(() => rmSync(folder, { recursive: true }))
const oracle = join(folder, 'oracle')
const source = join(import.meta.dirname, '../../../test/host/seccomp-oracle.c')
const build = spawnSync('cc', ['-Wall', '-Wextra', '-Werror', '-o', oracle, source, '-lseccomp'], { encoding: 'utf8' })
const missing =
  build.error === undefined ? /seccomp\.h: No such file|cannot find -lseccomp/.exec(build.stderr)?.[0] : 'cc'

const canRun = (t: TestContext): boolean => {
  if (missing !== undefined) {
    t.skip(`needs a C compiler and libseccomp-dev (${missing})`)
    return false
  }
  assert.equal(build.status, 0, build.stderr)
  return true
}

/** Names whose numbers libseccomp has as Tare has them, on all the architectures. */
const sharedNames = (): readonly string[] => {
  const names = [...new Set(ARCHITECTURES.flatMap((each) => [...seccompNumbers(each).keys()]))]
  const output = execFileSync(oracle, ['resolve', ...ARCHITECTURES.map((each) => NAMES[each] ?? '')], {
    input: names.join('\n'),
    encoding: 'utf8',
  })
  return output
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .filter(
      ([name = '', distinct, ...numbers]) =>
        distinct === '1' &&
        ARCHITECTURES.every((each, i) => {
          const theirs = Number(numbers[i])
          const ours = seccompNumbers(each).get(name)
          return ours === undefined ? theirs < 0 && theirs !== -1 : theirs === ours || (theirs < -100 && theirs > -300)
        }),
    )
    .map(([name = '']) => name)
}

const OPS: Readonly<Record<SeccompArgument['op'], number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
}

/** libseccomp's filter for a profile, with rules left out that say what the default says, or undefined if it refuses. */
const theirs = (profile: SeccompProfile, level = 1): Uint8Array | undefined => {
  const fallback = seccompReturn(profile.defaultAction, profile.defaultErrnoRet)
  const rules = (profile.syscalls ?? []).flatMap(({ names, action, errnoRet, args = [] }) => {
    const value = seccompReturn(action, errnoRet)
    if (value === fallback) return []
    const conditions = args.map((arg) => `${arg.index} ${OPS[arg.op]} ${arg.value} ${arg.valueTwo ?? 0}`)
    return names.map((name) => `rule ${value} ${name} ${args.length} ${conditions.join(' ')}`)
  })
  const architectures = (profile.architectures ?? []).map((each) => `arch ${NAMES[each] ?? assert.fail(each)}`)
  const input = [String(fallback), `optimize ${level}`, ...architectures, ...rules, 'end'].join('\n')
  const { status, stdout, stderr } = spawnSync(oracle, { input, maxBuffer: 1 << 22 })
  if (status === 3) return undefined
  assert.equal(status, 0, String(stderr))
  return stdout
}

const compare = (profile: SeccompProfile, inputs: Iterable<SeccompData>, level = 1): boolean => {
  const other = theirs(profile, level)
  if (other === undefined) return false
  const { program } = compileSeccomp(profile)
  for (const data of inputs) {
    const ours = interpretSeccomp(program, data)
    const should = interpretSeccomp(other, data)
    if (ours !== should) {
      const args = (data.args ?? []).map((arg) => `0x${arg.toString(16)}`).join(' ')
      const call = `arch 0x${data.arch.toString(16)} nr ${data.nr} args ${args}`
      assert.fail(`${call}: 0x${ours.toString(16)}, libseccomp 0x${should.toString(16)}`)
    }
  }
  return true
}

const everyNumber = (architecture: SeccompArchitecture): readonly number[] => {
  const { base } = seccompAbi(architecture)
  const near = Array.from({ length: 620 }, (_, i) => i)
  return [
    ...near,
    ...near.map((nr) => nr + base),
    ...near.map((nr) => nr + 0x4000_0000),
    0x3fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
  ]
}

test('tables: libseccomp numbers nearly all calls as Tare does', (t) => {
  if (!canRun(t)) return
  const shared = new Set(sharedNames())
  const natives = [...seccompNumbers(NATIVE_SECCOMP_ARCHITECTURE)].filter(([, nr]) => nr < 449).map(([name]) => name)
  // These came later, with numbers from a gap.
  const odd = natives.filter((name) => !shared.has(name) && name !== 'uretprobe' && name !== 'uprobe')
  assert.ok(shared.size > 400, `${shared.size} shared names`)
  assert.deepEqual(odd, [])
})

test('the default profile: the same as through libseccomp, for every call of each architecture', (t) => {
  if (!canRun(t)) return
  const shared = new Set(sharedNames())
  for (const capabilities of [[], ['CAP_SYS_ADMIN', 'CAP_AUDIT_WRITE'], ['CAP_SYS_PTRACE', 'CAP_BPF']]) {
    const whole = defaultSeccompProfile(capabilities)
    // On x86 libseccomp refuses the rules on socket, whose conditions it can't have for socketcall.
    for (const [architecture, without] of [
      [NATIVE_SECCOMP_ARCHITECTURE, ''],
      ['SCMP_ARCH_X86', 'socket'],
      ['SCMP_ARCH_ARM', ''],
    ] as const) {
      const syscalls = (whole.syscalls ?? [])
        .map((rule) => ({ ...rule, names: rule.names.filter((name) => shared.has(name) && name !== without) }))
        .filter(({ names }) => names.length > 0)
      const profile: SeccompProfile = { ...whole, architectures: [architecture], syscalls }
      const { audit: arch } = seccompAbi(architecture)
      const values = [0n, 1n, 8n, 9n, 16n, 38n, 40n, 41n, 0x5412n, 0x541cn, 0x2_0000n, 0x1000_0000n, 0x7e02_0011n]
      const wide = [...values, ...values.map((v) => v + (1n << 32n)), 0xffff_ffffn, 0xffff_ffff_ffff_ffffn]
      const inputs = everyNumber(architecture).flatMap((nr) =>
        wide.flatMap((v, i) => [
          { arch, nr, args: [v, wide[(i + 7) % wide.length] ?? 0n, 9n] },
          { arch, nr, args: [16n, v, v] },
        ]),
      )
      assert.ok(compare(profile, inputs, 2), `libseccomp refuses the default profile on ${architecture}`)
    }
  }
})

const action = fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_LOG', 'SCMP_ACT_TRAP')
const WIDE = 0xffff_ffff_ffff_ffffn
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
const isRange = ({ op }: SeccompArgument): boolean => !op.endsWith('EQ')
const conditions = fc.uniqueArray(argument, { maxLength: 3, selector: ({ index }) => index })

test('random rules without conflicts mean the same through libseccomp', (t) => {
  if (!canRun(t)) return
  const shared = sharedNames()
  const names = fc.uniqueArray(fc.constantFrom(...shared), { minLength: 1, maxLength: 30 })
  const plain = fc.record({ names, action })
  // One action for all rules with conditions, so that it doesn't matter which of those that hold comes first. And one
  // rule for a name with anything but equality: libseccomp 2.5 may drop a branch where two share a comparison.
  const conditional = fc
    .record({ action, rules: fc.array(fc.record({ names, args: conditions }), { maxLength: 8 }) })
    .map(({ action: one, rules }) =>
      rules.map((rule, i) => {
        const ranged = rules.slice(0, i).filter(({ args }) => args.some(isRange))
        const taken = rule.args.some(isRange) ? new Set(ranged.flatMap((each) => each.names)) : new Set<string>()
        return { ...rule, action: one, names: rule.names.filter((name) => !MULTIPLEXED.has(name) && !taken.has(name)) }
      }),
    )
  const profile = fc
    .record({
      defaultAction: action,
      architectures: fc.subarray([...ARCHITECTURES], { maxLength: 4 }),
      syscalls: fc
        .tuple(fc.array(plain, { maxLength: 6 }), conditional, fc.array(plain, { maxLength: 2 }))
        .map((parts): readonly SeccompSyscall[] => parts.flat()),
    })
    // libseccomp 2.5 may forget to load the number on an architecture that lacks a call of the profile.
    .map(({ syscalls, ...rest }) => {
      const covered = [NATIVE_SECCOMP_ARCHITECTURE, ...rest.architectures]
      const everywhere = (name: string): boolean => covered.every((each) => seccompNumbers(each).has(name))
      const kept = syscalls.map((rule) => ({ ...rule, names: rule.names.filter(everywhere) }))
      return { ...rest, syscalls: kept.filter((rule) => rule.names.length > 0) }
    })
  let refused = 0
  fc.assert(
    fc.property(profile, fc.array(fc.nat(), { minLength: 6, maxLength: 6 }), (given, picks) => {
      const values = given.syscalls
        .flatMap(({ args = [] }) => args.flatMap(({ value, valueTwo = 0 }) => [BigInt(value), BigInt(valueTwo)]))
        .flatMap((v) => [v - 1n, v, v + 1n, v ^ (1n << 32n)])
        .map((v) => BigInt.asUintN(64, v))
      const pool = [0n, 1n, 21n, WIDE, ...values]
      const inputs = [...new Set([NATIVE_SECCOMP_ARCHITECTURE, ...given.architectures])].flatMap((architecture) => {
        const { audit: arch } = seccompAbi(architecture)
        const named = given.syscalls.flatMap((rule) =>
          rule.names.flatMap((name) => seccompNumbers(architecture).get(name) ?? []),
        )
        return [...new Set([...named, ...named.map((nr) => nr + 1), 102, 117, 4102, 4117, 0x4000_0001])].flatMap((nr) =>
          Array.from({ length: 8 }, (_, i) => ({
            arch,
            nr,
            args: picks.map((pick, j) => pool[(pick + i * (2 * j + 1)) % pool.length] ?? 0n),
          })).map((data) => ({
            ...data,
            // socketcall's and ipc's first is an int, and ipc's has a version above; libseccomp compares all of it.
            args: [102, 117, 4102, 4117].includes(nr) ? [(data.args[0] ?? 0n) & 31n, ...data.args.slice(1)] : data.args,
          })),
        )
      })
      if (!compare(given, inputs)) refused += 1
    }),
    { numRuns: 300 },
  )
  assert.ok(refused < 30, `libseccomp refused ${refused} of 300 profiles`)
})

test('rules that conflict come in the order of libseccomp', (t) => {
  if (!canRun(t)) return
  const rule = (
    errnoRet: number,
    ...args: readonly (readonly [number, SeccompArgument['op'], number])[]
  ): SeccompSyscall => ({
    names: ['kill'],
    action: 'SCMP_ACT_ERRNO',
    errnoRet,
    args: args.map(([index, op, value]) => ({ index, op, value })),
  })
  const rules: readonly SeccompSyscall[] = [
    rule(11, [0, 'SCMP_CMP_GE', 0]),
    rule(12, [0, 'SCMP_CMP_GT', 100]),
    rule(13, [0, 'SCMP_CMP_LT', 20]),
    rule(14, [0, 'SCMP_CMP_LE', 10]),
    rule(15, [0, 'SCMP_CMP_EQ', 7]),
    rule(16, [0, 'SCMP_CMP_EQ', 150], [1, 'SCMP_CMP_EQ', 9]),
    rule(17, [2, 'SCMP_CMP_EQ', 3]),
  ]
  const arch = seccompAbi(NATIVE_SECCOMP_ARCHITECTURE).audit
  const nr = seccompNumbers(NATIVE_SECCOMP_ARCHITECTURE).get('kill') ?? assert.fail()
  const inputs = [0n, 7n, 10n, 11n, 20n, 100n, 101n, 150n, 1n << 40n].flatMap((first) =>
    [0n, 9n].flatMap((second) => [0n, 3n].map((third) => ({ arch, nr, args: [first, second, third] }))),
  )
  let compared = 0
  for (const [i, a] of rules.entries()) {
    for (const b of rules.slice(i + 1)) {
      for (const syscalls of [
        [a, b],
        [b, a],
      ]) {
        if (compare({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }, inputs)) compared += 1
      }
    }
  }
  assert.ok(compared >= 30, `libseccomp took ${compared} of 42 pairs`)
})
