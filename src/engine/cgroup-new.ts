import type { Cgroup } from '../linux/cgroup/index.ts'
import { cgroupParent, readCgroupLayout } from '../linux/cgroup/index.ts'
import { cgroupLeaf, removeStaleCgroups } from '../runtime/stale-cgroups.ts'
import { controllersOfSettings, makeCgroup } from './cgroup.ts'
import { newName } from './resolve.ts'

/**
 * Makes a group with a name of its own, for something that ends: below `/tare` for whoever may make groups at the root,
 * for others below the nearest group that is delegated to them. It is the caller's to remove; one that a killed process
 * has left is removed by a later call, once it is empty. Throws as {@link makeCgroup} does.
 *
 * @example
 * ```ts
 * const group = newCgroup(['memory=64MiB', 'cpus=0.5'])
 * try {
 *   await launch(['make'], { cgroups: Object.values(group.paths), stdout: 'inherit' })
 *   console.log(group.stats())
 * } finally {
 *   await group.kill()
 *   await group.remove()
 * }
 * ```
 */
export const newCgroup = (settings: readonly string[] = []): Cgroup => {
  const layout = readCgroupLayout()
  const parent = cgroupParent(layout, controllersOfSettings(layout, settings), 'empty')
  removeStaleCgroups(layout, parent)
  return makeCgroup(`/${parent}/${cgroupLeaf(newName())}`, { settings })
}
