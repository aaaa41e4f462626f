/** Per-mount attributes of fsmount(2) and mount_setattr(2) (linux/mount.h). */
export const MOUNT_ATTR_RDONLY = 0x1
export const MOUNT_ATTR_NOSUID = 0x2
export const MOUNT_ATTR_NODEV = 0x4
export const MOUNT_ATTR_NOEXEC = 0x8
/** The mask of the access-time setting, of which the four that follow are values. */
export const MOUNT_ATTR__ATIME = 0x70
export const MOUNT_ATTR_RELATIME = 0x0
export const MOUNT_ATTR_NOATIME = 0x10
export const MOUNT_ATTR_STRICTATIME = 0x20
export const MOUNT_ATTR_NODIRATIME = 0x80
export const MOUNT_ATTR_IDMAP = 0x100000
export const MOUNT_ATTR_NOSYMFOLLOW = 0x200000

/** Flags of mount(2); those of propagation are also mount_setattr(2)'s. */
export const MS_RDONLY = 0x1
export const MS_NOSUID = 0x2
export const MS_NODEV = 0x4
export const MS_NOEXEC = 0x8
export const MS_SYNCHRONOUS = 0x10
export const MS_REMOUNT = 0x20
export const MS_NOSYMFOLLOW = 0x100
export const MS_NOATIME = 0x400
export const MS_NODIRATIME = 0x800
export const MS_BIND = 0x1000
export const MS_MOVE = 0x2000
export const MS_REC = 0x4000
export const MS_UNBINDABLE = 0x20000
export const MS_PRIVATE = 0x40000
export const MS_SLAVE = 0x80000
export const MS_SHARED = 0x100000
export const MS_RELATIME = 0x200000
export const MS_STRICTATIME = 0x1000000

export const OPEN_TREE_CLONE = 0x1
export const OPEN_TREE_CLOEXEC = 0o2000000

/** F: of the path that is moved; T: of the path that it goes to. move_mount(2) */
export const MOVE_MOUNT_F_SYMLINKS = 0x1
export const MOVE_MOUNT_F_AUTOMOUNTS = 0x2
export const MOVE_MOUNT_F_EMPTY_PATH = 0x4
export const MOVE_MOUNT_T_SYMLINKS = 0x10
export const MOVE_MOUNT_T_AUTOMOUNTS = 0x20
export const MOVE_MOUNT_T_EMPTY_PATH = 0x40
/** Copies the sharing of the first mount to the second instead of moving (Linux 5.15). */
export const MOVE_MOUNT_SET_GROUP = 0x100
/** Mounts below the topmost mount of the target instead of on top of it (Linux 6.5). */
export const MOVE_MOUNT_BENEATH = 0x200

export const FSOPEN_CLOEXEC = 0x1
export const FSMOUNT_CLOEXEC = 0x1

export const FSPICK_CLOEXEC = 0x1
export const FSPICK_SYMLINK_NOFOLLOW = 0x2
export const FSPICK_NO_AUTOMOUNT = 0x4
export const FSPICK_EMPTY_PATH = 0x8

/** Commands of fsconfig(2). */
export const FSCONFIG_SET_FLAG = 0
export const FSCONFIG_SET_STRING = 1
export const FSCONFIG_SET_BINARY = 2
export const FSCONFIG_SET_PATH = 3
export const FSCONFIG_SET_PATH_EMPTY = 4
export const FSCONFIG_SET_FD = 5
export const FSCONFIG_CMD_CREATE = 6
export const FSCONFIG_CMD_RECONFIGURE = 7
/** As CMD_CREATE, but fails where the file system would be one that exists already (Linux 6.6). */
export const FSCONFIG_CMD_CREATE_EXCL = 8

/** Flags of umount2(2). */
export const MNT_FORCE = 0x1
export const MNT_DETACH = 0x2
export const MNT_EXPIRE = 0x4
export const UMOUNT_NOFOLLOW = 0x8

/** How mounts and unmounts below a mount reach its copies in other mount namespaces (mount_namespaces(7)). */
export type Propagation = 'private' | 'shared' | 'slave' | 'unbindable'

/** The MS_ flag of each propagation type. */
export const PROPAGATION_FLAGS: Readonly<Record<Propagation, number>> = {
  private: MS_PRIVATE,
  shared: MS_SHARED,
  slave: MS_SLAVE,
  unbindable: MS_UNBINDABLE,
}
