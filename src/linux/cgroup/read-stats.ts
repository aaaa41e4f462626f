import type { CgroupDirectory } from './apply.ts'
import { readIfThere } from './file.ts'
import { oomEventsV1, readV1 } from './stats-v1.ts'
import { oomEventsV2, readV2 } from './stats-v2.ts'
import type { CgroupStats, OomEvents } from './stats.ts'

const NOTHING: CgroupStats = {
  cpu: undefined,
  memory: undefined,
  io: undefined,
  pids: undefined,
  hugetlb: undefined,
  rdma: undefined,
  pressure: undefined,
}

/** Reads what a group uses from all its directories. */
export const readStats = (directories: readonly CgroupDirectory[]): CgroupStats => {
  let stats = NOTHING
  // Version 2 first: where both know something of a hybrid group, the hierarchy that has the controller decides.
  const sorted = directories.toSorted((a, b) => b.hierarchy.version - a.hierarchy.version)
  for (const { hierarchy, directory } of sorted) {
    stats = {
      ...stats,
      ...(hierarchy.version === 1 ? readV1(hierarchy.controllers, directory, stats) : readV2(directory)),
    }
  }
  return stats
}

/** How often memory ran out in a group and below it; undefined without a memory controller. */
export const readOomEvents = (directories: readonly CgroupDirectory[]): OomEvents | undefined => {
  for (const { hierarchy, directory } of directories) {
    if (hierarchy.version === 1 && !hierarchy.controllers.includes('memory')) continue
    const read = (file: string): string | undefined => readIfThere(`${directory}/${file}`)
    const events = hierarchy.version === 1 ? oomEventsV1(read) : oomEventsV2(read)
    if (events !== undefined) return events
  }
  return undefined
}
