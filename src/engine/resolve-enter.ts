import { statSync, statfsSync } from 'node:fs'
import { readCgroupLayout, cgroupDirectory, readCgroupOf } from '../linux/cgroup/layout.ts'
import { InputError, TareError } from '../linux/error.ts'
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from '../linux/fcntl.ts'
import { hintedSyscall } from '../linux/hinted-syscall.ts'
import type { NamespaceKind } from '../linux/namespace.ts'
import {
  NAMESPACE_KINDS,
  namespaceKind,
  openNamespaceFile,
  openNamespaceOfPidfd,
  openOwnerNamespace,
  openParentNamespace,
  readNamespace,
  SIOCGSKNS,
} from '../linux/namespace.ts'
import { pidfdPid } from '../linux/pidfd.ts'
import { idInside, readIdMap } from '../linux/idmap.ts'
import { readProcessStatus } from '../linux/process-status.ts'
import { readProc } from '../linux/proc.ts'
import { hasCapability } from '../linux/capability.ts'
import { readProcessCapabilities } from '../linux/process-capability.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { Descriptors } from '../runtime/descriptors.ts'
import type { DirectorySpec, EnterSpec } from '../runtime/launch/spec.ts'
import type { EnterOptions } from './launch-options.ts'

/** A process that is entered, held by its pidfd. */
interface Target {
  readonly pid: number
  readonly pidfd: number
  readonly name: string
}

/** What there is to enter, opened. */
export interface ResolvedEnter {
  readonly enter: readonly EnterSpec[]
  readonly root: DirectorySpec | undefined
  readonly workdir: DirectorySpec | undefined
  readonly env: readonly string[] | undefined
  /** Directories of the target's control groups. */
  readonly cgroups: readonly string[]
  /** Which kinds the program comes to be in. */
  readonly kinds: readonly NamespaceKind[]
  /** The target's user and group, as the user namespace has them that the program comes to be in. */
  readonly idOf: (which: 'uid' | 'gid') => number
}

const GONE = 'It has ended. "tare ps" and "tare ns" show what runs.'
const OPEN_HINTS = { ESRCH: GONE, EINVAL: 'It is a thread, and no process.', ENOENT: 'It is a thread, and no process.' }

const gone = (name: string): TareError =>
  new TareError({
    operation: 'enter the namespaces of',
    target: name,
    errno: 3,
    hint: GONE,
  })

/** statfs(2) of a pidfd: before Linux 6.9 they all had one inode. */
const PIDFS_MAGIC = 0x50494446

const checkInode = ({ pid, pidfd, name }: Target, inode: number): void => {
  const words = { operation: 'enter the namespaces of', target: `${name}, inode ${inode}` }
  const link = `/proc/self/fd/${pidfd}`
  if (statfsSync(link).type !== PIDFS_MAGIC)
    throw new TareError({ ...words, reason: 'pidfds of this kernel have no inodes', hint: 'That takes Linux 6.9.' })
  const found = statSync(link).ino
  if (found !== inode)
    throw new TareError({
      ...words,
      reason: `it is another process: its inode is ${found}`,
      hint: `The one that you mean has ended, and ${pid} is another's number.`,
      code: 'ESRCH',
    })
}

const openTarget = (target: EnterOptions['target'], descriptors: Descriptors): Target | undefined => {
  if (target === undefined) return undefined
  if (typeof target === 'object' && 'pidfd' in target) {
    const pid = pidfdPid(target.pidfd)
    if (pid === undefined) throw gone(`pidfd ${target.pidfd}`)
    return { pid, pidfd: target.pidfd, name: `process ${pid}` }
  }
  const pid = typeof target === 'number' ? target : target.pid
  if (!Number.isInteger(pid) || pid < 1 || pid > 2 ** 22)
    throw new InputError({ operation: 'enter process', target: String(pid), reason: 'it is no process id' })
  const name = `process ${pid}`
  const words = { operation: 'enter the namespaces of', target: name }
  const pidfd = descriptors.add(hintedSyscall(words, OPEN_HINTS, 'pidfd_open', pid, 0))
  const process = { pid, pidfd, name }
  if (typeof target === 'object') checkInode(process, target.inode)
  return process
}

/** Throws if the process has ended: then what was found by its number may be another's. */
const checkAlive = ({ pidfd, name }: Target): void => {
  const result = trySyscall('pidfd_send_signal', pidfd, 0, null, 0)
  // EPERM: it is there, and somebody else's.
  if (result === -3) throw gone(name)
}

