import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import { AT_FDCWD, O_CLOEXEC } from './fcntl.ts'
import type { OpenHow } from './open-how.ts'
import { encodeOpenHow, OPEN_HOW_SIZE, RESOLVE_BENEATH, RESOLVE_CACHED, RESOLVE_IN_ROOT } from './open-how.ts'
import { trySyscall } from './syscall.ts'

/** How often the kernel is asked again; each time the host would have to rename or mount something at the wrong moment. */
const TRIES = 128

/** Whether the kernel says EAGAIN of a ".." that it couldn't be sure of: something was renamed or mounted meanwhile, anywhere. */
const isScoped = ({ resolve = 0 }: OpenHow): boolean =>
  (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0 && (resolve & RESOLVE_CACHED) === 0

/**
 * Opens a path, text or bytes that end with a NUL, within the limits of `how.resolve`, starting from a directory (default:
 * the working directory); close-on-exec is added. Returns a descriptor, or the errno as a negative number. openat2(2)
 */
export const tryOpenat2 = (path: string | Uint8Array, how: OpenHow, dirfd: number = AT_FDCWD): number => {
  const bytes = encodeOpenHow({ ...how, flags: how.flags | O_CLOEXEC })
  for (let tries = isScoped(how) ? TRIES : 1; ; tries--) {
    const result = trySyscall('openat2', dirfd, path, bytes, OPEN_HOW_SIZE)
    if (-result !== ERRNO['EAGAIN'] || tries <= 1) return result
  }
}

/** As {@link tryOpenat2}, but throws {@link TareError} when the kernel refuses. Close what it returns. */
export const openat2 = (path: string, how: OpenHow, dirfd: number = AT_FDCWD): number => {
  const result = tryOpenat2(path, how, dirfd)
  if (result >= 0) return result
  throw new TareError({ operation: 'open', target: path, syscall: 'openat2', errno: -result })
}
