import type { CapabilityName } from '../linux/capability.ts'
import type { NamespaceKind } from '../linux/namespace.ts'

/**
 * What whoever has the capability gains beyond its container: `takeover`, code or files as root of the host; `tamper`,
 * something of the host is changed; `read`, something of it is overheard; `disturb`, it is slowed, misled or stopped.
 */
export type RiskGain = 'takeover' | 'tamper' | 'read' | 'disturb'

/**
 * What it takes besides the capability: a namespace shared with the host; `host-files`, a file or directory of the
 * host in sight that may be written to; `host-filesystem`, any file in sight of a file system that the host has, be it
 * read-only; `host-devices`, device rules that let it at the host's devices;
 * `security-module`, a module that walls the container in and that asks for this capability.
 */
export type RiskNeed = `shared-${NamespaceKind}` | 'host-files' | 'host-filesystem' | 'host-devices' | 'security-module'

/** One way by which one capability leads out of a container. */
export interface CapabilityRisk {
  readonly capability: CapabilityName
  readonly gain: RiskGain
  /** How, in one sentence that starts with a verb. */
  readonly how: string
  /** All that it takes besides; none: the capability alone is enough. */
  readonly needs: readonly RiskNeed[]
  /** Another capability that it takes as well. */
  readonly and?: CapabilityName
  /**
   * In which user namespace the process must hold it: `initial`, the kernel asks for it in the host's own; `mapped`, in
   * any, but then only for files and processes whose owners that namespace maps; `any`.
   */
  readonly held: 'initial' | 'mapped' | 'any'
}

type Way = Omit<CapabilityRisk, 'capability'>

const way = (gain: RiskGain, needs: readonly RiskNeed[], how: string, more: Partial<Way> = {}): Way => ({
  gain,
  how,
  needs,
  held: 'initial',
  ...more,
})

const onFiles = (gain: RiskGain, how: string): Way => way(gain, ['host-files'], how, { held: 'mapped' })

