import { ERRNO } from '../linux/errno.ts'
import type { SeccompArchitecture } from '../linux/seccomp/architectures.ts'
import { NATIVE_SECCOMP_ARCHITECTURE } from '../linux/seccomp/architectures.ts'
import type { SeccompProgram } from '../linux/seccomp/compile.ts'
import { compileSeccomp } from '../linux/seccomp/compile.ts'
import type { SeccompArgument, SeccompProfile, SeccompSyscall } from '../linux/seccomp/profile.ts'
import { ALLOWED, PRIVILEGED, REFUSED } from './default-seccomp-names.ts'

/** The 32-bit programs that a host runs too. x32 is left out: no distribution for it is left. */
const ARCHITECTURES: Readonly<Partial<Record<SeccompArchitecture, readonly SeccompArchitecture[]>>> = {
  SCMP_ARCH_X86_64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  SCMP_ARCH_AARCH64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
}

/** Parameters of type int: the kernel looks at the low word alone, so a rule that refuses has to do so too. */
const INT = 0xffff_ffff

const is = (index: number, valueTwo: number): SeccompArgument => ({
  index,
  op: 'SCMP_CMP_MASKED_EQ',
  value: INT,
  valueTwo,
})

/** Always holds, and comes after all rules that test for equality: the others of the same call. */
const rest = (index: number): readonly SeccompArgument[] => [{ index, op: 'SCMP_CMP_GE', value: 0 }]

const allow = (names: readonly string[], args?: readonly SeccompArgument[]): SeccompSyscall => ({
  names,
  action: 'SCMP_ACT_ALLOW',
  ...(args === undefined ? {} : { args }),
})

const refuse = (names: readonly string[], errno: string, args?: readonly SeccompArgument[]): SeccompSyscall => ({
  names,
  action: 'SCMP_ACT_ERRNO',
  errnoRet: ERRNO[errno] ?? 1,
  ...(args === undefined ? {} : { args }),
})

/** Flags of clone(2) that make namespaces (linux/sched.h); CLONE_NEWTIME is none of clone's, only of clone3's. */
const CLONE_NEW: readonly number[] = [
  0x0002_0000, // NEWNS
  0x0200_0000, // NEWCGROUP
  0x0400_0000, // NEWUTS
  0x0800_0000, // NEWIPC
  0x1000_0000, // NEWUSER
  0x2000_0000, // NEWPID
  0x4000_0000, // NEWNET
]

/**
 * A new user namespace gives all capabilities within it, and with them ways to much of the kernel. clone3's flags lie
 * in memory, where no filter sees them: ENOSYS makes C libraries fall back to clone.
 */
const NO_NAMESPACES: readonly SeccompSyscall[] = [
  ...CLONE_NEW.map((flag) =>
    refuse(['clone'], 'EPERM', [{ index: 0, op: 'SCMP_CMP_MASKED_EQ', value: flag, valueTwo: flag }]),
  ),
  allow(['clone'], rest(0)),
  refuse(['clone3'], 'ENOSYS'),
]

/** PER_LINUX and PER_LINUX32, each with UNAME26 or without; -1 asks for the present one (personality(2)). */
const PERSONALITIES: readonly number[] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff]

/** Characters pushed into a terminal as if typed: what is typed there may be read by a shell outside (ioctl_tty(2)). */
const TERMINAL_INJECTION: readonly number[] = [
  0x5412, // TIOCSTI
  0x541c, // TIOCLINUX
]

const AF_NETLINK = 16
const NETLINK_AUDIT = 9

/** AF_ALG reaches the kernel's crypto, AF_VSOCK the hypervisor; neither knows of network namespaces. */
const FOREIGN_FAMILIES: readonly number[] = [
  38, // AF_ALG
  40, // AF_VSOCK
]

const CONDITIONAL: readonly SeccompSyscall[] = [
  ...PERSONALITIES.map((persona) => allow(['personality'], [is(0, persona)])),
  refuse(['personality'], 'EPERM', rest(0)),
  ...TERMINAL_INJECTION.map((request) => refuse(['ioctl'], 'EPERM', [is(1, request)])),
  allow(['ioctl'], rest(1)),
  ...FOREIGN_FAMILIES.map((family) => refuse(['socket'], 'EAFNOSUPPORT', [is(0, family)])),
]

const S_ISUID = 0o4000
const S_ISGID = 0o2000
const O_CREAT = 0o100
const O_TMPFILE = 0o20000000

const has = (index: number, bit: number): SeccompArgument => ({
  index,
  op: 'SCMP_CMP_MASKED_EQ',
  value: bit,
  valueTwo: bit,
})

