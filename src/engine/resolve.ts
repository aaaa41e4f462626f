import { InputError } from '../linux/error.ts'
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from '../linux/mount-flags.ts'
import { capabilitySet, hasCapability } from '../linux/capability.ts'
import { cgroupParent } from '../linux/cgroup/parent.ts'
import { cgroupWrites } from '../linux/cgroup/writes.ts'
import { idOutside } from '../linux/idmap.ts'
import { readPlanHost } from '../runtime/host.ts'
import { cgroupLeaf } from '../runtime/stale-cgroups.ts'
import type { PlanHost } from '../runtime/plan/context.ts'
import type { CgroupSpec, ContainerSpec, Mount, UserNamespace } from '../runtime/spec.ts'
import { DEVICE_RULES, resolveDevices, withDefaults } from './devices.ts'
import type { ContainerOptions, ProgramOptions } from './options.ts'
import { resolveLimits } from './resolve-limits.ts'
import { resolveMounts } from './resolve-mounts.ts'
import { checkNetwork, nameServersFor, networkFiles } from './resolve-network.ts'
import { resolveCapabilities, resolveEnv, resolveRlimits, resolveSeccomp } from './resolve-process.ts'
import { resolveRoot, rootPath, rootSize } from './resolve-root.ts'
import type { ResolvedUser } from './resolve-user.ts'
import { resolveUser } from './resolve-user.ts'
import { resolveUserNamespace } from './resolve-user-namespace.ts'

/** What of /proc and /sys tells of the host or reaches into it: what docker, podman and containerd hide. */
const MASKED: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
]
const READ_ONLY: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** What stays writable in a read-only root. */
const WRITABLE = ['/tmp', '/run', '/var/tmp'] as const

export interface Resolved {
  readonly spec: ContainerSpec
  readonly host: PlanHost
  readonly user: ResolvedUser
}

export const checkCommand = (command: readonly string[]): readonly string[] => {
  if (!Array.isArray(command) || command.length === 0 || command[0] === '')
    throw new InputError({ operation: 'run', reason: 'there is no command', hint: "Give it as a list: ['ls', '-l']." })
  for (const word of command)
    if (typeof word !== 'string' || word.includes('\0'))
      throw new InputError({
        operation: 'run',
        target: JSON.stringify(command[0]),
        reason: 'a word of the command is no text without NUL characters',
      })
  return command
}

export const resolveArgv0 = (argv0: string | undefined): string | undefined =>
  argv0 === undefined ? undefined : checkCommand([argv0])[0]

const checkHostname = (name: string): string => {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/.test(name)) return name
  throw new InputError({
    operation: 'use host name',
    target: JSON.stringify(name),
    reason: 'it is at most 64 letters, digits, "-" and "."',
  })
}

/** What a container is called that was given no name: 48 bits at random. */
export const newName = (): string =>
  Math.floor(Math.random() * 2 ** 48)
    .toString(16)
    .padStart(12, '0')

/** Throws if a user or group has no id outside. */
export const checkMapped = (userNamespace: UserNamespace, { uid, gid, groups }: ResolvedUser): void => {
  if (userNamespace.kind === 'host') return
  const hint = 'Map it (uidMappings, gidMappings), or use a range of ids: userns auto.'
  if (idOutside(userNamespace.uids, uid) === undefined)
    throw new InputError({
      operation: 'run as user',
      target: String(uid),
      reason: 'the id is not mapped in the container',
      hint,
    })
  for (const group of [gid, ...groups])
    if (idOutside(userNamespace.gids, group) === undefined)
      throw new InputError({
        operation: 'run as group',
        target: String(group),
        reason: 'the id is not mapped in the container',
        hint,
      })
}

/** A directory of the host in which what root of the container makes is the host's root's. */
const isRootsOwn = (mount: Mount): boolean =>
  mount.kind === 'bind' && mount.idmap && (mount.attributes & MOUNT_ATTR_RDONLY) === 0

const resolveCgroup = (
  options: ContainerOptions,
  host: PlanHost,
  name: string,
  deviceNodes: boolean,
): CgroupSpec | undefined => {
  const asked = resolveLimits(options)
  // Who may make device nodes needs a limit on which of them work.
  const limits = deviceNodes ? { ...asked, devices: asked?.devices ?? DEVICE_RULES } : asked
  if (limits === undefined) return undefined
  if (host.cgroups === undefined) return { name, limits }
  const controllers = [...new Set(cgroupWrites(host.cgroups, limits).map(({ controller }) => controller))]
  return { name: `${cgroupParent(host.cgroups, controllers)}/${name}`, limits }
}

