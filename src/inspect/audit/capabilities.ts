import type { CapabilitySet } from '../../linux/capability.ts'
import { ALL_CAPABILITIES, capabilityNames, hasCapability } from '../../linux/capability.ts'
import type { RiskGain, RiskNeed } from '../capability-risk.ts'
import { openCapabilityRisks } from '../capability-risk.ts'
import type { Finding, Severity } from './finding.ts'
import { Findings } from './finding.ts'
import type { Subject } from './subject.ts'
import { isHostUser, isShared, mayIn } from './subject.ts'

/** What the ways out of capabilities depend on, that other walls have found. */
export interface CapabilitySituation {
  /** Whether files of the host that are not only the container's can be written to. */
  readonly hostFiles: boolean
  /** Whether any file of a file system that the host has is in sight. */
  readonly hostFilesystem: boolean
  /** Whether the device rules let it at all devices; undefined where they can't be read. */
  readonly allDevices: boolean | undefined
  /** Whether a security module confines it. */
  readonly confined: boolean
}

const GAINS: Readonly<Record<RiskGain, Severity>> = {
  takeover: 'escape',
  tamper: 'weakness',
  read: 'weakness',
  disturb: 'note',
}

const meets = (subject: Subject, situation: CapabilitySituation, need: RiskNeed): boolean => {
  switch (need) {
    case 'host-files':
      return situation.hostFiles
    case 'host-filesystem':
      return situation.hostFilesystem
    case 'host-devices':
      return situation.allDevices === true
    case 'security-module':
      return situation.confined
    case 'shared-cgroup':
      return isShared(subject, 'cgroup')
    case 'shared-ipc':
      return isShared(subject, 'ipc')
    case 'shared-mnt':
      return isShared(subject, 'mnt')
    case 'shared-net':
      return isShared(subject, 'net')
    case 'shared-pid':
      return isShared(subject, 'pid')
    case 'shared-time':
      return isShared(subject, 'time')
    case 'shared-user':
      return isShared(subject, 'user')
    case 'shared-uts':
      return isShared(subject, 'uts')
  }
}

const describe = (set: CapabilitySet): string => {
  const names = capabilityNames(set)
  if (names.length === 0) return 'none'
  const missing = capabilityNames(ALL_CAPABILITIES & ~set)
  if (missing.length === 0) return `all ${names.length}`
  return missing.length < 6 ? `all but ${missing.join(', ')}` : `${names.length}: ${names.join(', ')}`
}

const remedyFor = (name: string): string => {
  const short = name.replace('CAP_', '')
  return `tare run --cap-drop=${short}; docker: --cap-drop=${short}.`
}

/** In a user namespace of its own they count for what belongs to it: mostly a way to more of the kernel. */
const auditOwn = (subject: Subject, findings: Findings, set: CapabilitySet): void => {
  findings.holds('own-user-namespace', `its capabilities count in its own user namespace only: ${describe(set)}`)
  if (hasCapability(set, 'CAP_SYS_ADMIN') && mayIn(subject, 'mnt', 'CAP_SYS_ADMIN'))
    findings.partial('CAP_SYS_ADMIN', 'CAP_SYS_ADMIN over its own mounts', {
      severity: 'weakness',
      why: 'It can mount, take masks off, and make writable what was mounted read-only for it alone; and much of the kernel opens to it that is closed to users.',
      remedy: remedyFor('CAP_SYS_ADMIN'),
    })
  if (hasCapability(set, 'CAP_NET_ADMIN') && mayIn(subject, 'net', 'CAP_NET_ADMIN'))
    findings.partial('CAP_NET_ADMIN', 'CAP_NET_ADMIN over its own network', {
      severity: 'weakness',
      why: 'Packet filters and traffic control of the kernel, where faults were many, are open to it.',
      remedy: remedyFor('CAP_NET_ADMIN'),
    })
}

/** Which powers of root it holds, and which of them lead out. */
export const auditCapabilities = (subject: Subject, situation: CapabilitySituation): readonly Finding[] => {
  const findings = new Findings('capabilities')
  const host = isHostUser(subject)
  const held = subject.powers
  if (held === 0n) {
    findings.holds('none', 'none')
    return findings.list
  }
  if (host)
    findings.partial('held', `on the host: ${describe(held)}`, {
      severity: 'note',
      why: 'They are those of the host, as its user namespace is.',
      remedy:
        'tare run gives them in a user namespace of its own; docker: --cap-drop=ALL, and --cap-add for what is needed.',
    })
  else auditOwn(subject, findings, held)
  const names = capabilityNames(held)
  const risks = openCapabilityRisks(new Set(names), {
    initialUserNamespace: host,
    meets: (need) => meets(subject, situation, need),
  })
  for (const capability of new Set(risks.map((risk) => risk.capability))) {
    const ways = risks.filter((risk) => risk.capability === capability)
    const [gravest] = ways
    if (gravest === undefined) continue
    const why = ways.filter(({ gain }) => gain === gravest.gain).map(({ how }) => how)
    findings.open(capability, capability, {
      severity: GAINS[gravest.gain],
      why: why.join(' '),
      remedy: remedyFor(capability),
    })
  }
  return findings.list
}
