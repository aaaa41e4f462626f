import { fstatSync } from 'node:fs'
import { TareError } from './error.ts'
import { FILESYSTEM_MAGIC, filesystemStatus } from './statfs.ts'
import { trySyscall } from './syscall.ts'

/** linux/btrfs.h; `struct btrfs_ioctl_vol_args_v2` has 4096 bytes. */
const BTRFS_IOC_SNAP_CREATE_V2 = 0x50009417
const SIZE = 4096
const NAME_AT = 56

/** The number of the top directory of every subvolume (BTRFS_FIRST_FREE_OBJECTID, linux/btrfs_tree.h). */
const TOP = 256

/** Whether an open directory is a whole subvolume of btrfs, of which snapshots can be made. */
export const isSubvolume = (fd: number): boolean =>
  filesystemStatus(fd).magic === FILESYSTEM_MAGIC.btrfs && fstatSync(fd).ino === TOP

/**
 * Makes a snapshot of a subvolume: a new one, that shares all blocks with it, as it is at this moment. Subvolumes within it
 * are empty directories there. Throws {@link TareError}: EXDEV where the place is on another file system, EPERM where the
 * subvolume belongs to another user. btrfs-subvolume(8)
 */
export const snapshotSubvolume = (source: number, directory: number, name: string): void => {
  const bytes = new Uint8Array(SIZE)
  new DataView(bytes.buffer).setBigInt64(0, BigInt(source), true)
  bytes.set(new TextEncoder().encode(name), NAME_AT)
  const result = trySyscall('ioctl', directory, BTRFS_IOC_SNAP_CREATE_V2, bytes)
  if (result < 0) throw new TareError({ operation: 'make a snapshot', target: name, syscall: 'ioctl', errno: -result })
}
