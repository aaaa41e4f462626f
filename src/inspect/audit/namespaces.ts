import { hasCapability } from '../../linux/capability.ts'
import type { NamespaceKind } from '../../linux/namespace.ts'
import { NAMESPACE_KINDS } from '../../linux/namespace.ts'
import type { Finding, Severity } from './finding.ts'
import { Findings } from './finding.ts'
import type { Subject } from './subject.ts'
import { isHostUser } from './subject.ts'

/** What it means that a namespace is the host's. */
interface Sharing {
  readonly severity: Severity
  readonly why: string
  readonly remedy: string
}

const ofAll = (severity: Severity, why: string, remedy: string): Sharing => ({ severity, why, remedy })

const CLOCKS = "It sees the host's clocks; only CAP_SYS_TIME on the host sets them."

/** Shared, and what follows; whether it weighs depends on what else the process has. */
const sharing = (subject: Subject, kind: NamespaceKind): Sharing => {
  const root = subject.status.uid.effective === 0
  const host = isHostUser(subject)
  switch (kind) {
    case 'mnt':
      return ofAll(
        'escape',
        'What it mounts the host sees, and a root directory set by chroot(2) is all that can stand before the files of the host.',
        'Leave out --mount and the like of what started it, or use "tare run".',
      )
    case 'user':
      return root || subject.powers !== 0n
        ? ofAll(
            'weakness',
            "Its root is the host's root: whatever it gets hold of there is its own, and its capabilities count on the host.",
            'tare run (the default); docker: userns-remap; podman: --userns=auto.',
          )
        : ofAll(
            'note',
            'Its user id is the same as that of a user of the host.',
            'tare run (the default); podman: --userns=auto.',
          )
    case 'pid':
      return ofAll(
        host && hasCapability(subject.powers, 'CAP_SYS_PTRACE') ? 'escape' : 'weakness',
        "It sees the host's processes, with their arguments, and may signal and trace those of the same user.",
        'tare run (always); docker: leave out --pid=host.',
      )
    case 'net':
      return ofAll(
        'weakness',
        "It reaches what listens on the host's loopback and on abstract sockets (CVE-2020-15257).",
        'tare run --network=none (the default); docker: leave out --network=host.',
      )
    case 'ipc':
      return ofAll(
        'weakness',
        'It reaches shared memory and queues of the host that its user ids may use.',
        'tare run (always); docker: leave out --ipc=host.',
      )
    case 'uts':
      return ofAll(
        'note',
        "It sees the host's name, and with CAP_SYS_ADMIN sets it.",
        'tare run (always); docker: leave out --uts=host.',
      )
    case 'cgroup':
      return ofAll(
        'note',
        "It sees the paths of the host's control groups.",
        'tare run (always); docker: --cgroupns=private.',
      )
    case 'time':
      return ofAll('note', CLOCKS, 'tare run (always); docker has no option for it.')
  }
}

const NAMES: Readonly<Record<NamespaceKind, string>> = {
  cgroup: 'control group',
  ipc: 'ipc',
  mnt: 'mount',
  net: 'network',
  pid: 'pid',
  time: 'time',
  user: 'user',
  uts: 'uts',
}

/** Which namespaces are its own, and which the host's. */
export const auditNamespaces = (subject: Subject): readonly Finding[] => {
  const findings = new Findings('namespaces')
  const own = NAMESPACE_KINDS.filter((kind) => subject.namespaces[kind]?.shared === false)
  const all = own.length === NAMESPACE_KINDS.filter((kind) => subject.namespaces[kind] !== undefined).length
  if (own.length > 0)
    findings.holds('own', `${all ? 'all' : 'some'} its own: ${own.map((kind) => NAMES[kind]).join(', ')}`)
  for (const kind of NAMESPACE_KINDS) {
    const found = subject.namespaces[kind]
    if (found === undefined) continue
    if (found.shared)
      findings.open(`shared-${kind}`, `the ${NAMES[kind]} namespace is the host's`, sharing(subject, kind))
  }
  return findings.list
}
