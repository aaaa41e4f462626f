import { hasCapability } from '../../linux/capability.ts'
import type { FileStatus } from '../../linux/file-status.ts'
import { knownFileStatus } from '../../linux/file-status.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import { tryParent } from './reach.ts'
import type { Subject } from './subject.ts'
import { isShared } from './subject.ts'

/** Whether two looks were at the same file, on the same mount. */
export const isSameFile = (a: FileStatus, b: FileStatus): boolean =>
  a.mount === b.mount && a.inode === b.inode && a.device.major === b.device.major && a.device.minor === b.device.minor

/** Whether there is nothing above a directory in its mount namespace; undefined where that may not be seen. */
const isTop = (subject: Subject, directory: number): boolean | undefined => {
  const above = tryParent(subject, directory)
  if (above < 0) return undefined
  try {
    return isSameFile(knownFileStatus(above), knownFileStatus(directory))
  } finally {
    trySyscall('close', above)
  }
}

const PIVOT = 'Use pivot_root(2), as tare run and docker do, or drop CAP_SYS_CHROOT.'

/** Whether its root directory is the top of what is mounted, or a directory in it from which chroot(2) leads out. */
export const auditRoot = (subject: Subject): readonly Finding[] => {
  const findings = new Findings('root')
  const own = knownFileStatus(subject.root)
  const isHosts = isSameFile(own, knownFileStatus(subject.host.root))
  if (isHosts) {
    findings.open('host-root', 'its root directory is that of the host', {
      severity: 'escape',
      why: 'All files of the host are in sight; only their permissions stand before them.',
      remedy: 'Give it a root of its own: tare run, or tare chroot.',
    })
    return findings.list
  }
  const top = isTop(subject, subject.root)
  const shared = isShared(subject, 'mnt')
  if (top === undefined) findings.unknown('root', 'its root directory is served by a program, or may not be entered')
  else if (top && !shared)
    findings.holds('pivot', 'its root directory is the top of its own mounts: there is nothing above it')
  else if (top) findings.holds('top', 'its root directory is the top of the mounts')
  else if (hasCapability(subject.powers, 'CAP_SYS_CHROOT'))
    findings.open('chroot', 'its root directory was set by chroot(2), and it may call chroot(2) itself', {
      severity: shared ? 'escape' : 'weakness',
      why: 'A second chroot(2) lets go of the first: from there ".." leads up to the real root.',
      remedy: PIVOT,
    })
  else
    findings.partial('chroot', 'its root directory was set by chroot(2)', {
      severity:
        hasCapability(subject.capabilities.bounding, 'CAP_SYS_CHROOT') && !subject.status.noNewPrivs
          ? 'weakness'
          : 'note',
      why: 'What lies above it is still mounted: a directory that is open, or CAP_SYS_CHROOT, leads there.',
      remedy: PIVOT,
    })
  return findings.list
}
