import { closeSync, openSync } from 'node:fs'

import { binding } from './binding.ts'
import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import { hintedSyscall } from './hinted-syscall.ts'
import { pidfdPid, sendPidfdSignal } from './pidfd.ts'
import type { ProcId } from './proc.ts'
import { fromNodeError, readProcLink } from './proc.ts'
import { syscall, syscallNumber, trySyscall } from './syscall.ts'

/** The eight kinds of namespaces, by the kernel's short names (namespaces(7)). */
export type NamespaceKind = 'cgroup' | 'ipc' | 'mnt' | 'net' | 'pid' | 'time' | 'user' | 'uts'

/** A link below /proc/PID/ns: the kinds, and those that children of the process will be born into. */
export type NamespaceLink = NamespaceKind | 'pid_for_children' | 'time_for_children'

export interface NamespaceFacts {
  /** The CLONE_NEW… flag of clone(2), unshare(2) and setns(2). */
  readonly flag: number
  /** What processes in it see of their own: one sentence. */
  readonly isolates: string
}

/** What is known of each kind (linux/sched.h). */
export const NAMESPACES: Readonly<Record<NamespaceKind, NamespaceFacts>> = {
  cgroup: { flag: 0x02000000, isolates: 'The root of the cgroup hierarchies.' },
  ipc: {
    flag: 0x08000000,
    isolates: 'System V message queues, semaphores and shared memory, and POSIX message queues.',
  },
  mnt: { flag: 0x00020000, isolates: 'The mounts: which file systems are to be seen where.' },
  net: { flag: 0x40000000, isolates: 'Interfaces, addresses, routes, firewall rules, ports and abstract sockets.' },
  pid: { flag: 0x20000000, isolates: 'The process ids, with a PID 1 of its own.' },
  time: { flag: 0x00000080, isolates: 'The monotonic and the boot-time clock.' },
  user: { flag: 0x10000000, isolates: 'User and group ids, and what capabilities reach.' },
  uts: { flag: 0x04000000, isolates: 'The host name and the domain name.' },
}

export const CLONE_NEWCGROUP: number = NAMESPACES.cgroup.flag
export const CLONE_NEWIPC: number = NAMESPACES.ipc.flag
export const CLONE_NEWNS: number = NAMESPACES.mnt.flag
export const CLONE_NEWNET: number = NAMESPACES.net.flag
export const CLONE_NEWPID: number = NAMESPACES.pid.flag
export const CLONE_NEWTIME: number = NAMESPACES.time.flag
export const CLONE_NEWUSER: number = NAMESPACES.user.flag
export const CLONE_NEWUTS: number = NAMESPACES.uts.flag

/** The inode of the host's own user namespace, the same on every machine (linux/proc_ns.h). */
export const INITIAL_USER_NAMESPACE = 0xeffffffd

/** unshare(2) with it gives this thread a root, working directory and umask of its own. */
export const CLONE_FS = 0x200

/** All kinds, in alphabetical order. */
export const NAMESPACE_KINDS: readonly NamespaceKind[] = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts']

const LINKS: readonly NamespaceLink[] = [...NAMESPACE_KINDS, 'pid_for_children', 'time_for_children']

/** The flags of these kinds, as clone3(2), unshare(2) and setns(2) take them. */
export const namespaceFlags = (kinds: Iterable<NamespaceKind>): number => {
  let flags = 0
  for (const kind of kinds) flags |= NAMESPACES[kind].flag
  return flags
}

/** The kind that a link, or the text that the link holds, is of. */
const kindOf = (text: string): NamespaceKind | undefined => NAMESPACE_KINDS.find((kind) => kind === text)

/** One namespace. Two are the same if kind and inode are: they live on one file system, nsfs. */
export interface NamespaceId {
  readonly kind: NamespaceKind
  readonly inode: number
}

/** Reads `net:[4026531840]`, which the links below /proc/PID/ns hold; undefined for other text. */
export const parseNamespaceId = (text: string): NamespaceId | undefined => {
  const match = /^([a-z]+):\[([0-9]+)\]$/.exec(text)
  const kind = kindOf(match?.[1] ?? '')
  return kind === undefined ? undefined : { kind, inode: Number(match?.[2]) }
}

/** `net:[4026531840]`. */
export const formatNamespaceId = (id: NamespaceId): string => `${id.kind}:[${id.inode}]`

/**
 * The namespace that a process is in; undefined where this kernel has no such kind, or, with older kernels
 * (6.18 is one), no child of the process has yet been born into its new pid namespace (`pid_for_children`).
 * Throws if there is no such process or its links may not be read (ptrace(2), PTRACE_MODE_READ_FSCREDS).
 */
