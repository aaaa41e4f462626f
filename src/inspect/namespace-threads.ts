import { NamespaceLinks } from '../linux/namespace-links.ts'
import { NAMESPACE_KINDS } from '../linux/namespace.ts'
import type { ProcEntries } from '../linux/proc-entries.ts'
import { numberOf } from '../linux/proc-entries.ts'
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

const LINKS = OWN.map(({ link }) => link)
const KINDS = OWN.map(({ kind }) => NAMESPACE_KINDS.indexOf(kind))

/** Adds the namespaces of threads that aren't in all those of their process. `proc` is a descriptor of /proc. */
export const surveyThreads = (
  survey: Survey,
  proc: number,
  entries: ProcEntries,
  companions: Iterable<Companions>,
): void => {
  const links = new NamespaceLinks(proc, LINKS)
  const thread = (pid: number, tid: number, inodes: readonly number[]): void => {
    const read = links.read(`${pid}/task/${tid}/ns`)
    for (const [index, { link, kind }] of OWN.entries()) {
      const inode = read[index] ?? 0
      if (inode <= 0 || inode === inodes[KINDS[index] ?? 0]) continue
      const sighting = survey.see(kind, inode, () => ({ at: 'link', path: `${pid}/task/${tid}/ns/${link}` }))
      if (!sighting.children.has(pid)) sighting.threads.push({ pid, tid })
    }
  }
  for (const { inodes, pids } of companions) {
    for (const pid of pids) {
      if (entries.threads(pid) < 2) continue
      entries.each(`${pid}/task`, (name) => {
        const tid = numberOf(name)
        if (tid !== pid) thread(pid, tid, inodes)
      })
    }
  }
}
