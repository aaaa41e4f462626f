import type { CapabilityName } from '../../linux/capability.ts'
import type { Severity } from './finding.ts'

/** One file of the kernel's that reaches beyond a container. */
export interface KernelPath {
  /** The file system that has it, and where there. */
  readonly filesystem: 'proc' | 'sysfs'
  readonly path: string
  /** What does harm: writing to it, or reading it. */
  readonly by: 'write' | 'read'
  readonly severity: Severity
  /** What follows: one sentence. */
  readonly why: string
  /** What the kernel asks for besides permission. */
  readonly takes?: CapabilityName
}

const set = (path: string, severity: Severity, why: string, takes?: CapabilityName): KernelPath => ({
  filesystem: 'proc',
  path,
  by: 'write',
  severity,
  why,
  ...(takes === undefined ? {} : { takes }),
})

const see = (path: string, severity: Severity, why: string, takes?: CapabilityName): KernelPath => ({
  ...set(path, severity, why, takes),
  by: 'read',
})

const inSys = (path: KernelPath): KernelPath => ({ ...path, filesystem: 'sysfs' })

/** The most telling files of each sort; a wall that stands before these stands before their neighbours. */
export const KERNEL_PATHS: readonly KernelPath[] = [
  set('sys/kernel/core_pattern', 'escape', 'The kernel starts the program named there as root of the host when a process crashes.'),
  set('sys/kernel/modprobe', 'escape', 'The kernel starts the program named there as root of the host when it wants a module.'),
  set('sys/fs/binfmt_misc/register', 'escape', 'An interpreter registered there runs for programs of the host, set-user-id ones too.'),
  set('sys/kernel/sysrq', 'weakness', 'Parameters of the kernel are set for the whole host.'),
  set('sys/vm/panic_on_oom', 'weakness', 'It can stop the machine when memory runs short.'),
  set('sysrq-trigger', 'weakness', 'It restarts or stops the machine at once.'),
  set('bus/pci', 'weakness', 'Registers of hardware are written through the files in it.', 'CAP_SYS_ADMIN'),
  set('irq', 'note', 'Interrupts are moved between processors through the files in it.'),
  set('acpi', 'note', 'Power states are changed through the files in it.'),
  see('kcore', 'escape', 'The memory of the kernel and of all programs is read through it.', 'CAP_SYS_RAWIO'),
  see('kmsg', 'weakness', 'The log of the kernel tells of the host, and of addresses in it.', 'CAP_SYSLOG'),
  see('timer_list', 'note', 'It tells of timers and addresses of the whole host.'),
  see('latency_stats', 'note', 'It tells what others on the host do.'),
  see('sched_debug', 'note', 'It lists the processes of the whole host.'),
  inSys(set('kernel/uevent_helper', 'escape', 'The kernel starts the program named there as root of the host when a device changes.')),
  inSys(set('power/state', 'weakness', 'It sends the machine to sleep.')),
  inSys(set('bus/pci/rescan', 'weakness', 'Hardware of the host is taken away and found again through such files.')),
  inSys(set('kernel/mm/transparent_hugepage/enabled', 'note', 'Parameters of memory are set for the whole host.')),
  inSys(see('devices/virtual/powercap', 'note', 'How much power is drawn tells of what others compute.')),
  inSys(see('firmware/acpi/tables', 'note', 'Tables of the firmware tell of the machine.')),
] // prettier-ignore

/** File systems by which the kernel is controlled, whole: no container needs one. */
export const CONTROL_FILESYSTEMS: Readonly<Record<string, readonly [severity: Severity, why: string]>> = {
  debugfs: ['escape', 'Drivers and the kernel are controlled through it, with no thought of containers.'],
  tracefs: ['weakness', 'What the kernel and all programs do is traced through it.'],
  securityfs: ['weakness', 'Security modules are configured through it.'],
  efivarfs: ['weakness', "The firmware's variables are changed through it, until the machine starts no more."],
  configfs: ['weakness', 'Drivers of the kernel are configured through it.'],
  bpf: ['weakness', 'Programs and maps of the kernel that others pinned are in it.'],
  pstore: ['weakness', 'Logs of crashed kernels are in it.'],
}
