import { numberOf } from '../linux/namespace-links.ts'
import type { NamespaceLinks } from '../linux/namespace-links.ts'
import { NAMESPACE_KINDS } from '../linux/namespace.ts'
import type { Companions } from './namespace-processes.ts'
import type { Survey } from './namespace-survey.ts'

/**
 * What a thread can have of its own. Its user, pid and time namespace are those of its process, but its children may
 * be born elsewhere (unshare(2), setns(2)).
 */
const OWN = [
  { link: 'cgroup', kind: 'cgroup' },
  { link: 'ipc', kind: 'ipc' },
  { link: 'mnt', kind: 'mnt' },
  { link: 'net', kind: 'net' },
  { link: 'uts', kind: 'uts' },
  { link: 'pid_for_children', kind: 'pid' },
  { link: 'time_for_children', kind: 'time' },
] as const

const LINKS = OWN.map((each) => ({ ...each, index: NAMESPACE_KINDS.indexOf(each.kind) }))

/** Adds the namespaces of threads that aren't in all those of their process. */
export const surveyThreads = (survey: Survey, links: NamespaceLinks, companions: Iterable<Companions>): void => {
  const thread = (pid: number, tid: number, inodes: readonly number[]): void => {
    const directory = links.open(`${pid}/task/${tid}/ns`)
    if (directory < 0) return
    for (const { link, kind, index } of LINKS) {
      const inode = links.inode(directory, link)
      if (inode <= 0 || inode === inodes[index]) continue
      const sighting = survey.see(kind, inode, () => ({ at: 'link', path: `${pid}/task/${tid}/ns/${link}` }))
      if (!sighting.children.has(pid)) sighting.threads.push({ pid, tid })
    }
    links.close(directory)
  }
  for (const { inodes, pids } of companions) {
    for (const pid of pids) {
      if (links.threads(pid) < 2) continue
      const list = links.openList(`${pid}/task`)
      if (list < 0) continue
      const tids: number[] = []
      links.each(list, (name) => tids.push(numberOf(name)))
      links.close(list)
      for (const tid of tids) if (tid !== pid) thread(pid, tid, inodes)
    }
  }
}
