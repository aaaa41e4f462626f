import type { ProcessCapabilities } from '../linux/capability.ts'
import type { IdMapping } from '../linux/idmap.ts'
import type { Propagation } from '../linux/mount-flags.ts'
import type { NamespaceKind } from '../linux/namespace.ts'
import type { Securebit } from '../linux/securebits.ts'
import type { ProgramOptions } from './options.ts'

/** Namespaces, and more, of others that a program is to be in. */
export interface EnterOptions {
  /**
   * A process: its id, or that and the inode of its pidfd, which no other process ever has (Linux 6.9), or a pidfd
   * (pidfd_open(2)), which stays open. It is held by a pidfd from the beginning.
   */
  readonly target?: number | { readonly pid: number; readonly inode: number } | { readonly pidfd: number }
  /** Which of the target's namespaces; `all`: all that the caller isn't in already. */
  readonly kinds?: readonly NamespaceKind[] | 'all'
  /** Namespaces by a file that stands for one, or by a descriptor. They go before the target's. */
  readonly files?: Readonly<Partial<Record<NamespaceKind, string | number>>>
  /** The user namespace above that of the others, or above the one that `user` would be. */
  readonly userParent?: boolean
  /** The network namespace of a socket of the target: the number of its descriptor there. */
  readonly netSocket?: number
  /** The target's root, or a directory of the caller's as root. */
  readonly root?: boolean | string
  /** The target's working directory, or a directory of the caller's. */
  readonly workdir?: boolean | string
  /** The target's environment, where `env` isn't given. Default false. */
  readonly env?: boolean
  /** The target's control groups, in all hierarchies. Default false. */
  readonly cgroup?: boolean
  /** In another user namespace the program is root there, and has no other groups, unless this says not to. */
  readonly preserveCredentials?: boolean
}

/**
 * Which ids a new user namespace has.
 * - `own`: what the caller's own id is inside; a name is looked up in the host's /etc/passwd or /etc/group.
 * - `ranges`: mappings; `auto`, the first range of the caller's subordinate ids from 0 on; `subids`, the same range as
 *   itself; `all`, all ids that the caller's namespace has, as themselves. They make room for `own`.
 */
export interface IdMapOptions {
  readonly own?: number | string
  readonly ranges?: readonly (IdMapping | 'auto' | 'subids' | 'all')[]
}

/** New namespaces for a program. */
export interface UnshareOptions {
  readonly kinds: readonly NamespaceKind[]
  /** Files, of the caller's, that stand for the new namespaces from then on: they stay until umount(8) takes them away. */
  readonly persistent?: Readonly<Partial<Record<NamespaceKind, string>>>
  /**
   * Who owns a new user namespace, and so has all power in it from outside: by default the caller. The program is run by
   * that user. It takes root.
   */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Of a new user namespace. Without them nobody is mapped, and the program is the overflow user, 65534. */
  readonly uids?: IdMapOptions
  readonly gids?: IdMapOptions
  /** Whether setgroups(2) is allowed in it. Where only `own` is mapped the kernel takes nothing but `deny`, the default then. */
  readonly setgroups?: 'allow' | 'deny'
  /** Whole seconds that the clocks of a new time namespace are ahead of the caller's, or behind if negative. */
  readonly monotonic?: number
  readonly boottime?: number
  /** Of all mounts in a new mount namespace; `unchanged`: as they were. Default `private`. */
  readonly propagation?: Propagation | 'unchanged'
  /** Where a proc that shows the new pid namespace is mounted: `true` for /proc. */
  readonly mountProc?: boolean | string
  /** Where a binfmt_misc of the new user namespace is mounted: `true` for /proc/sys/fs/binfmt_misc. */
  readonly mountBinfmt?: boolean | string
  /** What is registered there: `:NAME:TYPE:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS`. */
  readonly loadInterp?: string
}

/** Another root by pivot_root(2). Paths of the host are the caller's. */
export interface PivotOptions {
  readonly root: string
  /** What is mounted in it. `target` is absolute, and must be there. */
  readonly binds?: readonly { readonly source: string; readonly target: string; readonly readOnly?: boolean }[]
  /** The caller's /proc at /proc. */
  readonly proc?: boolean
  /** A new /dev with the usual devices: null, zero, full, random, urandom, tty. */
  readonly dev?: boolean
}

/** What a program of this host is started with. Nothing that isn't asked for is different from the caller. */
export interface LaunchOptions extends Omit<ProgramOptions, 'tty'> {
  readonly enter?: EnterOptions
  readonly unshare?: UnshareOptions
  /** Another root directory (chroot(2)): a path as the program would see it without. */
  readonly root?: string
  /** Another root directory, from which there is no way back; it takes a new mount namespace (`unshare`). */
  readonly pivot?: PivotOptions
  /** Working directory, as the program sees it. Default: the caller's, or `/` where the root or the mounts are others. */
  readonly workdir?: string
  /** Directories of control groups that it joins: `/sys/fs/cgroup/mine`, of either version. */
  readonly cgroups?: readonly string[]
  /** `name`, `uid`, or either with `:group`, with all groups that the user has in the root's /etc/group. */
  readonly user?: string | number
  /** The user's id alone; `follow`: as the process that is entered has it. */
  readonly uid?: number | 'follow'
  /** The group's id; it has no additional groups then but `groups`. */
  readonly gid?: number | 'follow'
  readonly groups?: readonly number[]
  /** All five sets as they are to be at the program's start; exec changes them once more by its own rules (capabilities(7)). */
  readonly capabilities?: ProcessCapabilities
  /** What is permitted in the end becomes ambient, so that a program that root doesn't run has it too. Default false. */
  readonly keepCapabilities?: boolean
  readonly securebits?: readonly Securebit[]
  readonly noNewPrivileges?: boolean
  /** All of its environment. Default: this process's own. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Permission bits that new files don't get. Default: this process's own. */
  readonly umask?: number
  /**
   * Whether it is a child of the process that was moved into the namespaces: only then it is in a new pid namespace
   * itself. Default: where a pid namespace is entered, as in nsenter(1).
   */
  readonly fork?: boolean
  /** The signal that it gets when this process ends, or its main thread (PR_SET_PDEATHSIG). Default: none. */
  readonly parentDeathSignal?: string | number
}

/** Names of all options, for telling what was mistyped. */
export const LAUNCH_OPTIONS: readonly (keyof LaunchOptions)[] = [
  'enter',
  'unshare',
  'root',
  'pivot',
  'workdir',
  'cgroups',
  'user',
  'uid',
  'gid',
  'groups',
  'capabilities',
  'keepCapabilities',
  'securebits',
  'noNewPrivileges',
  'argv0',
  'env',
  'umask',
  'fork',
  'parentDeathSignal',
  'stdin',
  'stdout',
  'stderr',
  'timeout',
  'signal',
  'buffer',
  'maxBuffer',
]

export const PIVOT_OPTIONS: readonly (keyof PivotOptions)[] = ['root', 'binds', 'proc', 'dev']

export const ENTER_OPTIONS: readonly (keyof EnterOptions)[] = [
  'target',
  'kinds',
  'files',
  'userParent',
  'netSocket',
  'root',
  'workdir',
  'env',
  'cgroup',
  'preserveCredentials',
]

export const UNSHARE_OPTIONS: readonly (keyof UnshareOptions)[] = [
  'kinds',
  'persistent',
  'owner',
  'uids',
  'gids',
  'setgroups',
  'monotonic',
  'boottime',
  'propagation',
  'mountProc',
  'mountBinfmt',
  'loadInterp',
]
