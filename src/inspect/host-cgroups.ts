import type { CgroupHierarchy, CgroupLayout } from '../linux/cgroup/layout.ts'
import { cgroupDirectory, hierarchyOf, parseCgroupMounts, parseCgroupPaths } from '../linux/cgroup/layout.ts'
import type { HostItem, HostSource } from './host-source.ts'
import { isAtLeast, readWords } from './host-source.ts'

/** What this process sees of control groups. */
interface View extends CgroupLayout {
  /** The directory of this process's group in a hierarchy. */
  own(hierarchy: CgroupHierarchy): string | undefined
}

const view = (host: HostSource): View => {
  const mounts = parseCgroupMounts(host.read('/proc/self/mountinfo') ?? '')
  const paths = parseCgroupPaths(host.read('/proc/self/cgroup') ?? '')
  const own = (hierarchy: CgroupHierarchy): string | undefined =>
    cgroupDirectory(hierarchy, paths.get(hierarchy.name) ?? '/')
  const hierarchies = mounts.map((hierarchy): CgroupHierarchy => {
    if (hierarchy.version === 1) return hierarchy
    // Root hands out what the whole host has; an ordinary user only what it was handed itself.
    const directory = host.uid === 0 ? hierarchy.mountPoint : (own(hierarchy) ?? hierarchy.mountPoint)
    return { ...hierarchy, controllers: readWords(host, `${directory}/cgroup.controllers`) ?? [] }
  })
  const [v1, v2] = [1, 2].map((version) => hierarchies.some((each) => each.version === version))
  const kind = v1 === true ? (v2 === true ? 'hybrid' : 'v1') : v2 === true ? 'v2' : 'none'
  return { kind, hierarchies, own }
}

const layout = ({ kind, hierarchies }: View): HostItem => {
  const item = { id: 'cgroup-layout', name: 'cgroup layout', group: 'cgroups' } as const
  const [first] = hierarchies
  if (first === undefined) {
    return { ...item, state: 'no', detail: 'none is mounted', remedy: 'mount -t cgroup2 none /sys/fs/cgroup' }
  }
  if (kind === 'v2') return { ...item, state: 'yes', detail: `version 2 at ${first.mountPoint}` }
  const remedy = 'For what version 1 lacks (pressure, delegation, kill): boot with systemd.unified_cgroup_hierarchy=1.'
  const detail = kind === 'v1' ? 'version 1' : 'version 1 and 2 side by side'
  return { ...item, state: 'limited', detail: `${detail}, ${hierarchies.length} hierarchies`, remedy }
}

/** Whether the kernel has a controller that is switched off (`cgroup_disable=`): the last column is 0. */
const isDisabled = (host: HostSource, name: string): boolean =>
  new RegExp(`^${name}\\s+\\d+\\s+\\d+\\s+0$`, 'm').test(host.read('/proc/cgroups') ?? '')

const CONTROLLERS: Readonly<Record<string, string>> = {
  cpu: 'processor time (--cpus)',
  cpuset: 'choice of processors (--cpuset-cpus)',
  memory: 'memory (--memory)',
  io: 'block I/O (--device-read-bps …)',
  pids: 'number of processes (--pids-limit)',
  devices: 'devices (--device)',
  freezer: 'pause',
}

const DELEGATE =
  'Write "[Service]", "Delegate=cpu cpuset io memory pids" into /etc/systemd/system/user@.service.d/delegate.conf, then log in anew.'

const mayWrite = (host: HostSource, groups: View, hierarchy: CgroupHierarchy): boolean => {
  const directory = groups.own(hierarchy) ?? hierarchy.mountPoint
  return host.writable(directory) && host.writable(`${directory}/cgroup.procs`)
}

const controller = (host: HostSource, groups: View, name: string): HostItem => {
  const item = { id: `cgroup-${name}`, name: CONTROLLERS[name] ?? name, group: 'cgroups' } as const
  const hierarchy = hierarchyOf(groups, name)
  if (hierarchy !== undefined) {
    if (name === 'devices' && hierarchy.version === 2 && host.uid !== 0) {
      const detail = 'takes a BPF program, which an ordinary user may not load'
      return { ...item, state: 'limited', detail, remedy: 'Nothing to do: rootless containers can not make devices.' }
    }
    const detail = `version ${hierarchy.version} at ${hierarchy.mountPoint}`
    if (mayWrite(host, groups, hierarchy)) return { ...item, state: 'yes', detail }
    return { ...item, state: 'no', detail: `${detail}, which may not be written`, remedy: 'See cgroups of this user.' }
  }
  const old = name === 'io' ? 'blkio' : name
  const v2 = groups.hierarchies.find(({ version }) => version === 2)
  if (isDisabled(host, old)) {
    return { ...item, state: 'no', detail: 'switched off at boot', remedy: `Boot with cgroup_enable=${old}.` }
  }
  const whole = v2 === undefined ? [] : (readWords(host, `${v2.mountPoint}/cgroup.controllers`) ?? [])
  if (host.uid !== 0 && whole.includes(name)) {
    return { ...item, state: 'no', detail: 'not delegated to this user', remedy: DELEGATE }
  }
  const remedy =
    groups.kind === 'v2'
      ? 'Use a kernel that has the controller.'
      : `Use a kernel that has the controller, or mount it: mount -t cgroup -o ${old} none /sys/fs/cgroup/${old}`
  return { ...item, state: 'no', detail: `no mounted hierarchy has ${old}`, remedy }
}

