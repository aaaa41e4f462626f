import type { CgroupStats } from '../../linux/cgroup/stats.ts'
import { ContainerDirectory } from './container-directory.ts'
import { requireGroups } from './kill.ts'
import { statusOf, wrongStatus } from './status.ts'

/** What a container uses and has used. Throws `InputError` for one that has ended, or has no control groups. */
export const containerStats = (root: string, id: string): CgroupStats => {
  const directory = new ContainerDirectory(root, id)
  const record = directory.read()
  const status = statusOf(directory, record)
  if (status === 'stopped') throw wrongStatus('read what is used by', id, status)
  return requireGroups(record, 'read what is used by').stats()
}
