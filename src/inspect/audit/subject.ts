import { hasCapability, parseStatusCapabilities } from '../../linux/capability.ts'
import type { CapabilityName, CapabilitySet, ProcessCapabilities } from '../../linux/capability.ts'
import type { CgroupPaths } from '../../linux/cgroup/layout.ts'
import { parseCgroupPaths } from '../../linux/cgroup/layout.ts'
import type { IdMapping } from '../../linux/idmap.ts'
import { idOutside, parseIdMap } from '../../linux/idmap.ts'
import type { MountInfo } from '../../linux/mountinfo.ts'
import { parseMountinfo } from '../../linux/mountinfo.ts'
import type { NamespaceKind } from '../../linux/namespace.ts'
import { NAMESPACE_KINDS, namespaceOwnerUid, openOwnerNamespace } from '../../linux/namespace.ts'
import type { ProcessStatus } from '../../linux/process-status.ts'
import { parseProcessStatus, statusField } from '../../linux/process-status.ts'
import { parseCommandLine } from '../../linux/process-command-line.ts'
import { knownFileStatus } from '../../linux/file-status.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { HostView } from './host-view.ts'
import type { ProcessFiles } from './process-files.ts'
import { mountsInSight, promptDevices } from './reach.ts'
import { TareError } from '../../linux/error.ts'
import { ERRNO } from '../../linux/errno.ts'

/** A namespace that the process is in. */
export interface SubjectNamespace {
  readonly inode: number
  /** Whether the host is in it too. */
  readonly shared: boolean
  /** The inode of the user namespace whose capabilities count in it; undefined where it is out of sight. */
  readonly owner: number | undefined
}

/** All that is read of a process before its walls are judged. Of one moment, more or less: it goes on meanwhile. */
export interface Subject {
  readonly pid: number
  readonly files: ProcessFiles
  readonly host: HostView
  readonly command: readonly string[]
  readonly status: ProcessStatus
  readonly capabilities: ProcessCapabilities
  /**
   * What it holds or can take: permitted ones can be made effective; and as root it gets all of the bounding set with
   * the next program, unless it has promised not to gain any (capabilities(7), "Capabilities and execution of programs
   * by root").
   */
  readonly powers: CapabilitySet
  readonly namespaces: Readonly<Partial<Record<NamespaceKind, SubjectNamespace>>>
  /** Who made its user namespace, as the host counts; undefined for the host's own. */
  readonly owner: number | undefined
  readonly uids: readonly IdMapping[]
  readonly gids: readonly IdMapping[]
  /** Those that are in sight. */
  readonly mounts: readonly MountInfo[]
  readonly cgroups: CgroupPaths
  /** A descriptor (O_PATH) of its root directory; good as long as `files` is. */
  readonly root: number
  /** The file systems that are asked for what the kernel doesn't know: {@link promptDevices}. */
  readonly prompt: ReadonlySet<string>
}

const { ENOENT = 2 } = ERRNO

/** The map of a user namespace to itself. */
const SAME: readonly IdMapping[] = [{ inside: 0, outside: 0, size: 0xffffffff }]

const inodeOf = (fd: number): number => Number(knownFileStatus(fd).inode)

const ownerOf = (fd: number): number | undefined => {
  const owner = openOwnerNamespace(fd)
  if (owner === undefined) return undefined
  try {
    return inodeOf(owner)
  } finally {
    trySyscall('close', owner)
  }
}

/** The namespaces, and who made the user namespace: by descriptor, so that no inode is one that was used again. */
const readNamespaces = (files: ProcessFiles, host: HostView): Pick<Subject, 'namespaces' | 'owner'> => {
  const namespaces: Partial<Record<NamespaceKind, SubjectNamespace>> = {}
  let made: number | undefined
  for (const kind of NAMESPACE_KINDS) {
    const fd = files.tryOpenNamespace(`ns/${kind}`)
    if (fd === -ENOENT && host.namespaces[kind] === undefined) continue
    if (fd < 0) throw files.error('openat', -fd)
    try {
      const inode = inodeOf(fd)
      const shared = inode === host.namespaces[kind]
      namespaces[kind] = { inode, shared, owner: kind === 'user' ? inode : ownerOf(fd) }
      if (kind === 'user' && !shared) made = namespaceOwnerUid(fd)
    } finally {
      trySyscall('close', fd)
    }
  }
  return { namespaces, owner: made }
}

/** A thread of another process, or of the kernel, isn't contained by itself. */
const checkIsProcess = (files: ProcessFiles, status: ProcessStatus, statusText: string): void => {
  const leader = statusField(statusText, 'Tgid')
  const operation = 'audit'
  const target = `process ${files.pid}`
  if (leader !== undefined && Number(leader) !== files.pid)
    throw new TareError({ operation, target, reason: `it is a thread of process ${leader}`, hint: `Audit ${leader}.` })
  if (status.state === 'Z' || status.state === 'X') throw files.error('read', ERRNO['ESRCH'] ?? 3)
  if (statusField(statusText, 'Kthread') === '1')
    throw new TareError({ operation, target, reason: 'it is a thread of the kernel, which nothing contains' })
}

/** Reads a process. Throws {@link TareError} where there is none, or it may not be looked into. */
export const readSubject = (files: ProcessFiles, host: HostView): Subject => {
  const text = files.read('status')
  const status = parseProcessStatus(text)
  checkIsProcess(files, status, text)
  const { namespaces, owner } = readNamespaces(files, host)
  const { root } = files
  // To a reader in it, the map of a namespace tells what its ids are in the one above: here they are as they are.
  const shared = namespaces.user?.shared !== false
  const uids = shared ? SAME : parseIdMap(files.read('uid_map'))
  const capabilities = parseStatusCapabilities(text)
  const isRoot = idOutside(uids, 0) === status.uid.effective
  const mounts = parseMountinfo(files.read('mountinfo'))
  const prompt = promptDevices(mounts, host.mounts)
  return {
    pid: files.pid,
    files,
    host,
    command: parseCommandLine(files.read('cmdline')),
    status,
    capabilities,
    powers: capabilities.permitted | (isRoot && !status.noNewPrivs ? capabilities.bounding : 0n),
    namespaces,
    owner,
    uids,
    gids: shared ? SAME : parseIdMap(files.read('gid_map')),
    mounts: mountsInSight({ root, prompt }, mounts),
    cgroups: parseCgroupPaths(files.read('cgroup')),
    root,
    prompt,
  }
}

/** Whether it is in the user namespace of the host: its ids and capabilities are then the host's own. */
export const isHostUser = ({ namespaces }: Subject): boolean => namespaces.user?.shared !== false

/** Whether a namespace is the host's too. One that this kernel lacks is shared by all. */
export const isShared = ({ namespaces }: Subject, kind: NamespaceKind): boolean => namespaces[kind]?.shared !== false

/** Whether it has a capability that counts in a namespace of this kind which it is in. */
export const mayIn = (subject: Subject, kind: NamespaceKind, capability: CapabilityName): boolean => {
  const { user } = subject.namespaces
  const owner = subject.namespaces[kind]?.owner
  return hasCapability(subject.powers, capability) && owner !== undefined && owner === user?.inode
}

/** What an id of the host is called: `0 (root)`, `100000 (nobody's)`. */
export const describeUser = ({ users }: HostView, uid: number): string => `${uid} (${users.get(uid) ?? "nobody's"})`

const NOBODY = 65534

/** Whether somebody of the host has this id: then what is that one's on the host is the container's too. */
export const isSomeones = ({ users }: HostView, uid: number): boolean => uid !== NOBODY && users.has(uid)