/** In order of their numbers. Those that lead nowhere have no line. */
const WAYS: Readonly<Partial<Record<CapabilityName, readonly Way[]>>> = {
  CAP_CHOWN: [onFiles('takeover', 'Take over files of the host that are mounted in the container.')],
  CAP_DAC_OVERRIDE: [onFiles('takeover', 'Write to files of the host that are mounted in, whoever they belong to.')],
  CAP_DAC_READ_SEARCH: [
    way(
      'takeover',
      ['host-filesystem'],
      'Open by handle (open_by_handle_at(2)) any file of a file system of which a single one is in sight, also those outside.',
    ),
  ],
  CAP_FOWNER: [onFiles('tamper', 'Change modes and access lists of files of the host that are mounted in.')],
  CAP_FSETID: [
    way(
      'tamper',
      ['host-files'],
      'Keep a file of the host set-user-id while changing what it holds, for a user there to start.',
    ),
  ],
  CAP_KILL: [way('disturb', ['shared-pid'], 'Kill processes of the host.')],
  CAP_SETGID: [onFiles('tamper', 'Become a member of a group of the host, and use its files that are mounted in.')],
  CAP_SETUID: [
    onFiles('tamper', 'Become a user of the host, and use the files that are mounted in and belong to it.'),
    way('tamper', ['shared-pid'], 'Become a user of the host, trace its processes, and act as they do.'),
  ],
  CAP_LINUX_IMMUTABLE: [
    way('tamper', ['host-files'], 'Make files of the host that are mounted in impossible to change or delete.'),
  ],
  CAP_NET_BIND_SERVICE: [
    way('tamper', ['shared-net'], 'Answer on a port of the host below 1024 in the place of its own service.'),
  ],
  CAP_NET_ADMIN: [way('tamper', ['shared-net'], 'Redirect the traffic of the host, and open its firewall.')],
  CAP_NET_RAW: [
    way('read', ['shared-net'], 'Overhear all traffic of the host, and forge packets from it.'),
    way('tamper', [], 'Forge ARP and name service answers for neighbours on the same bridge.', { held: 'any' }),
  ],
  CAP_IPC_LOCK: [way('disturb', [], 'Lock memory beyond the resource limit, up to that of the control group.')],
  CAP_IPC_OWNER: [way('tamper', ['shared-ipc'], 'Read and write System V shared memory of the host.')],
  CAP_SYS_MODULE: [way('takeover', [], 'Load a module, whose code runs in the kernel.')],
  CAP_SYS_RAWIO: [
    way('takeover', [], 'Ask for I/O ports (iopl(2)) and drive the hardware of the host past the kernel.'),
    way('takeover', ['host-devices'], 'Read and write the memory of the machine through /dev/mem.'),
  ],
  CAP_SYS_CHROOT: [
    way('takeover', ['shared-mnt'], 'Leave a root that was set by chroot(2) alone, by a second chroot(2).', {
      held: 'any',
    }),
  ],
  CAP_SYS_PTRACE: [
    way('takeover', ['shared-pid'], 'Write code into a process of the host, or go through its /proc/PID/root.'),
  ],
  CAP_SYS_PACCT: [way('disturb', ['shared-pid'], 'Switch the process accounting of the host off.')],
  CAP_SYS_ADMIN: [
    way(
      'takeover',
      [],
      'Mount a /proc of its own and name a program in sys/kernel/core_pattern, which the kernel starts as root of the host when a process crashes.',
    ),
    way(
      'takeover',
      ['shared-cgroup'],
      'Mount a hierarchy of control groups of version 1 and name a program in its release_agent, which the kernel starts as root of the host.',
    ),
    way('takeover', ['host-devices'], 'Mount a disk of the host.'),
    way('takeover', ['shared-pid'], 'Enter the namespaces of a process of the host.', { and: 'CAP_SYS_CHROOT' }),
  ],
  CAP_SYS_BOOT: [
    way('takeover', ['shared-pid'], 'Load another kernel and start it (kexec_load(2), reboot(2)).'),
    way('tamper', [], 'Load another kernel, which is started when the host restarts by kexec(8).'),
    way('disturb', ['shared-pid'], 'Stop or restart the machine.'),
  ],
  CAP_SYS_NICE: [way('disturb', [], 'Keep processors from the host by real-time scheduling.')],
  CAP_SYS_RESOURCE: [
    way('disturb', [], 'Raise its own resource limits, and fill the space that file systems keep for root.'),
  ],
  CAP_SYS_TIME: [way('tamper', [], 'Set the clock, which is the same for the whole machine.')],
  CAP_SYS_TTY_CONFIG: [way('disturb', ['host-devices'], 'Reprogram the keyboard and the consoles of the machine.')],
  CAP_MKNOD: [
    way(
      'takeover',
      ['host-devices'],
      'Make the node of a disk of the host, and read and write it past its file system.',
    ),
  ],
  CAP_AUDIT_WRITE: [
    way('tamper', [], 'Write records into the audit log of the host that look like those of its own programs.'),
  ],
  CAP_AUDIT_CONTROL: [way('tamper', ['shared-pid'], 'Switch the auditing of the host off.')],
  CAP_SETFCAP: [
    way('takeover', ['host-files'], 'Give a program that is mounted in capabilities, for a user of the host to start.'),
  ],
  CAP_MAC_OVERRIDE: [way('takeover', ['security-module'], 'Pass the rules of Smack.')],
  CAP_MAC_ADMIN: [way('takeover', ['security-module'], 'Load rules of the security module that let everything pass.')],
  CAP_SYSLOG: [
    way('read', [], 'Read the kernel log of the host and the addresses in its kernel, of use for other attacks.'),
  ],
  CAP_WAKE_ALARM: [way('disturb', [], 'Wake the machine from sleep.')],
  CAP_BLOCK_SUSPEND: [way('disturb', [], 'Keep the machine from sleep.')],
  CAP_AUDIT_READ: [way('read', ['shared-net'], 'Read the audit log of the host.')],
  CAP_PERFMON: [way('read', [], 'Sample registers and stacks of every process of the host, and of its kernel.')],
  CAP_BPF: [
    way('read', [], 'Attach programs to functions of the kernel that read its memory.', { and: 'CAP_PERFMON' }),
  ],
}

const isName = (name: string): name is CapabilityName => Object.hasOwn(WAYS, name)

/** Every way by which a capability leads out of a container, in order of the capabilities' numbers. */
export const CAPABILITY_RISKS: readonly CapabilityRisk[] = Object.keys(WAYS)
  .filter(isName)
  .flatMap((capability) => (WAYS[capability] ?? []).map((each) => ({ capability, ...each })))

/** Where a process with capabilities is. */
export interface RiskSituation {
  /** Whether its user namespace is the host's own. */
  readonly initialUserNamespace: boolean
  /** Whether this is so of the process; false closes every way that needs it. */
  readonly meets: (need: RiskNeed) => boolean
}

/**
 * The ways out that are open to a process which holds these capabilities and is in this situation, the gravest first.
 * A filter of system calls or a security module may still bar them.
 */
export const openCapabilityRisks = (held: ReadonlySet<string>, situation: RiskSituation): readonly CapabilityRisk[] => {
  const gains: readonly RiskGain[] = ['takeover', 'tamper', 'read', 'disturb']
  return CAPABILITY_RISKS.filter(
    (risk) =>
      held.has(risk.capability) &&
      (risk.and === undefined || held.has(risk.and)) &&
      (risk.held !== 'initial' || situation.initialUserNamespace) &&
      risk.needs.every(situation.meets),
  ).toSorted((a, b) => gains.indexOf(a.gain) - gains.indexOf(b.gain))
}
