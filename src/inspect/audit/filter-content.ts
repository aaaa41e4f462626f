import type { SeccompArchitecture } from '../../linux/seccomp/architectures.ts'
import { NATIVE_SECCOMP_ARCHITECTURE, seccompAbi, seccompNumbers } from '../../linux/seccomp/architectures.ts'
import { SECCOMP_RET, moreRestrictive } from '../../linux/seccomp/action.ts'
import { interpretSeccomp } from '../../linux/seccomp/interpret.ts'

/** A system call that containers have no need of, and by which kernels were taken over or walls are taken down. */
interface Probe {
  readonly call: string
  readonly args?: readonly number[]
  /** How it is called here, where the name alone doesn't say it. */
  readonly as?: string
  /** Whether it takes more than the call to do harm. */
  readonly minor?: boolean
}

const CLONE_NEWUSER = 0x10000000
const TIOCSTI = 0x5412
const AF_ALG = 38
const AF_VSOCK = 40

const PROBES: readonly Probe[] = [
  { call: 'unshare', args: [CLONE_NEWUSER], as: 'unshare of user namespaces' },
  { call: 'clone', args: [CLONE_NEWUSER | 17], as: 'clone into user namespaces' },
  { call: 'mount' },
  { call: 'fsopen' },
  { call: 'bpf' },
  { call: 'perf_event_open' },
  { call: 'userfaultfd' },
  { call: 'io_uring_setup' },
  { call: 'keyctl' },
  { call: 'add_key' },
  { call: 'init_module' },
  { call: 'finit_module' },
  { call: 'kexec_load' },
  { call: 'open_by_handle_at' },
  { call: 'ioctl', args: [0, TIOCSTI], as: 'typing into terminals (TIOCSTI)', minor: true },
  { call: 'socket', args: [AF_ALG, 5, 0], as: 'sockets of AF_ALG', minor: true },
  { call: 'socket', args: [AF_VSOCK, 1, 0], as: 'sockets of AF_VSOCK', minor: true },
]

/** Architectures by whose calls a program of this machine can get around a filter that forgets them. */
const ARCHITECTURES: readonly SeccompArchitecture[] =
  NATIVE_SECCOMP_ARCHITECTURE === 'SCMP_ARCH_X86_64'
    ? ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']
    : ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']

const ACTION = 0xffff0000

/** Whether all filters together let a call through. */
const isLetThrough = (
  filters: readonly Uint8Array[],
  architecture: SeccompArchitecture,
  { call, args = [] }: Probe,
): boolean => {
  const nr = seccompNumbers(architecture).get(call)
  if (nr === undefined) return false
  const data = { arch: seccompAbi(architecture).audit, nr, args }
  const verdict = filters.map((filter) => interpretSeccomp(filter, data)).reduce(moreRestrictive, SECCOMP_RET.ALLOW)
  const action = (verdict & ACTION) >>> 0
  return action === SECCOMP_RET.ALLOW || action === SECCOMP_RET.LOG
}

/** What filters let through of the dangerous calls, in words. */
export interface FilterContent {
  readonly grave: readonly string[]
  readonly minor: readonly string[]
  /** Architectures by whose calls more is let through than by this machine's own. */
  readonly foreign: readonly string[]
  /** How many were asked for. */
  readonly asked: number
}

/** Asks a process's filters for calls that containers have no need of. Pure: no call is made. */
export const filterContent = (filters: readonly Uint8Array[]): FilterContent => {
  const through = (architecture: SeccompArchitecture): readonly Probe[] =>
    PROBES.filter((probe) => isLetThrough(filters, architecture, probe))
  const [native, ...foreign] = ARCHITECTURES
  const own = native === undefined ? [] : through(native)
  const words = (probes: readonly Probe[]): readonly string[] => probes.map(({ call, as }) => as ?? call)
  return {
    grave: words(own.filter(({ minor }) => minor !== true)),
    minor: words(own.filter(({ minor }) => minor === true)),
    foreign: foreign
      .filter((architecture) => through(architecture).some((probe) => !own.includes(probe)))
      .map((architecture) => architecture.replace('SCMP_ARCH_', '').toLowerCase()),
    asked: PROBES.length,
  }
}
