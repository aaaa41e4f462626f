import type { FileStatus } from '../../linux/file-status.ts'
import { S_IFBLK, S_IFMT, S_IFREG, fileStatus } from '../../linux/file-status.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { parseNamespaceId } from '../../linux/namespace.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import { isDirectory } from './permission.ts'
import { isSameFile, tryParent } from './root.ts'
import type { Subject } from './subject.ts'

/** Files of any file system are looked at here, also of those that the process serves itself. */
const CACHED = { cached: true } as const

/** The most descriptors that are looked at. */
const MOST = 4096
/** The deepest that directories are nested here. */
const DEEPEST = 256

/** Whether a directory lies in the root directory of the process, however deep. */
const isWithin = (directory: number, root: FileStatus): boolean => {
  let at = directory
  let status = fileStatus({ dirfd: at, path: '' }, CACHED)
  try {
    for (let depth = 0; depth < DEEPEST; depth++) {
      if (isSameFile(status, root)) return true
      const above = tryParent(at)
      if (above < 0) return false
      if (at !== directory) trySyscall('close', at)
      at = above
      const next = fileStatus({ dirfd: at, path: '' }, CACHED)
      if (isSameFile(next, status)) return false
      status = next
    }
    return false
  } finally {
    if (at !== directory) trySyscall('close', at)
  }
}

/** What makes a descriptor a way out; undefined for one that is none. */
const leadOf = (subject: Subject, fd: number, root: FileStatus, link: string): string | undefined => {
  const status = fileStatus({ dirfd: fd, path: '' }, CACHED)
  if ((status.mode & S_IFMT) === S_IFBLK) return 'a disk'
  const id = parseNamespaceId(link)
  if (id !== undefined)
    return id.inode === subject.namespaces[id.kind]?.inode ? undefined : `another ${id.kind} namespace`
  return !isDirectory(status) || isWithin(fd, root) ? undefined : 'a directory outside of its root'
}

/** What a descriptor was opened for, in the text of /proc/PID/fdinfo: O_ACCMODE (open(2)). */
const isForWriting = (text: string): boolean => {
  const flags = /^flags:\s*([0-7]+)$/m.exec(text)?.[1] ?? '0'
  return (Number.parseInt(flags, 8) & 3) !== 0
}

/** Files of the host, not in sight otherwise, that it may write to: of its outputs that is meant. */
const hostFiles = (subject: Subject, numbers: readonly string[]): readonly string[] =>
  numbers
    .filter((number) => Number(number) > 2)
    .flatMap((number) => {
      const link = subject.files.link(`fd/${number}`) ?? ''
      if (!link.startsWith('/') || link.startsWith('/memfd:')) return []
      const fd = subject.files.tryFollow(`fd/${number}`)
      if (fd < 0) return []
      const { mode, mount, device } = fileStatus({ dirfd: fd, path: '' }, CACHED)
      trySyscall('close', fd)
      const isHosts = subject.host.mounts.some(({ major, minor }) => major === device.major && minor === device.minor)
      const isOutside = isHosts && !subject.mounts.some(({ id }) => id === mount)
      if ((mode & S_IFMT) !== S_IFREG || !isOutside) return []
      return isForWriting(subject.files.readIfThere(`fdinfo/${number}`) ?? '') ? [`${number} (${link})`] : []
    })

const lead = (subject: Subject, link: string, root: FileStatus): string | undefined => {
  const fd = subject.files.tryFollow(link)
  if (fd < 0) return undefined // closed meanwhile
  try {
    return leadOf(subject, fd, root, subject.files.link(link) ?? '')
  } finally {
    trySyscall('close', fd)
  }
}

/** Whether what it has open, or its working directory, leads out of its root (CVE-2024-21626). */
export const auditDescriptors = (subject: Subject): readonly Finding[] => {
  const findings = new Findings('descriptors')
  const root = fileStatus({ dirfd: subject.root, path: '' }, CACHED)
  const numbers = subject.files.list('fd')
  if (numbers === undefined) {
    findings.unknown('descriptors', 'its descriptors may not be listed')
    return findings.list
  }
  const links = ['cwd', ...numbers.slice(0, MOST).map((number) => `fd/${number}`)]
  for (const link of links) {
    const what = lead(subject, link, root)
    if (what === undefined) continue
    const name = link === 'cwd' ? 'its working directory' : `descriptor ${link.slice(3)}`
    findings.open(
      link,
      `${name} is ${link === 'cwd' ? 'outside of its root' : what}: ${subject.files.link(link) ?? ''}`,
      {
        severity: 'escape',
        why: 'From there openat(2), fchdir(2) or setns(2) lead on, past its root directory (CVE-2024-21626).',
        remedy: 'Close it, or set close-on-exec, in what starts the container; tare run leaves 0, 1 and 2 only.',
      },
    )
  }
  const files = hostFiles(subject, numbers.slice(0, MOST))
  if (files.length > 0)
    findings.open('host-files', `files of the host that are open for writing: ${files.join(', ')}`, {
      severity: 'weakness',
      why: 'It writes to them whatever is mounted.',
      remedy: 'Close them, or set close-on-exec, in what starts the container; tare run leaves 0, 1 and 2 only.',
    })
  if (findings.list.length === 0)
    findings.holds('within', `none of its ${numbers.length} descriptors leads out of its root`)
  if (numbers.length > MOST)
    findings.unknown('more', `only the first ${MOST} of ${numbers.length} descriptors were looked at`)
  return findings.list
}
