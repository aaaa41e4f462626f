import type { Linux } from './linux.ts'
import type { LinuxNamespaceType } from './namespaces.ts'
import type { Mount } from './mount.ts'
import type { Process } from './process.ts'
import type { Spec } from './spec.ts'
import { OCI_VERSION } from './version.ts'

/** What a configuration to begin with depends on. */
export interface DefaultSpecOptions {
  /** The host has nothing but version 2 of control groups: the container sees its own group only. */
  readonly unified: boolean
  /** For an ordinary user: these ids are root's in the container, and nobody else is mapped. */
  readonly rootless?: { readonly uid: number; readonly gid: number } | undefined
}

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

const PROCESS: Process = {
  terminal: true,
  user: { uid: 0, gid: 0 },
  args: ['sh'],
  env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
  cwd: '/',
  capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
  rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
  noNewPrivileges: true,
}

const mount = (destination: string, type: string, source: string, options?: readonly string[]): Mount => ({
  destination,
  type,
  source,
  options,
})

const MOUNTS: readonly Mount[] = [
  mount('/proc', 'proc', 'proc'),
  mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
  mount('/dev/pts', 'devpts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
  mount('/dev/shm', 'tmpfs', 'shm', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']),
  mount('/dev/mqueue', 'mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
  mount('/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', 'ro']),
  mount('/sys/fs/cgroup', 'cgroup', 'cgroup', ['nosuid', 'noexec', 'nodev', 'relatime', 'ro']),
]

/** What of /proc and /sys tells of the host, or lets its hardware be changed, whoever is root in the container. */
const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
  '/proc/scsi',
]

const READONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

const namespaces = (types: readonly LinuxNamespaceType[]): Linux['namespaces'] => types.map((type) => ({ type }))

/**
 * An ordinary user may not mount sysfs without a network namespace of his own, in which there would be no network; and
 * there is no id for the group of terminals.
 */
const forUser = (mounts: readonly Mount[]): readonly Mount[] =>
  mounts.map((each) =>
    each.destination === '/sys'
      ? mount('/sys', 'none', '/sys', ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'])
      : { ...each, options: each.options?.filter((option) => !/^[ug]id=/.test(option)) },
  )

/** A configuration to begin with: a shell in the directory `rootfs`, in a terminal, behind the usual walls. */
export const defaultSpec = ({ unified, rootless }: DefaultSpecOptions): Spec => {
  const walls: Linux = { maskedPaths: MASKED, readonlyPaths: READONLY }
  const own: readonly LinuxNamespaceType[] = unified ? ['cgroup'] : []
  return {
    ociVersion: OCI_VERSION,
    process: PROCESS,
    root: { path: 'rootfs', readonly: true },
    hostname: 'tare',
    mounts: rootless === undefined ? MOUNTS : forUser(MOUNTS),
    linux:
      rootless === undefined
        ? {
            ...walls,
            resources: { devices: [{ allow: false, access: 'rwm' }] },
            namespaces: namespaces(['pid', 'network', 'ipc', 'uts', 'mount', ...own]),
          }
        : {
            ...walls,
            uidMappings: [{ containerID: 0, hostID: rootless.uid, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: rootless.gid, size: 1 }],
            namespaces: namespaces(['pid', 'ipc', 'uts', 'mount', ...own, 'user']),
          },
  }
}