const requireTarget = (target: Target | undefined, what: string): Target => {
  if (target !== undefined) return target
  throw new InputError({
    operation: `enter ${what}`,
    reason: 'it is not said of which process, or by which file',
    hint: 'Give a target process.',
  })
}

/** Kinds of the target in which it differs from this process. */
const differing = ({ pid, name }: Target): readonly NamespaceKind[] =>
  NAMESPACE_KINDS.filter((kind) => {
    const [theirs, ours] = [readNamespace(pid, kind), readNamespace('self', kind)]
    // Every process has one of each kind that there is, until it ends: then it has none, before its number goes too.
    if (theirs === undefined && ours !== undefined) throw gone(name)
    return theirs?.inode !== ours?.inode
  })

/** The kinds that are wanted of the target. The user namespace that one is in already can't be entered (setns(2)). */
const kindsOf = (options: EnterOptions, target: Target | undefined): readonly NamespaceKind[] => {
  const { kinds = [], files = {} } = options
  if (kinds.length === 0) return []
  const process = requireTarget(target, typeof kinds === 'string' ? 'namespaces' : `the ${kinds.join(', ')} namespace`)
  const others = differing(process)
  const wanted = kinds === 'all' ? others : NAMESPACE_KINDS.filter((kind) => kinds.includes(kind))
  return wanted.filter((kind) => files[kind] === undefined && (kind !== 'user' || others.includes('user')))
}

const inodeOf = (fd: number): number => statSync(`/proc/self/fd/${fd}`).ino

const openFile = (kind: NamespaceKind, file: string | number, descriptors: Descriptors): EnterSpec | undefined => {
  const of = typeof file === 'number' ? `descriptor ${file}` : file
  const fd = typeof file === 'number' ? file : descriptors.add(openNamespaceFile(file))
  const found = trySyscall('ioctl', fd, 0xb703, 0) < 0 ? undefined : namespaceKind(fd)
  if (found !== kind)
    throw new InputError({
      operation: `enter the ${kind} namespace`,
      target: of,
      reason: found === undefined ? 'it is no namespace' : `it is a ${found} namespace`,
      hint: 'Namespaces are the files below /proc/PID/ns, and what they are mounted on.',
    })
  if (kind === 'user' && inodeOf(fd) === readNamespace('self', 'user')?.inode) return undefined
  return { fd, kinds: [kind], of }
}

/** The user namespace above: of the one that was asked for, or of the owner of another. */
const openUserParent = (
  entered: readonly EnterSpec[],
  target: Target | undefined,
  descriptors: Descriptors,
): EnterSpec => {
  const words = { operation: 'find the user namespace above' }
  const user = entered.find(({ kinds }) => kinds.includes('user'))
  const first = user ?? entered[0]
  const kind: NamespaceKind | undefined = user === undefined ? first?.kinds[0] : 'user'
  if (first === undefined || kind === undefined)
    throw new InputError({ ...words, reason: 'no other namespace is entered', hint: 'Give one of them.' })
  const fd =
    target !== undefined && first.fd === target.pidfd
      ? descriptors.add(openNamespaceOfPidfd(target.pidfd, kind))
      : first.fd
  const parent = user === undefined ? openOwnerNamespace(fd) : openParentNamespace(fd)
  if (parent === undefined)
    throw new TareError({ ...words, reason: 'it lies outside of the one that this process is in' })
  return { fd: descriptors.add(parent), kinds: ['user'], of: `what is above that of ${first.of}` }
}

const GETFD_HINTS = {
  EBADF: 'It has no such descriptor: see "ls -l /proc/PID/fd".',
  EPERM: 'It takes the right to trace the process (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS).',
}

const openNetOfSocket = (socket: number, target: Target | undefined, descriptors: Descriptors): EnterSpec => {
  const { pidfd, name } = requireTarget(target, 'the network namespace of a socket')
  const of = `socket ${socket} of ${name}`
  const duplicated = hintedSyscall({ operation: 'duplicate', target: of }, GETFD_HINTS, 'pidfd_getfd', pidfd, socket, 0)
  const fd = descriptors.add(duplicated)
  const hints = { ENOTTY: 'The descriptor is no socket.', EPERM: 'It takes CAP_NET_ADMIN in its user namespace.' }
  const net = hintedSyscall({ operation: 'open the network namespace of', target: of }, hints, 'ioctl', fd, SIOCGSKNS)
  return { fd: descriptors.add(net), kinds: ['net'], of }
}

