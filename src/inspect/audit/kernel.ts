import { hasCapability } from '../../linux/capability.ts'
import type { FileStatus } from '../../linux/file-status.ts'
import { knownFileStatus } from '../../linux/file-status.ts'
import type { MountInfo } from '../../linux/mountinfo.ts'
import { FILESYSTEM_MAGIC, filesystemStatus } from '../../linux/statfs.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import { isReadOnly } from './host-paths.ts'
import type { KernelPath } from './kernel-paths.ts'
import { CONTROL_FILESYSTEMS, KERNEL_PATHS } from './kernel-paths.ts'
import { mayRead, maySet, mayWrite } from './permission.ts'
import { isOutOfReach, isPrompt, lookAt } from './reach.ts'
import type { Subject } from './subject.ts'
import { isHostUser } from './subject.ts'

const REMEDY =
  'Mask it or make it read-only: tare run does, and docker unless --privileged or --security-opt systempaths=unconfined is given.'

/** How a file of the kernel's is found in one mount. `absent`: the kernel has none of that name. */
type Seen = 'absent' | 'out of reach' | 'masked' | 'read-only' | 'denied' | 'open'

const judge = (subject: Subject, { filesystem, by, path, takes }: KernelPath, fd: number): Seen => {
  if (!isPrompt(subject, fd)) return 'masked'
  const { magic, readOnly } = filesystemStatus(fd)
  if (magic !== FILESYSTEM_MAGIC[filesystem] && magic !== FILESYSTEM_MAGIC.binfmt_misc) return 'masked'
  if (by === 'write' && readOnly) return 'read-only'
  if (takes !== undefined && !(isHostUser(subject) && hasCapability(subject.powers, takes))) return 'denied'
  const status: FileStatus = knownFileStatus(fd)
  const may = by === 'read' ? mayRead : path.startsWith('sys/') ? maySet : mayWrite
  return may(subject, status) ? 'open' : 'denied'
}

const isMountedWhole =
  (filesystem: string) =>
  (mount: MountInfo): boolean =>
    mount.type === filesystem && mount.root === '/'

/** All places where a process sees one file, and how. */
const seen = (subject: Subject, each: KernelPath): readonly { readonly place: string; readonly seen: Seen }[] => {
  const mounts = subject.mounts.filter(isMountedWhole(each.filesystem))
  const places = [...new Set(mounts.map(({ mountPoint }) => `${mountPoint.replace(/\/$/, '')}/${each.path}`))]
  const unseen = (place: string): Seen => (isOutOfReach(subject, place) ? 'out of reach' : 'absent')
  return places.map((place) => ({
    place,
    seen: lookAt(subject, place, (fd) => judge(subject, each, fd)) ?? unseen(place),
  }))
}

const auditPaths = (subject: Subject, findings: Findings): void => {
  const closed = new Map<Seen, string[]>()
  for (const each of KERNEL_PATHS)
    for (const { place, seen: how } of seen(subject, each)) {
      if (how === 'open')
        findings.open(each.path, `${place} can be ${by(each)}`, {
          severity: each.severity,
          why: each.why,
          remedy: REMEDY,
        })
      else if (how !== 'absent') closed.set(how, [...(closed.get(how) ?? []), place])
    }
  const unreached = closed.get('out of reach') ?? []
  if (unreached.length > 0)
    findings.unknown('out-of-reach', `what lies behind a file system that may not answer: ${unreached.join(', ')}`)
  closed.delete('out of reach')
  const words = {
    'out of reach': '',
    masked: 'hidden',
    'read-only': 'read-only',
    denied: 'closed to its ids',
    absent: '',
    open: '',
  } as const
  for (const [how, places] of closed) findings.holds(how, `${words[how]}: ${places.join(', ')}`)
}

const by = ({ by: way }: KernelPath): string => (way === 'write' ? 'written to' : 'read')

/** proc(5) of another pid namespace shows processes that aren't its own. */
const auditProc = (subject: Subject, findings: Findings): void => {
  const proc = subject.mounts.filter(isMountedWhole('proc'))
  if (proc.length === 0) findings.holds('no-proc', 'no proc is mounted')
  const hosts = subject.host.mounts.filter(isMountedWhole('proc'))
  const same = proc.find((mount) => hosts.some(({ major, minor }) => mount.major === major && mount.minor === minor))
  if (same === undefined || subject.namespaces.pid?.shared === true) return
  findings.open('host-proc', `${same.mountPoint} is the proc of the host`, {
    severity: isHostUser(subject) && hasCapability(subject.powers, 'CAP_SYS_PTRACE') ? 'escape' : 'weakness',
    why: "It shows the host's processes; /proc/PID/root and /proc/PID/mem of those that it may trace lead out.",
    remedy: 'Mount a proc of its own pid namespace: tare run and docker do; unshare --mount-proc.',
  })
}

