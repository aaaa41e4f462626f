import { TareError } from './error.ts'
import { AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW } from './fcntl.ts'
import type { Place } from './mount.ts'
import { syscall } from './syscall.ts'

const STATX_MNT_ID = 0x1000
const STATX_MNT_ID_UNIQUE = 0x4000
const STATX_ATTR_MOUNT_ROOT = 0x2000n
const SIZE = 256

/** What statx(2) tells of the mount that a file lies on. */
export interface MountOfFile {
  /** The id of mountinfo, which is reused. */
  readonly id: bigint
  /** The id that is never reused, which statmount(2) takes; undefined before Linux 6.8. */
  readonly uniqueId: bigint | undefined
  /** Whether the file is the top of its mount. */
  readonly isMountRoot: boolean
}

const statx = (place: Place, mask: number): DataView => {
  const { dirfd = AT_FDCWD, path } = place
  const buffer = new Uint8Array(SIZE)
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (path === '' ? AT_EMPTY_PATH : 0)
  const target = path === '' ? `descriptor ${dirfd}` : path
  syscall({ operation: 'find the mount of', target }, 'statx', dirfd, path, flags, mask, buffer)
  return new DataView(buffer.buffer)
}

const given = (view: DataView, mask: number): boolean => (view.getUint32(0, true) & mask) !== 0

/** The mount that a file lies on; a link at the end of the path is not followed. statx(2) */
export const mountOfFile = (place: Place): MountOfFile => {
  const view = statx(place, STATX_MNT_ID)
  if (!given(view, STATX_MNT_ID)) {
    const reason = 'this kernel tells no mount ids (they came with Linux 5.8)'
    throw new TareError({ operation: 'find the mount of', target: place.path, reason })
  }
  const unique = statx(place, STATX_MNT_ID_UNIQUE)
  return {
    id: view.getBigUint64(0x90, true),
    uniqueId: given(unique, STATX_MNT_ID_UNIQUE) ? unique.getBigUint64(0x90, true) : undefined,
    isMountRoot: (view.getBigUint64(8, true) & STATX_ATTR_MOUNT_ROOT) !== 0n,
  }
}
