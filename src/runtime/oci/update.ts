import { cgroupLimits, obsoleteLimits } from '../../oci/limits.ts'
import type { LinuxResources } from '../../oci/resources.ts'
import { ContainerDirectory } from './container-directory.ts'
import { requireGroups } from './kill.ts'
import { statusOf, wrongStatus } from './status.ts'
import type { Warn } from './warn.ts'

/**
 * `update`: changes limits of a container that hasn't ended; what isn't given stays, and so do the rules for devices.
 * Throws `TareError`; all limits are as they were then.
 */
export const updateContainer = (root: string, id: string, resources: LinuxResources, warn: Warn = () => {}): void => {
  const directory = new ContainerDirectory(root, id)
  directory.lock()
  try {
    const record = directory.read()
    const status = statusOf(directory, record)
    if (status === 'stopped') throw wrongStatus('update', id, status)
    const cgroup = requireGroups(record, 'update')
    for (const error of obsoleteLimits(resources)) warn(error)
    const swapAlone = resources.memory?.swap !== undefined && resources.memory.limit === undefined
    const current = swapAlone ? cgroup.stats().memory?.max : undefined
    cgroup.set({ ...cgroupLimits(resources, current), devices: undefined })
  } finally {
    directory.unlock()
  }
}