export const readNamespace = (pid: ProcId, link: NamespaceLink): NamespaceId | undefined => {
  try {
    return parseNamespaceId(readProcLink(`read the ${link} namespace of`, pid, `ns/${link}`))
  } catch (error) {
    if (error instanceof TareError && error.code === 'ENOENT' && isThere(pid)) return undefined
    throw error
  }
}

const isThere = (pid: ProcId): boolean =>
  typeof pid !== 'number' || trySyscall('kill', pid, 0) !== -(ERRNO['ESRCH'] ?? 0)

/** All namespaces that a process is in, by the name of the link; see {@link readNamespace}. */
export const readNamespaces = (pid: ProcId): Readonly<Partial<Record<NamespaceLink, NamespaceId>>> => {
  const found: Partial<Record<NamespaceLink, NamespaceId>> = {}
  for (const link of LINKS) {
    const id = readNamespace(pid, link)
    if (id !== undefined) found[link] = id
  }
  return found
}

const OPEN_HINTS = {
  ENOENT: 'There is no such process, or this kernel has no such kind of namespace.',
  EACCES: 'The process belongs to another user: that takes CAP_SYS_PTRACE in its user namespace.',
  EPERM: 'The process belongs to another user: that takes CAP_SYS_PTRACE in its user namespace.',
}

/** A descriptor of a namespace from a file that stands for it, such as a bind mount of its link. Close it. */
export const openNamespaceFile = (path: string): number => {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw fromNodeError(error, 'open the namespace', path, OPEN_HINTS)
  }
}

/** A descriptor of a namespace of a process. Close it. */
export const openNamespace = (pid: ProcId, link: NamespaceLink): number => openNamespaceFile(`/proc/${pid}/ns/${link}`)

/** Numbers of the PIDFD_GET_…_NAMESPACE ioctls of Linux 6.11 (linux/pidfd.h). */
const PIDFD_GET: Readonly<Record<NamespaceLink, number>> = {
  cgroup: 0xff01,
  ipc: 0xff02,
  mnt: 0xff03,
  net: 0xff04,
  pid: 0xff05,
  pid_for_children: 0xff06,
  time: 0xff07,
  time_for_children: 0xff08,
  user: 0xff09,
  uts: 0xff0a,
}

/**
 * A descriptor of a namespace of the process that a pidfd stands for. Close it. Before Linux 6.11 it goes by
 * /proc, and checks afterwards that the process had not ended, so that no other process of its number is hit.
 */
export const openNamespaceOfPidfd = (pidfd: number, link: NamespaceLink): number => {
  const fd = trySyscall('ioctl', pidfd, PIDFD_GET[link], 0)
  if (fd >= 0) return fd
  const purpose = { operation: `open the ${link} namespace of the process of`, target: `pidfd ${pidfd}` }
  if (-fd !== ERRNO['ENOTTY'] && -fd !== ERRNO['EINVAL'])
    throw new TareError({ ...purpose, syscall: 'ioctl', errno: -fd })
  const pid = pidfdPid(pidfd)
  if (pid === undefined) throw new TareError({ ...purpose, errno: ERRNO['ESRCH'] })
  const opened = openNamespace(pid, link)
  if (sendPidfdSignal(pidfd, 0)) return opened
  closeSync(opened)
  throw new TareError({ ...purpose, errno: ERRNO['ESRCH'] })
}

/** The ioctl of a socket for its network namespace (linux/sockios.h); a tun or tap device takes it too. */
export const SIOCGSKNS = 0x894c

/**
 * A descriptor of the network namespace that a socket lies in, which may be another one than its process is in.
 * Undefined where this thread lacks CAP_NET_ADMIN there, or it is no socket. Close it. socket(7)
 */
export const openSocketNamespace = (fd: number): number | undefined => {
  const result = trySyscall('ioctl', fd, SIOCGSKNS, 0)
  return result < 0 ? undefined : result
}

const NS_GET_USERNS = 0xb701
const NS_GET_PARENT = 0xb702
const NS_GET_NSTYPE = 0xb703
const NS_GET_OWNER_UID = 0xb704

const named = (fd: number): string => `the namespace of descriptor ${fd}`

/**
 * A descriptor of the user namespace that owns a namespace, or of a user or pid namespace's parent; undefined
 * where that is outside of what this thread's own user or pid namespace lets it see. Close it.
 */
