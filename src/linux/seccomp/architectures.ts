import { AARCH64, ARM, NAMES, X32, X86, X86_64 } from './syscall-numbers.ts'
import * as foreign from './syscall-numbers-foreign.ts'

/** The architectures of the OCI runtime-spec (config-linux.md, Seccomp), in its own names. */
export const SECCOMP_ARCHITECTURES = [
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X86_64',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_ARM',
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_MIPS',
  'SCMP_ARCH_MIPS64',
  'SCMP_ARCH_MIPS64N32',
  'SCMP_ARCH_MIPSEL',
  'SCMP_ARCH_MIPSEL64',
  'SCMP_ARCH_MIPSEL64N32',
  'SCMP_ARCH_PPC',
  'SCMP_ARCH_PPC64',
  'SCMP_ARCH_PPC64LE',
  'SCMP_ARCH_S390',
  'SCMP_ARCH_S390X',
  'SCMP_ARCH_PARISC',
  'SCMP_ARCH_PARISC64',
  'SCMP_ARCH_RISCV64',
  'SCMP_ARCH_LOONGARCH64',
  'SCMP_ARCH_M68K',
  'SCMP_ARCH_SH',
  'SCMP_ARCH_SHEB',
] as const

export type SeccompArchitecture = (typeof SECCOMP_ARCHITECTURES)[number]

/** What a filter must know of an architecture. */
export interface SeccompAbi {
  /** AUDIT_ARCH_*, which seccomp_data carries (linux/audit.h). */
  readonly audit: number
  /** Bits of an argument that rules compare. x32's registers have 64, but its calls' arguments 32. */
  readonly bits: 32 | 64
  /** Which half of an argument comes first in seccomp_data. */
  readonly bigEndian: boolean
  /** Whether sockets and System V IPC are reached through socketcall(2) and ipc(2) too. */
  readonly multiplexed: boolean
  /** What is added to the numbers of the column. */
  readonly base: number
  readonly column: string
}

/** The bit that marks a system call of x32, whose AUDIT_ARCH is x86_64's. */
export const X32_BIT: number = 0x4000_0000

const little = 0x4000_0000
const wide = 0x8000_0000
const n32 = 0x2000_0000

/** Little-endian, nothing special; what differs is said at each. */
const plain = { bits: 64, bigEndian: false, multiplexed: false, base: 0 } as const