/** Whether this process may make groups of its own. */
const delegation = (host: HostSource, groups: View): HostItem => {
  const item = { id: 'cgroup-delegation', name: 'cgroups of this user', group: 'cgroups' } as const
  const directoryOf = (hierarchy: CgroupHierarchy): string => groups.own(hierarchy) ?? hierarchy.mountPoint
  const directories = groups.hierarchies.map(directoryOf)
  const writable = groups.hierarchies.filter((hierarchy) => mayWrite(host, groups, hierarchy)).map(directoryOf)
  if (directories.length > 0 && writable.length === directories.length) {
    return { ...item, state: 'yes', detail: host.uid === 0 ? 'root may make them anywhere' : `below ${writable[0]}` }
  }
  if (host.uid === 0) {
    const readOnly = directories.filter((path) => !writable.includes(path))
    const detail = directories.length === 0 ? 'no hierarchy is mounted' : `read-only: ${readOnly.join(', ')}`
    const state = writable.length === 0 ? 'no' : 'limited'
    return { ...item, state, detail, remedy: 'Mount them for writing: mount -o remount,rw PATH' }
  }
  const v2 = groups.hierarchies.find(({ version }) => version === 2)
  if (v2 === undefined || groups.kind !== 'v2') {
    const detail = 'version 1 is not delegated to ordinary users'
    return { ...item, state: 'no', detail, remedy: 'Be root, or boot with systemd.unified_cgroup_hierarchy=1.' }
  }
  const manager = `${v2.mountPoint}/user.slice/user-${host.uid}.slice/user@${host.uid}.service`
  if (host.writable(manager)) {
    const remedy = 'systemd-run --user --scope -p Delegate=yes tare ...'
    return { ...item, state: 'limited', detail: `${manager} is this user's, but this process is outside of it`, remedy }
  }
  const remedy =
    'Log in through systemd (loginctl enable-linger USER), or have an administrator give you a group: chown -R.'
  return { ...item, state: 'no', detail: 'this process may not write its own group', remedy }
}

const kill = (host: HostSource, groups: View): HostItem => {
  const item = { id: 'cgroup-kill', name: 'kill of a whole group', group: 'cgroups' } as const
  if (!groups.hierarchies.some(({ version }) => version === 2)) {
    const remedy = 'Nothing to do: groups are frozen and killed process by process.'
    return { ...item, state: 'no', detail: 'version 1 has no cgroup.kill', remedy }
  }
  if (isAtLeast(host.release, 5, 14)) return { ...item, state: 'yes', detail: 'cgroup.kill' }
  return { ...item, state: 'no', detail: 'no cgroup.kill in this kernel', remedy: 'Use Linux 5.14 or newer.' }
}

const swap = (host: HostSource, groups: View): HostItem => {
  const item = { id: 'swap-accounting', name: 'swap (--memory-swap)', group: 'cgroups' } as const
  const hierarchy = hierarchyOf(groups, 'memory')
  if (hierarchy === undefined) {
    return { ...item, state: 'no', detail: 'no memory controller', remedy: 'See memory.' }
  }
  // The root group of version 2 has no limits, so another one must be looked at.
  const own = groups.own(hierarchy) ?? hierarchy.mountPoint
  const places =
    hierarchy.version === 1
      ? [`${hierarchy.mountPoint}/memory.memsw.limit_in_bytes`]
      : [own, ...['init.scope', 'system.slice', 'user.slice'].map((name) => `${hierarchy.mountPoint}/${name}`)].map(
          (directory) => `${directory}/memory.swap.max`,
        )
  const total = /^SwapTotal:\s*(\d+) kB$/m.exec(host.read('/proc/meminfo') ?? '')?.[1] ?? '0'
  const swapText = total === '0' ? 'this host has no swap' : `this host has ${total} KiB of swap`
  if (places.some((path) => host.exists(path))) return { ...item, state: 'yes', detail: `accounted for; ${swapText}` }
  if (hierarchy.version === 2 && host.exists('/proc/swaps') && isAtLeast(host.release, 6, 1)) {
    return { ...item, state: 'yes', detail: `accounted for by every kernel since 6.1; ${swapText}` }
  }
  return { ...item, state: 'no', detail: `not accounted for; ${swapText}`, remedy: 'Boot with swapaccount=1.' }
}

/** What can be limited, and by whom. */
export const cgroupItems = (host: HostSource): readonly HostItem[] => {
  const groups = view(host)
  return [
    layout(groups),
    delegation(host, groups),
    ...Object.keys(CONTROLLERS).map((name) => controller(host, groups, name)),
    swap(host, groups),
    kill(host, groups),
  ]
}
