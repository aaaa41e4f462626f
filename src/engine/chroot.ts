import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { hasCapability } from '../linux/capability.ts'
import { InputError } from '../linux/error.ts'
import { fromNodeError } from '../linux/proc.ts'
import { readProcessCapabilities } from '../linux/process-capability.ts'
import { trySyscall } from '../linux/syscall.ts'
import { launch } from './launch.ts'
import type { LaunchOptions, PivotOptions } from './launch-options.ts'
import type { Program } from './program.ts'
import { resolveUser } from './resolve-user.ts'

/** How a program is run in another root. Anything that isn't said is as it is for this process. */
export interface ChrootOptions
  extends
    Pick<LaunchOptions, 'user' | 'workdir' | 'env' | 'stdin' | 'stdout' | 'stderr' | 'timeout' | 'signal'>,
    Omit<PivotOptions, 'root'> {
  /**
   * By pivot_root(2) in a mount namespace of its own, out of which root finds no way, instead of by chroot(2) alone.
   * What mounts something (`binds`, `proc`, `dev`) implies it.
   */
  readonly pivot?: boolean
}

const checkRoot = (root: string): string => {
  const path = resolve(root)
  try {
    if (statSync(path).isDirectory()) return path
  } catch (error) {
    throw fromNodeError(error, 'use the root', path, {
      ENOENT: 'Build it with "tare chroot build".',
      EACCES: 'This user may not enter a directory on the way.',
    })
  }
  throw new InputError({ operation: 'use the root', target: path, reason: 'it is no directory' })
}

/**
 * What {@link launch} takes to run a program in another root and with no other wall. Who lacks the power to change the
 * root gets it from a user namespace, in which there is one user: the caller, by its own id or by that of `user`.
 */
export const chrootLaunch = (root: string, options: ChrootOptions = {}): LaunchOptions => {
  const { pivot = false, proc = false, dev = false, binds = [], user, ...rest } = options
  const path = checkRoot(root)
  const mounts = pivot || proc || dev || binds.length > 0
  const { effective } = readProcessCapabilities()
  const privileged =
    hasCapability(effective, 'CAP_SYS_CHROOT') && (!mounts || hasCapability(effective, 'CAP_SYS_ADMIN'))
  const place: LaunchOptions = mounts ? { pivot: { root: path, proc, dev, binds } } : { root: path }
  if (privileged)
    return {
      ...rest,
      ...place,
      ...(mounts && { unshare: { kinds: ['mnt'] } }),
      ...(user !== undefined && { user }),
    }
  const inside = user === undefined ? undefined : resolveUser(user, [], path)
  return {
    ...rest,
    ...place,
    unshare: {
      kinds: mounts ? ['user', 'mnt'] : ['user'],
      uids: { own: inside?.uid ?? trySyscall('geteuid') },
      gids: { own: inside?.gid ?? trySyscall('getegid') },
    },
  }
}

/**
 * Runs a program in another root: a wall around files, and around nothing else. Processes, network, users, limits and
 * privileges are the caller's, and root in it finds a way out of it (chroot(2)) unless it is a `pivot`.
 *
 * Rejects as {@link launch} does, and with {@link InputError} where the root is no directory.
 * Example: `await chroot('jail', ['nginx', '-v'])`.
 */
export const chroot = (root: string, command: readonly string[], options: ChrootOptions = {}): Program =>
  launch(command, chrootLaunch(root, options))
