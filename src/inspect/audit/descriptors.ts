import { ERRNO } from '../../linux/errno.ts'
import type { FileStatus } from '../../linux/file-status.ts'
import { S_IFBLK, S_IFMT, S_IFREG, knownFileStatus } from '../../linux/file-status.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import { isDirectory } from './permission.ts'
import { tryParent } from './reach.ts'
import { isSameFile } from './root.ts'
import type { Subject } from './subject.ts'

const { EAGAIN = 11 } = ERRNO

/** The most descriptors that are looked at. */
const MOST = 4096
/** The deepest that directories are nested here. */
const DEEPEST = 256

/** Whether a directory lies in the root directory of the process, however deep; undefined where that can't be seen. */
const isWithin = (subject: Subject, directory: number, root: FileStatus): boolean | undefined => {
  let at = directory
  let status = knownFileStatus(at)
  try {
    for (let depth = 0; depth < DEEPEST; depth++) {
      if (isSameFile(status, root)) return true
      const above = tryParent(subject, at)
      if (above < 0) return above === -EAGAIN ? undefined : false
      if (at !== directory) trySyscall('close', at)
      at = above
      const next = knownFileStatus(at)
      if (isSameFile(next, status)) return false
      status = next
    }
    return false
  } finally {
    if (at !== directory) trySyscall('close', at)
  }
}

/** What the kernel hands out without a file: these lead nowhere. Only the kernel gives links without a slash. */
const HARMLESS = /^anon_inode:(?:inotify|\[(?:eventfd|eventpoll|signalfd|timerfd)\])$/

/** What a descriptor is if it leads out; `unknown` where that can't be seen, undefined for one that leads nowhere. */
type Lead = 'a disk' | 'another namespace' | 'a directory outside of its root' | 'unknown' | undefined

const leadOf = (subject: Subject, fd: number, root: FileStatus, nsfs: string): Lead => {
  const status = knownFileStatus(fd)
  const type = status.mode & S_IFMT
  if (type === S_IFBLK) return 'a disk'
  if (numbersOf(status) === nsfs) {
    const own = Object.values(subject.namespaces).some(({ inode }) => BigInt(inode) === status.inode)
    return own ? undefined : 'another namespace'
  }
  if (type === 0) return 'unknown'
  if (!isDirectory(status)) return undefined
  const within = isWithin(subject, fd, root)
  return within === undefined ? 'unknown' : within ? undefined : 'a directory outside of its root'
}

const numbersOf = ({ device: { major, minor } }: FileStatus): string => `${major}:${minor}`

/** The device that the files of all namespaces lie on. */
const namespaceDevice = (subject: Subject): string => {
  const fd = subject.files.tryOpenNamespace('ns/user')
  if (fd < 0) return ''
  try {
    return numbersOf(knownFileStatus(fd))
  } finally {
    trySyscall('close', fd)
  }
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
      const { mode, mount, device } = knownFileStatus(fd)
      trySyscall('close', fd)
      const isHosts = subject.host.mounts.some(({ major, minor }) => major === device.major && minor === device.minor)
      const isOutside = isHosts && !subject.mounts.some(({ id }) => id === mount)
      if ((mode & S_IFMT) !== S_IFREG || !isOutside) return []
      return isForWriting(subject.files.readIfThere(`fdinfo/${number}`) ?? '') ? [`${number} (${link})`] : []
    })

const lead = (subject: Subject, link: string, root: FileStatus, nsfs: string): Lead => {
  const fd = subject.files.tryFollow(link)
  if (fd < 0) return undefined // closed meanwhile
  try {
    return leadOf(subject, fd, root, nsfs)
  } finally {
    trySyscall('close', fd)
  }
}

/** Whether what it has open, or its working directory, leads out of its root (CVE-2024-21626). */
export const auditDescriptors = (subject: Subject): readonly Finding[] => {
  const findings = new Findings('descriptors')
  const root = knownFileStatus(subject.root)
  const numbers = subject.files.list('fd')
  if (numbers === undefined) {
    findings.unknown('descriptors', 'its descriptors may not be listed')
    return findings.list
  }
  const links = ['cwd', ...numbers.slice(0, MOST).map((number) => `fd/${number}`)]
  const nsfs = namespaceDevice(subject)
  const unseen: string[] = []
  for (const link of links) {
    const what = lead(subject, link, root, nsfs)
    if (what === undefined || (what === 'unknown' && HARMLESS.test(subject.files.link(link) ?? ''))) continue
    if (what === 'unknown') {
      unseen.push(link)
      continue
    }
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
  if (unseen.length > 0)
    findings.unknown('unseen', `where these lead, whose file system may not answer: ${unseen.join(', ')}`)
  if (findings.list.length === 0)
    findings.holds('within', `none of its ${numbers.length} descriptors leads out of its root`)
  if (numbers.length > MOST)
    findings.unknown('more', `only the first ${MOST} of ${numbers.length} descriptors were looked at`)
  return findings.list
}