/** Calls that give a file its mode, and which argument that is. */
const MODES: readonly (readonly [names: readonly string[], index: number])[] = [
  [['chmod', 'fchmod', 'creat', 'mknod'], 1],
  [['fchmodat', 'fchmodat2', 'mknodat'], 2],
]
/** Calls that do so only if they create it: which arguments are the flags and the mode. */
const OPENS: readonly (readonly [name: string, flags: number, mode: number])[] = [
  ['open', 1, 2],
  ['openat', 2, 3],
]

/**
 * No file gets set-user-id or set-group-id. In a directory of the host whose owners are mapped it would be the host's
 * root's, and any user of the host could run it as root. openat2's arguments lie in memory: ENOSYS.
 */
const NO_SETUID_FILES: readonly SeccompSyscall[] = [
  ...MODES.flatMap(([names, index]) => [
    ...[S_ISUID, S_ISGID].map((bit) => refuse(names, 'EPERM', [has(index, bit)])),
    allow(names, rest(index)),
  ]),
  ...OPENS.flatMap(([name, flags, mode]) => [
    ...[O_CREAT, O_TMPFILE].flatMap((flag) =>
      [S_ISUID, S_ISGID].map((bit) => refuse([name], 'EPERM', [has(flags, flag), has(mode, bit)])),
    ),
    allow([name], rest(flags)),
  ]),
  refuse(['openat2'], 'ENOSYS'),
]
const SETUID_CALLS: ReadonlySet<string> = new Set(NO_SETUID_FILES.flatMap(({ names }) => names))

export interface DefaultSeccompOptions {
  /** Whether files may get set-user-id and set-group-id. Default true. */
  readonly setuidFiles?: boolean | undefined
}

/** Without the capability the kernel refuses the audit's messages in a way that stops PAM; this lets it go on. */
const NO_AUDIT: readonly SeccompSyscall[] = [refuse(['socket'], 'EINVAL', [is(0, AF_NETLINK), is(2, NETLINK_AUDIT)])]

/**
 * The filter that a container gets unless told otherwise, for the capabilities that it is granted (`CAP_…`, in any
 * order). An allow-list: a call that is known and dangerous fails with EPERM, one that isn't on any list, being newer or
 * long gone, with ENOSYS, on which programs fall back. What a capability is for is allowed with it. docs/seccomp.md
 * has the reasons.
 */
export const defaultSeccompProfile = (
  capabilities: readonly string[],
  native: SeccompArchitecture = NATIVE_SECCOMP_ARCHITECTURE,
  { setuidFiles = true }: DefaultSeccompOptions = {},
): SeccompProfile => {
  const granted = new Set(capabilities)
  const unlocked = new Set(
    Object.entries(PRIVILEGED).flatMap(([capability, names]) => (granted.has(capability) ? names : [])),
  )
  const locked = Object.values(PRIVILEGED)
    .flat()
    .filter((name) => !unlocked.has(name))
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ERRNO['ENOSYS'] ?? 38,
    architectures: ARCHITECTURES[native] ?? [native],
    syscalls: [
      allow([...ALLOWED, ...unlocked].filter((name) => setuidFiles || !SETUID_CALLS.has(name))),
      refuse([...new Set([...REFUSED, ...locked])], 'EPERM'),
      ...CONDITIONAL,
      ...(setuidFiles ? [] : NO_SETUID_FILES),
      ...(granted.has('CAP_AUDIT_WRITE') ? [] : NO_AUDIT),
      allow(['socket'], rest(0)),
      ...(granted.has('CAP_SYS_ADMIN') ? [allow(['clone', 'clone3'])] : NO_NAMESPACES),
    ],
  }
}

/** Programs by the capabilities that make a difference. */
const programs = new Map<string, SeccompProgram>()

/** {@link defaultSeccompProfile} compiled for this process's architecture, once for what makes a difference. */
export const defaultSeccompProgram = (
  capabilities: readonly string[],
  options: DefaultSeccompOptions = {},
): SeccompProgram => {
  const names = [...new Set(capabilities)].filter((name) => name in PRIVILEGED || name === 'CAP_AUDIT_WRITE').toSorted()
  const key = [options.setuidFiles ?? true, ...names].join(' ')
  const known = programs.get(key)
  if (known !== undefined) return known
  const program = compileSeccomp(defaultSeccompProfile(capabilities, NATIVE_SECCOMP_ARCHITECTURE, options))
  programs.set(key, program)
  return program
}
