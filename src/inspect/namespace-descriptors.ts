import { readlinkSync } from 'node:fs'

import { NAMESPACE_KINDS, openSocketNamespace } from '../linux/namespace.ts'
import type { ProcEntries } from '../linux/proc-entries.ts'
import { numberOf } from '../linux/proc-entries.ts'
import { trySyscall } from '../linux/syscall.ts'
import { withDescriptor } from './namespace-open.ts'
import type { Companions } from './namespace-processes.ts'
import type { Relations } from './namespace-relations.ts'
import type { Survey } from './namespace-survey.ts'

const NET = NAMESPACE_KINDS.indexOf('net')

const addTo = (lists: Map<number, number[]>, pid: number, fd: number): void => {
  const known = lists.get(pid)
  if (known === undefined) lists.set(pid, [fd])
  else known.push(fd)
}

/** A process with descriptors that are sockets. */
interface SocketHolder {
  readonly pid: number
  /** The network namespace it is in; 0 for none. */
  readonly net: number
  readonly fds: number[]
}

/**
 * Adds the namespaces that processes hold open by a descriptor, but for this process, which is looking at some.
 * Returns whose descriptors are sockets.
 */
export const surveyDescriptors = (
  survey: Survey,
  entries: ProcEntries,
  companions: Iterable<Companions>,
): readonly SocketHolder[] => {
  const own = Number(readlinkSync('/proc/self'))
  const sockets: SocketHolder[] = []
  const process = (pid: number, net: number): void => {
    if (pid === own) return
    const holder: SocketHolder = { pid, net, fds: [] }
    entries.each(`${pid}/fd`, (name, directory) => {
      const id = entries.descriptor(name, directory)
      if (id === undefined) return
      const fd = numberOf(name)
      if (id === 'socket') holder.fds.push(fd)
      else {
        const sighting = survey.see(id.kind, id.inode, () => ({ at: 'descriptor', path: `${pid}/fd/${fd}` }))
        addTo(sighting.descriptors, pid, fd)
      }
    })
    if (holder.fds.length > 0) sockets.push(holder)
  }
  for (const { inodes, pids } of companions) for (const pid of pids) process(pid, inodes[NET] ?? 0)
  return sockets
}

/**
 * Adds the network namespaces that sockets lie in, other than those of their processes. Each socket is duplicated for
 * a moment (pidfd_getfd(2)), which takes the right to trace its process.
 */
export const surveySockets = (survey: Survey, relations: Relations, holders: readonly SocketHolder[]): void => {
  for (const { pid, net, fds } of holders) {
    withDescriptor(trySyscall('pidfd_open', pid, 0), (pidfd) => {
      for (const fd of fds) {
        const namespace = withDescriptor(trySyscall('pidfd_getfd', pidfd, fd, 0), openSocketNamespace)
        const inode = withDescriptor(namespace ?? -1, (opened) => relations.add('net', opened))
        if (inode === undefined || inode === net) continue
        const sighting = survey.sightings.get(inode)
        if (sighting !== undefined) addTo(sighting.sockets, pid, fd)
      }
    })
  }
}
