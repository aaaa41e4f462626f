import { readFileSync, readlinkSync } from 'node:fs'
import { ERRNO } from '../../linux/errno.ts'
import type { MountInfo } from '../../linux/mountinfo.ts'
import { parseMountinfo } from '../../linux/mountinfo.ts'
import type { NamespaceKind } from '../../linux/namespace.ts'
import { NAMESPACE_KINDS, parseNamespaceId } from '../../linux/namespace.ts'
import { syscall, trySyscall } from '../../linux/syscall.ts'
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from '../../linux/fcntl.ts'

/** What a container is compared with. */
export interface HostView {
  /** Which process stands for the host: its PID 1, or this process where PID 1 may not be looked into. */
  readonly reference: 1 | 'self'
  /** The inodes of the host's namespaces. */
  readonly namespaces: Readonly<Partial<Record<NamespaceKind, number>>>
  readonly mounts: readonly MountInfo[]
  /** A descriptor (O_PATH) of the host's root directory, as this process sees it. */
  readonly root: number
  /** User ids that somebody has on the host, in /etc/passwd: root's, those of people and of services. */
  readonly users: ReadonlyMap<number, string>
  readonly groups: ReadonlyMap<number, string>
}

const { EACCES = 13, EPERM = 1, ENOENT = 2 } = ERRNO

const linkOf = (pid: 1 | 'self', kind: NamespaceKind): string | undefined => {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`)
  } catch {
    return undefined // may not be read, or a kind that this kernel lacks
  }
}

/** Whether PID 1 may be looked into; an ordinary user's view of the host is what surrounds that user. */
const referenceOf = (): 1 | 'self' => {
  const fd = trySyscall('openat', AT_FDCWD, '/proc/1/root', O_PATH | O_CLOEXEC, 0)
  if (fd === -EACCES || fd === -EPERM || fd === -ENOENT) return 'self'
  if (fd >= 0) trySyscall('close', fd)
  return 1
}

/** The names in /etc/passwd or /etc/group, by id; the first of several. */
export const parseAccounts = (text: string): ReadonlyMap<number, string> => {
  const accounts = new Map<number, string>()
  for (const line of text.split('\n')) {
    const [name = '', , id = ''] = line.split(':')
    if (/^\d+$/.test(id) && !accounts.has(Number(id))) accounts.set(Number(id), name)
  }
  return accounts
}

const readAccounts = (path: string): ReadonlyMap<number, string> => {
  try {
    return parseAccounts(readFileSync(path, 'utf8'))
  } catch {
    return new Map([[0, 'root']]) // a host without accounts still has root
  }
}

/** Reads what this host has. Close its `root`. */
export const readHostView = (): HostView => {
  const reference = referenceOf()
  const namespaces: Partial<Record<NamespaceKind, number>> = {}
  for (const kind of NAMESPACE_KINDS) {
    const id = parseNamespaceId(linkOf(reference, kind) ?? '')
    if (id !== undefined) namespaces[kind] = id.inode
  }
  return {
    reference,
    namespaces,
    mounts: parseMountinfo(readFileSync(`/proc/${reference}/mountinfo`, 'utf8')),
    root: syscall({ operation: 'open', target: '/' }, 'openat', AT_FDCWD, '/', O_PATH | O_DIRECTORY | O_CLOEXEC, 0),
    users: readAccounts('/etc/passwd'),
    groups: readAccounts('/etc/group'),
  }
}