const ABIS: Readonly<Record<SeccompArchitecture, SeccompAbi>> = {
  SCMP_ARCH_X86: { ...plain, audit: 3 + little, bits: 32, multiplexed: true, column: X86 },
  SCMP_ARCH_X86_64: { ...plain, audit: 62 + wide + little, column: X86_64 },
  SCMP_ARCH_X32: { ...plain, audit: 62 + wide + little, bits: 32, base: X32_BIT, column: X32 },
  SCMP_ARCH_ARM: { ...plain, audit: 40 + little, bits: 32, column: ARM },
  SCMP_ARCH_AARCH64: { ...plain, audit: 183 + wide + little, column: AARCH64 },
  SCMP_ARCH_MIPS: { audit: 8, bits: 32, bigEndian: true, multiplexed: true, base: 4000, column: foreign.MIPS },
  SCMP_ARCH_MIPS64: { ...plain, audit: 8 + wide, bigEndian: true, base: 5000, column: foreign.MIPS64 },
  SCMP_ARCH_MIPS64N32: {
    ...plain,
    audit: 8 + wide + n32,
    bits: 32,
    bigEndian: true,
    base: 6000,
    column: foreign.MIPS64N32,
  },
  SCMP_ARCH_MIPSEL: { ...plain, audit: 8 + little, bits: 32, multiplexed: true, base: 4000, column: foreign.MIPS },
  SCMP_ARCH_MIPSEL64: { ...plain, audit: 8 + wide + little, base: 5000, column: foreign.MIPS64 },
  SCMP_ARCH_MIPSEL64N32: { ...plain, audit: 8 + wide + little + n32, bits: 32, base: 6000, column: foreign.MIPS64N32 },
  SCMP_ARCH_PPC: { ...plain, audit: 20, bits: 32, bigEndian: true, multiplexed: true, column: foreign.PPC },
  SCMP_ARCH_PPC64: { ...plain, audit: 21 + wide, bigEndian: true, multiplexed: true, column: foreign.PPC64 },
  SCMP_ARCH_PPC64LE: { ...plain, audit: 21 + wide + little, multiplexed: true, column: foreign.PPC64 },
  SCMP_ARCH_S390: { ...plain, audit: 22, bits: 32, bigEndian: true, multiplexed: true, column: foreign.S390 },
  SCMP_ARCH_S390X: { ...plain, audit: 22 + wide, bigEndian: true, multiplexed: true, column: foreign.S390X },
  SCMP_ARCH_PARISC: { ...plain, audit: 15, bits: 32, bigEndian: true, column: foreign.PARISC },
  SCMP_ARCH_PARISC64: { ...plain, audit: 15 + wide, bigEndian: true, column: foreign.PARISC64 },
  SCMP_ARCH_RISCV64: { ...plain, audit: 243 + wide + little, column: foreign.RISCV64 },
  SCMP_ARCH_LOONGARCH64: { ...plain, audit: 258 + wide + little, column: foreign.LOONGARCH64 },
  SCMP_ARCH_M68K: { ...plain, audit: 4, bits: 32, bigEndian: true, multiplexed: true, column: foreign.M68K },
  SCMP_ARCH_SH: { ...plain, audit: 42 + little, bits: 32, multiplexed: true, column: foreign.SH },
  SCMP_ARCH_SHEB: { ...plain, audit: 42, bits: 32, bigEndian: true, multiplexed: true, column: foreign.SH },
}

/** What a filter must know of an architecture: its AUDIT_ARCH, argument size and byte order, multiplexers. */
export const seccompAbi = (architecture: SeccompArchitecture): SeccompAbi => ABIS[architecture]

/** The architecture of this process. A filter always covers it, as libseccomp's do, named by the profile or not. */
export const NATIVE_SECCOMP_ARCHITECTURE: SeccompArchitecture =
  process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64'

const decode = (column: string, base: number, names: readonly string[]): ReadonlyMap<string, number> => {
  const numbers = new Map<string, number>()
  let at = 0
  for (const token of column.trim().split(/\s/)) {
    if (token.startsWith('-')) {
      at += token === '-' ? 1 : Number(token.slice(1))
    } else {
      const name = names[at]
      if (name !== undefined) numbers.set(name, base + Number(token))
      at += 1
    }
  }
  return numbers
}

/** Columns are decoded at their first use. */
const lazily = <K, V>(make: (key: K) => V): ((key: K) => V) => {
  const made = new Map<K, V>()
  return (key) => {
    const known = made.get(key)
    if (known !== undefined) return known
    const value = make(key)
    made.set(key, value)
    return value
  }
}

const names = lazily((list: string): readonly string[] => list.trim().split(/\s/))

/** The numbers of an architecture's system calls by name; x32's and MIPS's with their base. */
export const seccompNumbers: (architecture: SeccompArchitecture) => ReadonlyMap<string, number> = lazily(
  (architecture) => decode(ABIS[architecture].column, ABIS[architecture].base, names(NAMES)),
)

/** Whether some architecture has a system call of this name. */
export const isSyscallName = (name: string): boolean => nameSet(NAMES).has(name)

const nameSet = lazily((list: string): ReadonlySet<string> => new Set(names(list)))

const reverse = lazily((architecture: SeccompArchitecture): ReadonlyMap<number, string> => {
  const byNumber = new Map<number, string>()
  for (const [name, nr] of seccompNumbers(architecture)) byNumber.set(nr, name)
  return byNumber
})

/** The name of a number that a filter or a notification carries, or undefined. */
export const seccompSyscallName = (architecture: SeccompArchitecture, nr: number): string | undefined =>
  reverse(architecture).get(nr)