const auditControls = (subject: Subject, findings: Findings): void => {
  for (const mount of subject.mounts) {
    const [severity, why] = CONTROL_FILESYSTEMS[mount.type] ?? []
    if (severity === undefined || why === undefined) continue
    const may = lookAt(subject, mount.mountPoint, (fd) => mayRead(subject, knownFileStatus(fd)))
    if (may === false) findings.holds(mount.type, `${mount.mountPoint} (${mount.type}) is closed to its ids`)
    else
      findings.open(mount.type, `${mount.mountPoint} (${mount.type}${isReadOnly(mount) ? ', read-only' : ''})`, {
        severity: isReadOnly(mount) && severity === 'escape' ? 'weakness' : severity,
        why,
        remedy: 'Leave out --privileged and mounts of /sys; tare run mounts none of it.',
      })
  }
}

/** Files by which a limit of version 2 is set. The group at the top of its view is where those stand that hold it. */
const LIMITS = ['cgroup.max.depth', 'cgroup.max.descendants', 'cpu.max', 'cpuset.cpus', 'io.max', 'memory.high', 'memory.max', 'memory.swap.max', 'pids.max'] // prettier-ignore

/**
 * Whether a group was handed over to be divided, and what limits it stays with whoever did: by who owns the files, or by
 * the option nsdelegate, with which nobody writes them from within (cgroup-v2.rst, "Delegation").
 */
const isDelegated = (subject: Subject, { type, mountPoint, superOptions }: MountInfo): boolean =>
  type === 'cgroup2' &&
  subject.namespaces.cgroup?.shared === false &&
  (superOptions.includes('nsdelegate') ||
    LIMITS.every((name) => {
      const file = `${mountPoint.replace(/\/$/, '')}/${name}`
      return (
        lookAt(subject, file, (fd) => mayWrite(subject, knownFileStatus(fd))) !== true && !isOutOfReach(subject, file)
      )
    }))

const auditCgroups = (subject: Subject, findings: Findings): void => {
  const mounted = subject.mounts.filter(
    (mount) => (mount.type === 'cgroup' || mount.type === 'cgroup2') && !isReadOnly(mount),
  )
  const file = ({ mountPoint }: MountInfo): string => `${mountPoint.replace(/\/$/, '')}/cgroup.procs`
  const unseen = mounted.filter((mount) => isOutOfReach(subject, file(mount)))
  const writable = mounted.filter(
    (mount) => lookAt(subject, file(mount), (fd) => mayWrite(subject, knownFileStatus(fd))) === true,
  )
  if (unseen.length > 0)
    findings.unknown('cgroup-files-out-of-reach', `whether ${unseen.map(file).join(', ')} can be written to`)
  if (writable.length === 0) {
    if (unseen.length === 0) findings.holds('cgroup-files', 'no control group can be written to')
    return
  }
  const places = writable.map(({ mountPoint }) => mountPoint).join(', ')
  const agent = writable.find(
    ({ type, mountPoint }) =>
      type === 'cgroup' &&
      lookAt(subject, `${mountPoint}/release_agent`, (fd) => mayWrite(subject, knownFileStatus(fd))) === true,
  )
  if (agent !== undefined && isHostUser(subject) && hasCapability(subject.powers, 'CAP_SYS_ADMIN'))
    findings.open('release_agent', `${agent.mountPoint}/release_agent can be written to`, {
      severity: 'escape',
      why: 'The kernel starts the program named there as root of the host when a group empties (CVE-2022-0492).',
      remedy: 'Mount control groups read-only, with a cgroup namespace: tare run, docker --cgroupns=private.',
    })
  const open = writable.filter((mount) => !isDelegated(subject, mount))
  if (open.length === 0) {
    findings.holds('cgroup-files', `it may divide its control group, and not lift what limits that: ${places}`)
    return
  }
  findings.partial('cgroup-files', `control groups can be written to: ${places}`, {
    severity: 'weakness',
    why: 'It can lift limits that are set there, and move into groups without.',
    remedy: 'Mount control groups read-only: tare run and docker do.',
  })
}

/** Which files of /proc, /sys and the like it can use to reach the kernel of the host. */
export const auditKernel = (subject: Subject): readonly Finding[] => {
  const findings = new Findings('kernel')
  auditProc(subject, findings)
  auditPaths(subject, findings)
  auditControls(subject, findings)
  auditCgroups(subject, findings)
  return findings.list
}
