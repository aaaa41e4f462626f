import type { Cgroup, CgroupStats } from '../linux/cgroup/index.ts'
import type { CgroupLimit } from './cgroup-limits.ts'
import { limitReader } from './cgroup-limits.ts'
import { cgroupTree, findCgroup, readCgroupLayout } from '../linux/cgroup/index.ts'

/** One control group as a list of them shows it. */
export interface CgroupEntry {
  /** Its path from the root of the hierarchies. */
  readonly name: string
  /** Its directory in each hierarchy that it is in, by the hierarchy's name. */
  readonly directories: Readonly<Record<string, string>>
  /** The processes in the group itself. */
  readonly processes: readonly number[]
  /** The limits that are set in the group itself. */
  readonly limits: readonly CgroupLimit[]
  readonly frozen: boolean
  readonly stats: CgroupStats
}

const entryOf = (cgroup: Cgroup, limits: readonly CgroupLimit[]): CgroupEntry => ({
  name: cgroup.name,
  directories: cgroup.paths,
  processes: cgroup.ownProcesses(),
  limits,
  frozen: cgroup.frozen,
  stats: cgroup.stats(),
})

/** A group, by default the root, and all below it: what is in them, and what they use. Throws if there is no such group. */
export const listCgroups = (group = '/'): readonly CgroupEntry[] => {
  const layout = readCgroupLayout()
  const { name } = findCgroup(layout, group)
  const limitsOf = limitReader()
  return cgroupTree(layout, name).map((cgroup) => entryOf(cgroup, limitsOf(cgroup)))
}
