import { AT_FDCWD, O_CLOEXEC } from './fcntl.ts'
import type { OpenHow } from './open-how.ts'
import { encodeOpenHow, OPEN_HOW_SIZE } from './open-how.ts'
import { syscall } from './syscall.ts'

/**
 * Opens a path within the limits of `how.resolve`, starting from a directory (default: the working directory);
 * close-on-exec is added. Returns a descriptor: close it. openat2(2)
 */
export const openat2 = (path: string, how: OpenHow, dirfd: number = AT_FDCWD): number => {
  const bytes = encodeOpenHow({ ...how, flags: how.flags | O_CLOEXEC })
  return syscall({ operation: 'open', target: path }, 'openat2', dirfd, path, bytes, OPEN_HOW_SIZE)
}
