import { readlinkSync } from 'node:fs'

import { numberOf } from '../linux/namespace-links.ts'
import type { NamespaceLinks } from '../linux/namespace-links.ts'
import type { Companions } from './namespace-processes.ts'
import type { Survey } from './namespace-survey.ts'

/** Adds the namespaces that processes hold open by a descriptor; but for this process, which is looking at some. */
export const surveyDescriptors = (survey: Survey, links: NamespaceLinks, companions: Iterable<Companions>): void => {
  const own = Number(readlinkSync('/proc/self'))
  for (const { pids } of companions) {
    for (const pid of pids) {
      const directory = pid === own ? -1 : links.openList(`${pid}/fd`)
      if (directory < 0) continue
      links.each(directory, (name) => {
        const id = links.descriptor(directory, name)
        if (id === undefined) return
        const fd = numberOf(name)
        const { descriptors } = survey.see(id.kind, id.inode, () => ({ at: 'descriptor', path: `${pid}/fd/${fd}` }))
        const known = descriptors.get(pid)
        if (known === undefined) descriptors.set(pid, [fd])
        else known.push(fd)
      })
      links.close(directory)
    }
  }
}
