import { statSync } from 'node:fs'
import { readCgroupLayout } from '../linux/cgroup/layout.ts'
import type { PlanHost } from './plan/context.ts'

const kernelFile = (path: string): 'file' | 'directory' | undefined => {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return undefined
  return stats.isDirectory() ? 'directory' : 'file'
}

/** What a plan needs to know of this host. `cgroups`: whether limits are wanted, for which the hierarchies are read. */
export const readPlanHost = ({ cgroups }: { readonly cgroups: boolean }): PlanHost => {
  const uid = process.geteuid?.() ?? -1
  return {
    privileged: uid === 0,
    uid,
    gid: process.getegid?.() ?? -1,
    cgroups: cgroups ? readCgroupLayout() : undefined,
    kernelFile,
  }
}