/**
 * In which order: whoever has power here enters the user namespace last, as he may have none there; whoever has none
 * enters it first, as he may gain some. A pidfd's namespaces are entered at once, and that is the kernel's to know.
 */
const ordered = (entered: readonly EnterSpec[]): readonly EnterSpec[] => {
  const isUser = ({ kinds }: EnterSpec): boolean => kinds.includes('user')
  const users = entered.filter(isUser)
  const rest = entered.filter((each) => !isUser(each))
  const privileged = hasCapability(readProcessCapabilities().effective, 'CAP_SYS_ADMIN')
  return privileged ? [...rest, ...users] : [...users, ...rest]
}

const openDirectory = (
  given: boolean | string | undefined,
  link: 'root' | 'cwd',
  target: Target | undefined,
  descriptors: Descriptors,
): DirectorySpec | undefined => {
  if (given === undefined || given === false) return undefined
  const what = link === 'root' ? 'root' : 'working directory'
  const process = given === true ? requireTarget(target, `the ${what}`) : undefined
  const path = typeof given === 'string' ? given : `/proc/${process?.pid}/${link}`
  const of = typeof given === 'string' ? given : `the ${what} of ${process?.name}`
  const hints = {
    EACCES: 'The process belongs to another user: that takes CAP_SYS_PTRACE in its user namespace.',
    ENOENT: given === true ? GONE : 'It must exist.',
  }
  const flags = O_DIRECTORY | O_CLOEXEC | (typeof given === 'string' ? O_RDONLY : O_PATH)
  const fd = descriptors.add(
    hintedSyscall({ operation: 'open', target: of }, hints, 'openat', AT_FDCWD, path, flags, 0),
  )
  return { kind: 'descriptor', fd, of }
}

const followed = ({ pid, name }: Target, which: 'uid' | 'gid', entered: readonly EnterSpec[]): number => {
  const outside = readProcessStatus(pid)[which].effective
  if (!entered.some(({ kinds }) => kinds.includes('user'))) return outside
  const inside = idInside(readIdMap(pid, which), outside)
  if (inside !== undefined) return inside
  throw new InputError({ operation: `follow the ${which} of`, target: name, reason: `${outside} is not mapped there` })
}

/** The target's control groups, as this process sees the hierarchies. */
const cgroupsOf = (target: Target): readonly string[] => {
  const paths = readCgroupOf(target.pid)
  return readCgroupLayout().hierarchies.flatMap((hierarchy) => {
    const path = paths.get(hierarchy.name)
    const directory = path === undefined ? undefined : cgroupDirectory(hierarchy, path)
    return directory === undefined ? [] : [directory]
  })
}

/** Opens all that is to be entered. What is opened is closed with `descriptors`. */
export const resolveEnter = (options: EnterOptions, descriptors: Descriptors): ResolvedEnter => {
  const target = openTarget(options.target, descriptors)
  const kinds = kindsOf(options, target)
  const entered: EnterSpec[] = []
  for (const kind of NAMESPACE_KINDS) {
    const file = options.files?.[kind]
    const opened = file === undefined ? undefined : openFile(kind, file, descriptors)
    if (opened !== undefined) entered.push(opened)
  }
  if (options.netSocket !== undefined) entered.push(openNetOfSocket(options.netSocket, target, descriptors))
  if (target !== undefined && kinds.length > 0) entered.push({ fd: target.pidfd, kinds, of: target.name })
  if (options.userParent === true) {
    const parent = openUserParent(entered, target, descriptors)
    const rest = entered
      .map((each) => ({ ...each, kinds: each.kinds.filter((kind) => kind !== 'user') }))
      .filter((each) => each.kinds.length > 0)
    entered.splice(0, entered.length, ...rest)
    if (inodeOf(parent.fd) !== readNamespace('self', 'user')?.inode) entered.push(parent)
  }
  const resolved: ResolvedEnter = {
    enter: ordered(entered),
    root: openDirectory(options.root, 'root', target, descriptors),
    workdir: openDirectory(options.workdir, 'cwd', target, descriptors),
    env:
      options.env === true
        ? readProc('read the environment of', requireTarget(target, 'the environment').pid, 'environ')
            .split('\0')
            .filter((entry) => entry.includes('='))
        : undefined,
    cgroups: options.cgroup === true ? cgroupsOf(requireTarget(target, 'control groups')) : [],
    kinds: entered.flatMap((each) => each.kinds),
    idOf: (which) => followed(requireTarget(target, `with its ${which}`), which, entered),
  }
  if (target !== undefined) checkAlive(target)
  return resolved
}
