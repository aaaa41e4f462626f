import { O_CLOEXEC, O_PATH } from '../../linux/fcntl.ts'
import { fileStatus } from '../../linux/file-status.ts'
import type { MountInfo } from '../../linux/mountinfo.ts'
import {
  encodeOpenHow,
  OPEN_HOW_SIZE,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../linux/open-how.ts'
import { trySyscall } from '../../linux/syscall.ts'

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
export const tryReach = (directory: number, path: string): number => {
  const how = encodeOpenHow({
    flags: O_PATH | O_CLOEXEC,
    resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
  })
  return trySyscall('openat2', directory, path, how, OPEN_HOW_SIZE)
}

/** What a path is looked up by. */
interface Viewer {
  readonly mounts: readonly MountInfo[]
  /** A descriptor (O_PATH) of its root directory. */
  readonly root: number
}

/** Calls `look` with a descriptor of a path of the process, and closes it; undefined where there is no safe way to it. */
export const lookAt = <T>({ mounts, root }: Viewer, path: string, look: (fd: number) => T): T | undefined => {
  if (servedOnTheWay(mounts, path) !== undefined) return undefined
  const fd = tryReach(root, path)
  if (fd < 0) return undefined
  try {
    return look(fd)
  } finally {
    trySyscall('close', fd)
  }
}

/**
 * The mounts that are in sight. The table of mounts has those too that lie below others, in an order that doesn't tell
 * which: so each place is looked at. Where that can't be, the mount counts.
 */
export const mountsInSight = (viewer: Viewer): readonly MountInfo[] =>
  viewer.mounts.filter(
    ({ id, mountPoint }) =>
      lookAt(viewer, mountPoint, (fd) => fileStatus({ dirfd: fd, path: '' }).mount === id) !== false,
  )
