import { hasCapability } from '../../linux/capability.ts'
import { O_CLOEXEC, O_NOFOLLOW, O_PATH } from '../../linux/fcntl.ts'
import type { FileStatus } from '../../linux/file-status.ts'
import { S_IFDIR, S_IFMT } from '../../linux/file-status.ts'
import { idInside } from '../../linux/idmap.ts'
import type { MountInfo } from '../../linux/mountinfo.ts'
import {
  encodeOpenHow,
  OPEN_HOW_SIZE,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../linux/open-how.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { Subject } from './subject.ts'

/** File systems that another program or machine answers for: one could let whoever looks wait for ever. */
const SERVED = /^(?:fuse|fuseblk|nfs\d?|cifs|smb3|9p|ceph|afs|autofs|glusterfs)(?:\.|$)/

/** Whether a path is a mount point or lies below it. */
export const isBelow = (path: string, directory: string): boolean =>
  directory === '/' || path === directory || path.startsWith(`${directory}/`)

/** The file system on the way to a path that answers only if another program does; undefined if there is none. */
export const servedOnTheWay = (mounts: readonly MountInfo[], path: string): MountInfo | undefined =>
  mounts.find(({ mountPoint, type }) => SERVED.test(type) && isBelow(path, mountPoint))

/**
 * A descriptor (O_PATH) of a path below a directory, on a way that the owner of the files can't turn: no link is
 * followed, nothing is opened, and no file system is asked that a program serves. The errno as a negative number where
 * there is no such way. Close it.
 */
export const tryReach = (directory: number, path: string, flags = 0): number => {
  const how = encodeOpenHow({
    flags: O_PATH | O_NOFOLLOW | O_CLOEXEC | flags,
    resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
  })
  return trySyscall('openat2', directory, path, how, OPEN_HOW_SIZE)
}

/** Calls `look` with a descriptor of a path of the process, and closes it; undefined where there is no safe way to it. */
export const lookAt = <T>(subject: Subject, path: string, look: (fd: number) => T): T | undefined => {
  if (servedOnTheWay(subject.mounts, path) !== undefined) return undefined
  const fd = tryReach(subject.root, path)
  if (fd < 0) return undefined
  try {
    return look(fd)
  } finally {
    trySyscall('close', fd)
  }
}

const READ = 4
const WRITE = 2

/** Whether the ids of a file have a meaning in the user namespace of the process: else its capabilities don't count. */
const isMapped = ({ uids, gids }: Subject, { uid, gid }: FileStatus): boolean =>
  idInside(uids, uid) !== undefined && idInside(gids, gid) !== undefined

const bitsFor = ({ status }: Subject, { mode, uid, gid }: FileStatus): number => {
  if (status.uid.filesystem === uid) return mode >> 6
  return status.gid.filesystem === gid || status.groups.includes(gid) ? mode >> 3 : mode
}

/**
 * Whether the permissions of a file let the process write to it: owner, mode and capabilities; whether the mount does is
 * another question. Access lists aren't looked at.
 */
export const mayWrite = (subject: Subject, file: FileStatus): boolean =>
  (bitsFor(subject, file) & WRITE) !== 0 ||
  (hasCapability(subject.capabilities.effective, 'CAP_DAC_OVERRIDE') && isMapped(subject, file))

/** As {@link mayWrite}, for reading. */
export const mayRead = (subject: Subject, file: FileStatus): boolean => {
  if ((bitsFor(subject, file) & READ) !== 0) return true
  const { effective } = subject.capabilities
  return (
    (hasCapability(effective, 'CAP_DAC_OVERRIDE') || hasCapability(effective, 'CAP_DAC_READ_SEARCH')) &&
    isMapped(subject, file)
  )
}

/**
 * As {@link mayWrite}, for what sets a parameter of the kernel below /proc/sys: there capabilities count for nothing
 * (fs/proc/proc_sysctl.c).
 */
export const maySet = (subject: Subject, file: FileStatus): boolean => (bitsFor(subject, file) & WRITE) !== 0

export const isDirectory = ({ mode }: FileStatus): boolean => (mode & S_IFMT) === S_IFDIR