const related = (operation: string, fd: number, request: number): number | undefined => {
  const result = trySyscall('ioctl', fd, request, 0)
  if (result >= 0) return result
  if (-result === ERRNO['EPERM']) return undefined
  throw new TareError({ operation, target: named(fd), syscall: 'ioctl', errno: -result })
}

/** A descriptor of the owning user namespace; undefined where it is out of sight. Close it. ioctl_ns(2) */
export const openOwnerNamespace = (fd: number): number | undefined => related('find the owner of', fd, NS_GET_USERNS)

/** A descriptor of a user or pid namespace's parent; undefined where it is out of sight. Close it. ioctl_ns(2) */
export const openParentNamespace = (fd: number): number | undefined => related('find the parent of', fd, NS_GET_PARENT)

/** The kind of the namespace behind a descriptor; throws for a descriptor of something else. ioctl_ns(2) */
export const namespaceKind = (fd: number): NamespaceKind => {
  const operation = 'find the kind of'
  const flag = syscall({ operation, target: named(fd), hint: 'It is no namespace.' }, 'ioctl', fd, NS_GET_NSTYPE, 0)
  const kind = NAMESPACE_KINDS.find((each) => NAMESPACES[each].flag === flag)
  if (kind === undefined) {
    throw new TareError({ operation, target: named(fd), reason: `0x${flag.toString(16)} is no kind that is known` })
  }
  return kind
}

/** The user id, as this thread's user namespace sees it, of the one who made a user namespace. ioctl_ns(2) */
export const namespaceOwnerUid = (fd: number): number => {
  const uid = new Uint32Array(1)
  const hint = 'Only user namespaces have an owner of this sort.'
  syscall({ operation: 'find the user who owns', target: named(fd), hint }, 'ioctl', fd, NS_GET_OWNER_UID, uid)
  return uid[0] ?? 0
}

/** `_IOR(0xb7, 9, int)` of linux/nsfs.h, since Linux 6.11. */
const NS_GET_TGID_IN_PIDNS = 0x8004b709

/** Looked up once: this is asked of thousands of processes. */
const IOCTL = syscallNumber('ioctl')

/**
 * What a process of this thread's pid namespace is called in the pid namespace behind a descriptor; undefined where
 * that one doesn't see it, there is no such process, or the kernel is older than Linux 6.11. ioctl_nsfs(2)
 */
export const pidInNamespace = (fd: number, pid: number): number | undefined => {
  const result = binding.syscall(IOCTL, fd, NS_GET_TGID_IN_PIDNS, pid)
  return result > 0 ? result : undefined
}

/**
 * Moves the calling thread, alone of its process, into new namespaces; for `pid` and `time` only the processes
 * that it starts from then on. `user` needs a process of one thread, which Node's never is. `mnt` also gives the
 * thread its own root and working directory. unshare(2)
 */
export const unshare = (kinds: readonly NamespaceKind[]): void => {
  const hints = {
    EPERM: 'Every kind but user takes CAP_SYS_ADMIN.',
    EINVAL: 'A new user namespace takes a process of a single thread, or this kernel lacks one of the kinds.',
    ENOSPC: 'A limit on the number of namespaces is reached (/proc/sys/user, 32 levels of nesting).',
    EUSERS: 'A limit on the number of namespaces is reached (/proc/sys/user, 32 levels of nesting).',
  }
  const purpose = { operation: 'move this thread into new namespaces', target: kinds.join(', ') }
  hintedSyscall(purpose, hints, 'unshare', namespaceFlags(kinds))
}

/** Gives the calling thread a root, working directory and umask of its own, as `setns` into `mnt` needs. */
export const unshareFs = (): void => {
  syscall({ operation: 'give this thread its own root and working directory' }, 'unshare', CLONE_FS)
}

/**
 * Moves the calling thread, alone of its process, into the namespace of a descriptor; or, with the descriptor of
 * a process (pidfd), into those of its namespaces that are named. Restrictions are {@link unshare}'s. setns(2)
 */
export const setns = (fd: number, kinds: readonly NamespaceKind[]): void => {
  const hints = {
    EPERM: 'It takes CAP_SYS_ADMIN in the namespace, and for mnt CAP_SYS_CHROOT too.',
    EINVAL: 'The descriptor is of another kind; or mnt was asked of a thread that shares its root (see unshareFs).',
  }
  const purpose = { operation: 'move this thread into namespaces', target: kinds.join(', ') }
  hintedSyscall(purpose, hints, 'setns', fd, namespaceFlags(kinds))
}
