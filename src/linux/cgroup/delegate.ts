import { TareError } from '../error.ts'
import { AT_FDCWD } from '../fcntl.ts'
import { trySyscall } from '../syscall.ts'
import { failedWith, readIfThere } from './file.ts'
import type { CgroupHierarchy } from './layout.ts'
import { ROOT_PARENT } from './parent.ts'

/** What a kernel that has no list of its own (before Linux 4.15) would have in it. */
const ALWAYS: readonly string[] = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']

/**
 * Gives a group of version 2 to a user, to make groups in and to divide among them what it may use. Its own limits stay
 * out of reach: only the files that the kernel names for it (/sys/kernel/cgroup/delegate) change their owner
 * (cgroups(7), "Cgroups delegation"). Throws {@link TareError}.
 */
export const delegateCgroup = (directory: string, uid: number, gid: number): void => {
  const named = readIfThere('/sys/kernel/cgroup/delegate')?.split('\n') ?? ALWAYS
  const paths = [directory, ...named.filter((name) => name !== '').map((name) => `${directory}/${name}`)]
  for (const path of paths) {
    const result = trySyscall('fchownat', AT_FDCWD, path, uid, gid, 0)
    // A file of a controller that the group hasn't got.
    if (result >= 0 || (path !== directory && failedWith(result, 'ENOENT'))) continue
    throw new TareError({ operation: 'give away cgroup', target: path, syscall: 'fchownat', errno: -result })
  }
}

const words = (text: string | undefined): readonly string[] => (text ?? '').split(/\s+/).filter((word) => word !== '')

/**
 * The controllers that a group below `parent` can be given to divide among its own. At the root of the hierarchy that is
 * all; further down what was given there, and none where processes are in the way ("no internal processes", cgroups(7)).
 */
export const delegableControllers = (unified: CgroupHierarchy, parent: string): readonly string[] => {
  const directory = `${unified.mountPoint}/${parent}`
  if (words(readIfThere(`${directory}/cgroup.procs`)).length > 0)
    return words(readIfThere(`${directory}/cgroup.subtree_control`))
  return parent === ROOT_PARENT ? unified.controllers : words(readIfThere(`${directory}/cgroup.controllers`))
}
