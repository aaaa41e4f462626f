import { tryReadFile } from '../../linux/cgroup/file.ts'
import type { CgroupHierarchy, CgroupLayout } from '../../linux/cgroup/layout.ts'
import { cgroupDirectory, hierarchyOf } from '../../linux/cgroup/layout.ts'
import { parseAmount } from '../../linux/cgroup/parse.ts'
import type { Subject } from './subject.ts'

/** What holds a process, of its own group and of those above: the least. Undefined: nothing does. */
export interface EffectiveLimit {
  readonly value: number | undefined
  /** The directory of the group that sets it. */
  readonly group: string | undefined
}

export interface EffectiveLimits {
  /** Bytes. */
  readonly memory: EffectiveLimit | 'unknown'
  /** Processes and threads. */
  readonly pids: EffectiveLimit | 'unknown'
  /** Processors: 0.5. */
  readonly cpus: EffectiveLimit | 'unknown'
}

const NONE: EffectiveLimit = { value: undefined, group: undefined }

/** A group's directory, then those above it, up to where the hierarchy is mounted. */
const upwards = (directory: string, { mountPoint }: CgroupHierarchy): readonly string[] => {
  const groups = [directory]
  for (let at = directory; at.length > mountPoint.length;) {
    at = at.slice(0, at.lastIndexOf('/'))
    groups.push(at)
  }
  return groups
}

const text = (directory: string, file: string): string | undefined => {
  const found = tryReadFile(`${directory}/${file}`)
  return typeof found === 'number' ? undefined : found.trim()
}

type Read = (directory: string, version: 1 | 2) => number | undefined

const memoryOf: Read = (directory, version) =>
  parseAmount(text(directory, version === 1 ? 'memory.limit_in_bytes' : 'memory.max') ?? '')

const pidsOf: Read = (directory) => parseAmount(text(directory, 'pids.max') ?? '')

const cpusOf: Read = (directory, version) => {
  const [quota = '', period = ''] =
    version === 1
      ? [text(directory, 'cpu.cfs_quota_us') ?? '', text(directory, 'cpu.cfs_period_us') ?? '']
      : (text(directory, 'cpu.max') ?? '').split(' ')
  const [most, of] = [parseAmount(quota), parseAmount(period)]
  return most === undefined || of === undefined || of === 0 ? undefined : most / of
}

const least = (subject: Subject, layout: CgroupLayout, controller: string, read: Read): EffectiveLimit | 'unknown' => {
  const hierarchy = hierarchyOf(layout, controller)
  if (hierarchy === undefined) return NONE
  const path = subject.cgroups.get(hierarchy.name)
  const directory = path === undefined ? undefined : cgroupDirectory(hierarchy, path)
  if (directory === undefined) return 'unknown'
  let found = NONE
  for (const group of upwards(directory, hierarchy)) {
    const value = read(group, hierarchy.version)
    if (value !== undefined && (found.value === undefined || value < found.value)) found = { value, group }
  }
  return found
}

/** Reads the limits of the control groups of a process. */
export const effectiveLimits = (subject: Subject, layout: CgroupLayout): EffectiveLimits => ({
  memory: least(subject, layout, 'memory', memoryOf),
  pids: least(subject, layout, 'pids', pidsOf),
  cpus: least(subject, layout, 'cpu', cpusOf),
})
