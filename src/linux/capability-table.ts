/** The kernel's name of a capability (capabilities(7)). */
export type CapabilityName =
  | 'CAP_CHOWN'
  | 'CAP_DAC_OVERRIDE'
  | 'CAP_DAC_READ_SEARCH'
  | 'CAP_FOWNER'
  | 'CAP_FSETID'
  | 'CAP_KILL'
  | 'CAP_SETGID'
  | 'CAP_SETUID'
  | 'CAP_SETPCAP'
  | 'CAP_LINUX_IMMUTABLE'
  | 'CAP_NET_BIND_SERVICE'
  | 'CAP_NET_BROADCAST'
  | 'CAP_NET_ADMIN'
  | 'CAP_NET_RAW'
  | 'CAP_IPC_LOCK'
  | 'CAP_IPC_OWNER'
  | 'CAP_SYS_MODULE'
  | 'CAP_SYS_RAWIO'
  | 'CAP_SYS_CHROOT'
  | 'CAP_SYS_PTRACE'
  | 'CAP_SYS_PACCT'
  | 'CAP_SYS_ADMIN'
  | 'CAP_SYS_BOOT'
  | 'CAP_SYS_NICE'
  | 'CAP_SYS_RESOURCE'
  | 'CAP_SYS_TIME'
  | 'CAP_SYS_TTY_CONFIG'
  | 'CAP_MKNOD'
  | 'CAP_LEASE'
  | 'CAP_AUDIT_WRITE'
  | 'CAP_AUDIT_CONTROL'
  | 'CAP_SETFCAP'
  | 'CAP_MAC_OVERRIDE'
  | 'CAP_MAC_ADMIN'
  | 'CAP_SYSLOG'
  | 'CAP_WAKE_ALARM'
  | 'CAP_BLOCK_SUSPEND'
  | 'CAP_AUDIT_READ'
  | 'CAP_PERFMON'
  | 'CAP_BPF'
  | 'CAP_CHECKPOINT_RESTORE'

/** One capability: its name, its number (the bit in a set), and what a process that has it may do. */
export interface Capability {
  readonly name: CapabilityName
  readonly number: number
  /** One sentence that starts with a verb: "Give files to any owner or group." */
  readonly allows: string
}

const SENTENCES: Readonly<Record<CapabilityName, string>> = {
  CAP_CHOWN: 'Give any file to any owner and group.',
  CAP_DAC_OVERRIDE: 'Read, write and execute files whatever their permission bits and access lists say.',
  CAP_DAC_READ_SEARCH: 'Read any file, search any directory, and open files by handle, whatever their permissions.',
  CAP_FOWNER:
    'Do to any file what only its owner may: change its mode, times, access lists, or delete it under a sticky bit.',
  CAP_FSETID:
    'Keep the set-user-id and set-group-id bits when a file is changed, and set them for groups one is not in.',
  CAP_KILL: 'Send a signal to any process.',
  CAP_SETGID: 'Take on any group ids, send any group id over sockets, and write the group map of a user namespace.',
  CAP_SETUID: 'Take on any user id, send any user id over sockets, and write the user map of a user namespace.',
  CAP_SETPCAP: 'Drop bounding capabilities, raise inheritable ones out of the bounding set, and change the securebits.',
  CAP_LINUX_IMMUTABLE: 'Set and clear the immutable and append-only attributes of files.',
  CAP_NET_BIND_SERVICE: 'Bind to a TCP or UDP port below 1024.',
  CAP_NET_BROADCAST: 'Broadcast and listen to multicasts (the kernel does not ask for it today).',
  CAP_NET_ADMIN: 'Configure interfaces, addresses, routes, firewalls and traffic control of the network namespace.',
  CAP_NET_RAW: 'Open raw and packet sockets, and so forge and overhear packets of the network namespace.',
  CAP_IPC_LOCK: 'Lock memory and use huge pages beyond the resource limit.',
  CAP_IPC_OWNER: 'Use any System V message queue, semaphore and shared memory, whatever its permissions.',
  CAP_SYS_MODULE: 'Load and unload kernel modules, and so run any code in the kernel.',
  CAP_SYS_RAWIO: 'Reach I/O ports, physical memory and raw commands of devices.',
  CAP_SYS_CHROOT: 'Change the root directory, and enter mount namespaces.',
  CAP_SYS_PTRACE: 'Trace any process, and read and write its memory.',
  CAP_SYS_PACCT: 'Switch process accounting on and off.',
  CAP_SYS_ADMIN:
    'Mount, make and enter namespaces, set the host name, manage swap and quotas, and much else: nearly root.',
  CAP_SYS_BOOT: 'Reboot the machine and load another kernel.',
  CAP_SYS_NICE: 'Raise priorities, choose real-time scheduling and I/O classes, and set affinities of any process.',
  CAP_SYS_RESOURCE: 'Raise hard resource limits, lower out-of-memory scores, and go beyond quotas and reserved space.',
  CAP_SYS_TIME: 'Set the system clock and the hardware clock.',
  CAP_SYS_TTY_CONFIG: 'Hang up terminals and configure virtual consoles.',
  CAP_MKNOD: 'Make device nodes.',
  CAP_LEASE: 'Take a lease on any file.',
  CAP_AUDIT_WRITE: 'Write records into the audit log of the kernel.',
  CAP_AUDIT_CONTROL: 'Switch auditing on and off and change its rules.',
  CAP_SETFCAP: 'Give capabilities to files, and map user id 0 into a new user namespace.',
  CAP_MAC_OVERRIDE: 'Override mandatory access control (asked for by Smack).',
  CAP_MAC_ADMIN: 'Configure mandatory access control (asked for by Smack, AppArmor and SELinux).',
  CAP_SYSLOG: 'Read and clear the kernel log, and see kernel addresses.',
  CAP_WAKE_ALARM: 'Set timers that wake the machine.',
  CAP_BLOCK_SUSPEND: 'Keep the machine from being suspended.',
  CAP_AUDIT_READ: 'Read the audit log by multicast.',
  CAP_PERFMON: 'Observe performance events of the kernel and of all processes.',
  CAP_BPF: 'Load BPF programs and make BPF maps of all types.',
  CAP_CHECKPOINT_RESTORE: 'Checkpoint and restore processes: choose process ids, and read links to mapped files.',
}

const isName = (name: string): name is CapabilityName => Object.hasOwn(SENTENCES, name)

/** All capabilities of Linux 5.9 and later; the index is the number (linux/capability.h). */
export const CAPABILITIES: readonly Capability[] = Object.keys(SENTENCES)
  .filter(isName)
  .map((name, number) => ({ name, number, allows: SENTENCES[name] }))