/** Turns options into a container decided in full. `boots`: its program is the system's own init. Throws {@link InputError}; nothing has happened then. */
export const resolveContainer = (
  command: readonly string[],
  options: ContainerOptions & ProgramOptions,
  { boots = false }: { readonly boots?: boolean } = {},
): Resolved => {
  const tty = options.tty !== undefined && options.tty !== false
  const userns = options.userns === 'host'
  const capabilitiesAsked = capabilitySet((options.capAdd ?? []).filter((word) => word.toUpperCase() !== 'ALL'))
  const deviceNodes =
    userns &&
    (hasCapability(capabilitiesAsked, 'CAP_MKNOD') ||
      (options.capAdd ?? []).some((word) => word.toUpperCase() === 'ALL'))
  const host = readPlanHost({ cgroups: deviceNodes || resolveLimits(options) !== undefined })
  const user = resolveUser(options.user ?? 0, options.groups ?? [], rootPath(options.rootfs))
  const more = user.uid !== 0 || user.gid !== 0 || user.groups.length > 0
  const userNamespace = resolveUserNamespace(options, host, { more })
  checkMapped(userNamespace, user)
  const name = newName()
  const hostname = checkHostname(options.hostname ?? name)
  const network = checkNetwork(options, host.privileged)
  const rootfs = resolveRoot(options, user, hostname, host.privileged, nameServersFor(options))
  const readOnlyRoot = options.readOnly ?? false
  const writable: readonly Mount[] = readOnlyRoot
    ? WRITABLE.map((target) => ({
        kind: 'filesystem',
        type: 'tmpfs',
        target,
        attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
        options: [
          ['mode', target === '/run' ? '755' : '1777'],
          ['size', String(rootSize(options))],
        ],
      }))
    : []
  const capabilities = resolveCapabilities(options, user)
  const given = resolveMounts(options.mounts ?? [], rootSize(options))
  const files = networkFiles(options, hostname, boots).filter(
    ({ target }) => !given.some((mount) => mount.target === target),
  )
  const mounts = [...rootfs.mounts, ...writable, ...given, ...files]
  const spec: ContainerSpec = {
    root: rootfs.root,
    readOnlyRoot,
    mounts,
    devices: withDefaults(resolveDevices(options.devices ?? [])),
    process: {
      args: command,
      argv0: resolveArgv0(options.argv0),
      env: resolveEnv(options.env, user, { hostname, tty }),
      cwd: checkWorkdir(options.workdir ?? '/'),
      uid: user.uid,
      gid: user.gid,
      groups: user.groups,
      umask: checkUmask(options.umask ?? 0o022),
      capabilities,
      noNewPrivileges: options.noNewPrivileges ?? true,
      rlimits: resolveRlimits(options.ulimits),
      terminal: tty,
      size: typeof options.tty === 'object' ? options.tty : undefined,
      init: options.init ?? true,
      newKeyring: options.seccomp !== undefined && options.seccomp !== 'default',
      seccomp: resolveSeccomp(options.seccomp, capabilities.bounding, !(host.privileged && mounts.some(isRootsOwn))),
    },
    hostname,
    userNamespace,
    network,
    sysctls: Object.entries(options.sysctls ?? {}).map(([key, value]) => [checkSysctl(key, options), String(value)]),
    maskedPaths: MASKED,
    readonlyPaths: READ_ONLY,
    cgroup: resolveCgroup(options, host, cgroupLeaf(name), deviceNodes),
  }
  return { spec, host, user }
}

export const checkWorkdir = (path: string): string => {
  if (path.startsWith('/') && !path.includes('\0')) return path
  throw new InputError({
    operation: 'use workdir',
    target: JSON.stringify(path),
    reason: 'it is not an absolute path in the container',
  })
}

const checkUmask = (umask: number): number => {
  if (Number.isInteger(umask) && umask >= 0 && umask <= 0o777) return umask
  throw new InputError({ operation: 'use umask', target: String(umask), reason: 'it is 0 to 0o777' })
}

/** Those of the ipc namespace by name; all of net.* (namespaces(7)). */
const IPC_SYSCTLS = /^(?:kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\.\w+)$/

const checkSysctl = (name: string, { network }: ContainerOptions): string => {
  const operation = 'set the sysctl'
  if (!/^[\w-]+(?:[./][\w-]+)+$/.test(name))
    throw new InputError({
      operation,
      target: JSON.stringify(name),
      reason: 'it is not a name such as net.ipv4.ip_forward',
    })
  const dotted = name.includes('.') ? name : name.replaceAll('/', '.')
  if (dotted.startsWith('net.')) {
    if (network !== 'host') return dotted
    throw new InputError({
      operation,
      target: name,
      reason: "the network is the host's",
      hint: 'Use network none or veth.',
    })
  }
  if (IPC_SYSCTLS.test(dotted)) return dotted
  throw new InputError({
    operation,
    target: name,
    reason: 'it belongs to the whole host',
    hint: 'A container has net.*, kernel.sem, kernel.msg*, kernel.shm* and fs.mqueue.* of its own.',
  })
}
