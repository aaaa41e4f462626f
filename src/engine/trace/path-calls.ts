import type { SeccompProfile } from '../../linux/seccomp/profile.ts'
import type { SeccompNotification } from '../../linux/seccomp/notify.ts'
import type { SeccompArchitecture } from '../../linux/seccomp/architectures.ts'
import { seccompAbi, seccompSyscallName } from '../../linux/seccomp/architectures.ts'

/** What a system call does with the path that is among its arguments. */
export interface PathCall {
  readonly does: 'open' | 'execute' | 'look' | 'make' | 'make directory'
  /** Which arguments are the path and the directory that it starts from; without that, it is the working directory. */
  readonly path: number
  readonly directory?: number
  /** Which argument has the flags: O_ of an open, AT_ of others; `how`: they are the first word of struct open_how. */
  readonly flags?: number
  readonly how?: true
  /** Whether it never follows a link at the end. */
  readonly nofollow?: true
}

/** The calls that name files which a program needs; those that change attributes name files which it has opened or made. */
export const PATH_CALLS: Readonly<Record<string, PathCall>> = {
  open: { does: 'open', path: 0, flags: 1 },
  openat: { does: 'open', directory: 0, path: 1, flags: 2 },
  openat2: { does: 'open', directory: 0, path: 1, flags: 2, how: true },
  creat: { does: 'make', path: 0 },
  execve: { does: 'execute', path: 0 },
  execveat: { does: 'execute', directory: 0, path: 1 },
  uselib: { does: 'open', path: 0 },
  stat: { does: 'look', path: 0 },
  stat64: { does: 'look', path: 0 },
  lstat: { does: 'look', path: 0, nofollow: true },
  lstat64: { does: 'look', path: 0, nofollow: true },
  newfstatat: { does: 'look', directory: 0, path: 1, flags: 3 },
  fstatat64: { does: 'look', directory: 0, path: 1, flags: 3 },
  statx: { does: 'look', directory: 0, path: 1, flags: 2 },
  access: { does: 'look', path: 0 },
  faccessat: { does: 'look', directory: 0, path: 1 },
  faccessat2: { does: 'look', directory: 0, path: 1, flags: 3 },
  readlink: { does: 'look', path: 0, nofollow: true },
  readlinkat: { does: 'look', directory: 0, path: 1, nofollow: true },
  chdir: { does: 'look', path: 0 },
  statfs: { does: 'look', path: 0 },
  statfs64: { does: 'look', path: 0 },
  getxattr: { does: 'look', path: 0 },
  lgetxattr: { does: 'look', path: 0, nofollow: true },
  mkdir: { does: 'make directory', path: 0 },
  mkdirat: { does: 'make directory', directory: 0, path: 1 },
  truncate: { does: 'make', path: 0 },
  truncate64: { does: 'make', path: 0 },
  rename: { does: 'make', path: 1 },
  renameat: { does: 'make', directory: 2, path: 3 },
  renameat2: { does: 'make', directory: 2, path: 3 },
  link: { does: 'make', path: 1 },
  linkat: { does: 'make', directory: 2, path: 3 },
  symlink: { does: 'make', path: 1 },
  symlinkat: { does: 'make', directory: 1, path: 2 },
}

/** Programs of these run on one machine, side by side. */
const ARCHITECTURES: Readonly<Record<string, readonly SeccompArchitecture[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
}

export const TRACED_ARCHITECTURES: readonly SeccompArchitecture[] = ARCHITECTURES[process.arch] ?? []

/** The call by which a process ends itself, with all its threads. */
const EXIT = 'exit_group'

/** Whether a process is about to end. */
export const isExit = ({ nr, audit }: SeccompNotification): boolean =>
  TRACED_ARCHITECTURES.some((each) => seccompAbi(each).audit === audit && seccompSyscallName(each, nr) === EXIT)

/** Tells of every such call, and bars the one way around them: opening files by io_uring, for which programs have others. */
export const TRACE_PROFILE: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: TRACED_ARCHITECTURES,
  syscalls: [
    { names: [...Object.keys(PATH_CALLS), EXIT], action: 'SCMP_ACT_NOTIFY' },
    { names: ['io_uring_setup'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
  ],
}
