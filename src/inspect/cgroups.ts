import type { Cgroup, CgroupStats } from '../linux/cgroup/index.ts'
import { cgroupTree, findCgroup, readCgroupLayout } from '../linux/cgroup/index.ts'

/** One control group as a list of them shows it. */
export interface CgroupEntry {
  /** Its path from the root of the hierarchies. */
  readonly name: string
  /** Its directory in each hierarchy that it is in, by the hierarchy's name. */
  readonly directories: Readonly<Record<string, string>>
  /** The processes in the group itself. */
  readonly processes: readonly number[]
  readonly stats: CgroupStats
}

const entryOf = (cgroup: Cgroup): CgroupEntry => ({
  name: cgroup.name,
  directories: cgroup.paths,
  processes: cgroup.ownProcesses(),
  stats: cgroup.stats(),
})

/** A group, by default the root, and all below it: what is in them, and what they use. Throws if there is no such group. */
export const listCgroups = (group = '/'): readonly CgroupEntry[] => {
  const layout = readCgroupLayout()
  const { name } = findCgroup(layout, group)
  return cgroupTree(layout, name).map(entryOf)
}
