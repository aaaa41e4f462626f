import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import { AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW } from './fcntl.ts'
import { readFsContextLog } from './fs-context-log.ts'
import type { MountAttr } from './mount-attr.ts'
import { encodeMountAttr, MOUNT_ATTR_SIZE } from './mount-attr.ts'
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_CMD_CREATE_EXCL,
  FSCONFIG_CMD_RECONFIGURE,
  FSCONFIG_SET_FD,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_PATH,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  FSPICK_CLOEXEC,
  FSPICK_EMPTY_PATH,
  FSPICK_NO_AUTOMOUNT,
  FSPICK_SYMLINK_NOFOLLOW,
  MNT_DETACH,
  MNT_FORCE,
  MOVE_MOUNT_BENEATH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_F_SYMLINKS,
  MOVE_MOUNT_SET_GROUP,
  MOVE_MOUNT_T_EMPTY_PATH,
  MOVE_MOUNT_T_SYMLINKS,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  UMOUNT_NOFOLLOW,
} from './mount-flags.ts'
import { hintedSyscall } from './hinted-syscall.ts'
import { trySyscall } from './syscall.ts'

/** A place in the file tree: a path, from a directory where it is relative; a descriptor itself with an empty path. */
export interface Place {
  readonly dirfd?: number | undefined
  readonly path: string
}

const describe = ({ dirfd, path }: Place): string => {
  if (dirfd === undefined || path.startsWith('/')) return path === '' ? 'the working directory' : path
  return path === '' ? `descriptor ${dirfd}` : `${path} of descriptor ${dirfd}`
}

const PRIVILEGE = 'It takes CAP_SYS_ADMIN in the user namespace that owns this mount namespace.'

/** An fsconfig(2) or fsmount(2) that failed: the file system's own messages become the hint. */
const contextCall = (
  operation: string,
  target: string,
  fd: number,
  result: number,
  name: 'fsconfig' | 'fsmount',
): number => {
  if (result >= 0) return result
  const said = readFsContextLog(fd).map(({ text }) => text)
  const hint =
    said.length > 0 ? `The file system says: ${said.join('; ')}` : -result === ERRNO['EPERM'] ? PRIVILEGE : undefined
  throw new TareError({ operation, target, syscall: name, errno: -result, hint })
}

/** Begins a new file system: a descriptor of its context, to be configured and then created. fsopen(2) */
export const fsopen = (type: string): number => {
  const hints = { ENODEV: 'This kernel has no such file system, or its module is not loaded.', EPERM: PRIVILEGE }
  return hintedSyscall({ operation: 'begin a file system', target: type }, hints, 'fsopen', type, FSOPEN_CLOEXEC)
}

/** A parameter's value: a flag has none; a path or descriptor names an object. */
export type FsParameter =
  | { readonly kind: 'flag'; readonly key: string }
  | { readonly kind: 'string'; readonly key: string; readonly value: string }
  | { readonly kind: 'fd'; readonly key: string; readonly fd: number }
  | { readonly kind: 'path'; readonly key: string; readonly place: Place }

/** Sets a parameter of a context. An error tells what the file system had to say. fsconfig(2) */
export const fsconfig = (fd: number, parameter: FsParameter): void => {
  const { key } = parameter
  const call = (): readonly [words: string, result: number] => {
    switch (parameter.kind) {
      case 'flag':
        return [key, trySyscall('fsconfig', fd, FSCONFIG_SET_FLAG, key, null, 0)]
      case 'string':
        return [`${key}=${parameter.value}`, trySyscall('fsconfig', fd, FSCONFIG_SET_STRING, key, parameter.value, 0)]
      case 'fd':
        return [
          `${key} to descriptor ${parameter.fd}`,
          trySyscall('fsconfig', fd, FSCONFIG_SET_FD, key, null, parameter.fd),
        ]
      case 'path': {
        const { dirfd = AT_FDCWD, path } = parameter.place
        const words = `${key} to ${describe(parameter.place)}`
        return [words, trySyscall('fsconfig', fd, FSCONFIG_SET_PATH, key, path, dirfd)]
      }
    }
  }
  const [words, result] = call()
  contextCall('set the file system parameter', words, fd, result, 'fsconfig')
}

/** Creates the file system of a context; `exclusive` (Linux 6.6) refuses one that exists already. fsconfig(2) */
export const fsconfigCreate = (fd: number, options: { readonly exclusive?: boolean | undefined } = {}): void => {
  const command = options.exclusive === true ? FSCONFIG_CMD_CREATE_EXCL : FSCONFIG_CMD_CREATE
  const result = trySyscall('fsconfig', fd, command, null, null, 0)
  contextCall('create the file system of', `descriptor ${fd}`, fd, result, 'fsconfig')
}

/** Applies parameters to the file system that {@link fspick} chose. fsconfig(2) */
export const fsconfigReconfigure = (fd: number): void => {
  const result = trySyscall('fsconfig', fd, FSCONFIG_CMD_RECONFIGURE, null, null, 0)
  contextCall('reconfigure the file system of', `descriptor ${fd}`, fd, result, 'fsconfig')
}

/** A mount, by descriptor and attached nowhere, of a created file system; with MOUNT_ATTR_ bits. fsmount(2) */
export const fsmount = (fd: number, attributes: number = 0): number => {
  const result = trySyscall('fsmount', fd, FSMOUNT_CLOEXEC, attributes)
  return contextCall('mount the file system of', `descriptor ${fd}`, fd, result, 'fsmount')
}

/** How the end of a path is taken. */
export interface PathOptions {
  /** Don't follow a symbolic link at the end of the path. */
  readonly noFollow?: boolean | undefined
  /** Don't mount what an automount point at the end of the path would. */
  readonly noAutomount?: boolean | undefined
}

/** A context for changing the file system that is mounted at a place. fspick(2) */
export const fspick = (place: Place, options: PathOptions = {}): number => {
  const { dirfd = AT_FDCWD, path } = place
  const flags =
    FSPICK_CLOEXEC |
    (path === '' ? FSPICK_EMPTY_PATH : 0) |
    (options.noFollow === true ? FSPICK_SYMLINK_NOFOLLOW : 0) |
    (options.noAutomount === true ? FSPICK_NO_AUTOMOUNT : 0)
  const hints = { EINVAL: 'The place must be the top of a mount.', EPERM: PRIVILEGE }
  const purpose = { operation: 'pick the file system at', target: describe(place) }
  return hintedSyscall(purpose, hints, 'fspick', dirfd, path, flags)
}

const atFlags = (path: string, options: PathOptions): number =>
  (path === '' ? AT_EMPTY_PATH : 0) |
  (options.noFollow === true ? AT_SYMLINK_NOFOLLOW : 0) |
  (options.noAutomount === true ? AT_NO_AUTOMOUNT : 0)

export interface OpenTreeOptions extends PathOptions {
  /** Copy the mount, as a bind mount does, instead of only naming it; `recursive` with the mounts below it. */
  readonly clone?: 'single' | 'recursive' | undefined
}

/** A descriptor of the mount at a place, or of a copy of it that is attached nowhere. open_tree(2) */
export const openTree = (place: Place, options: OpenTreeOptions = {}): number => {
  const { dirfd = AT_FDCWD, path } = place
  const clone = options.clone === undefined ? 0 : OPEN_TREE_CLONE | (options.clone === 'recursive' ? AT_RECURSIVE : 0)
  const operation = options.clone === undefined ? 'open the mount at' : 'copy the mount at'
  const hints = { EINVAL: "An unbindable mount, or one of another mount namespace, can't be copied.", EPERM: PRIVILEGE }
  const flags = OPEN_TREE_CLOEXEC | clone | atFlags(path, options)
  return hintedSyscall({ operation, target: describe(place) }, hints, 'open_tree', dirfd, path, flags)
}

export interface MoveMountOptions {
  /** Follow symbolic links at the end of either path; by default none is. */
  readonly followFrom?: boolean | undefined
  readonly followTo?: boolean | undefined
  /** Linux 6.5: below the topmost mount of the target. Linux 5.15: copy the sharing to the target instead of moving. */
  readonly how?: 'beneath' | 'set-group' | undefined
}

const MOVE_HINTS = {
  EINVAL:
    'What is moved must be the top of a mount that is not below a shared one, and both must be of this namespace.',
  ENOTDIR: 'A directory goes on a directory, a file on a file.',
  ELOOP: 'A mount can’t go below itself.',
  EPERM: PRIVILEGE,
}

/** Attaches a mount (a descriptor with an empty path), or moves one. move_mount(2) */
export const moveMount = (from: Place, to: Place, options: MoveMountOptions = {}): void => {
  const flags =
    (from.path === '' ? MOVE_MOUNT_F_EMPTY_PATH : 0) |
    (to.path === '' ? MOVE_MOUNT_T_EMPTY_PATH : 0) |
    (options.followFrom === true ? MOVE_MOUNT_F_SYMLINKS : 0) |
    (options.followTo === true ? MOVE_MOUNT_T_SYMLINKS : 0) |
    (options.how === 'beneath' ? MOVE_MOUNT_BENEATH : 0) |
    (options.how === 'set-group' ? MOVE_MOUNT_SET_GROUP : 0)
  const operation = options.how === 'set-group' ? 'copy the sharing of' : 'mount'
  const purpose = { operation, target: `${describe(from)} at ${describe(to)}` }
  hintedSyscall(
    purpose,
    MOVE_HINTS,
    'move_mount',
    from.dirfd ?? AT_FDCWD,
    from.path,
    to.dirfd ?? AT_FDCWD,
    to.path,
    flags,
  )
}

export interface MountSetattrOptions extends PathOptions {
  /** Also change all mounts below; either all change or none. */
  readonly recursive?: boolean | undefined
}

const SETATTR_HINTS = {
  EINVAL: 'The place must be the top of a mount; for an id map, one whose file system supports that.',
  EBUSY: 'A file is open for writing, or mappings of the mount can’t change any more.',
  EPERM: `${PRIVILEGE} What was locked by a more privileged mount namespace can't be cleared.`,
}

/** Changes attributes, propagation or id map of the mount at a place. mount_setattr(2) */
export const mountSetattr = (place: Place, attr: MountAttr, options: MountSetattrOptions = {}): void => {
  const { dirfd = AT_FDCWD, path } = place
  const flags = atFlags(path, options) | (options.recursive === true ? AT_RECURSIVE : 0)
  const purpose = { operation: 'change the attributes of the mount at', target: describe(place) }
  hintedSyscall(purpose, SETATTR_HINTS, 'mount_setattr', dirfd, path, flags, encodeMountAttr(attr), MOUNT_ATTR_SIZE)
}

/** mount(2), the older call: MS_ flags, and data as the file system reads it. */
export const mount = (
  source: string | null,
  target: string,
  type: string | null,
  flags: number,
  data?: string,
): void => {
  const subject = source === null ? target : `${source} at ${target}`
  hintedSyscall(
    { operation: 'mount', target: subject },
    { EPERM: PRIVILEGE },
    'mount',
    source,
    target,
    type,
    flags,
    data ?? null,
  )
}

export interface UmountOptions {
  /** Out of the tree at once, and away when it is no longer in use. */
  readonly detach?: boolean | undefined
  /** Even if a request to a server is under way (network file systems). */
  readonly force?: boolean | undefined
  readonly noFollow?: boolean | undefined
}

/** Takes the topmost mount off a path. umount2(2) */
export const umount = (path: string, options: UmountOptions = {}): void => {
  const flags =
    (options.detach === true ? MNT_DETACH : 0) |
    (options.force === true ? MNT_FORCE : 0) |
    (options.noFollow === true ? UMOUNT_NOFOLLOW : 0)
  const hints = {
    EINVAL: 'It is no mount, or one that came locked from a more privileged mount namespace.',
    EBUSY: 'It is in use: by an open file, a working directory, or a mount below it.',
    EPERM: PRIVILEGE,
  }
  hintedSyscall({ operation: 'unmount', target: path }, hints, 'umount2', path, flags)
}

/**
 * Makes a mount the root of this mount namespace and puts the old root at a directory below it; with `.` twice,
 * in the new root as working directory, on top of it, to be unmounted next. pivot_root(2)
 */
export const pivotRoot = (newRoot: string, putOld: string): void => {
  const hints = {
    EINVAL: 'The new root must be the top of a mount, and neither it nor its parent may be shared.',
    EBUSY: 'The new root, or the place of the old one, is on the root mount that there is.',
    EPERM: PRIVILEGE,
  }
  hintedSyscall({ operation: 'make the root', target: newRoot }, hints, 'pivot_root', newRoot, putOld)
}
