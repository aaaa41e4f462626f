import { InputError } from '../error.ts'
import { readFile, readIfThere } from './file.ts'

/** One mounted hierarchy of control groups (cgroups(7)). */
export interface CgroupHierarchy {
  readonly version: 1 | 2
  /** As in /proc/PID/cgroup, its controllers sorted: `cpu,cpuacct`, `name=systemd`; `unified` for version 2. */
  readonly name: string
  readonly controllers: readonly string[]
  readonly mountPoint: string
  /** The group of the hierarchy that is seen at the mount point; `/` unless a part of it was mounted. */
  readonly root: string
}

/** Where this host's control groups are. `hybrid` has version 1 and 2 mounted side by side. */
export interface CgroupLayout {
  readonly kind: 'v1' | 'v2' | 'hybrid' | 'none'
  readonly hierarchies: readonly CgroupHierarchy[]
  /** Version 1's controllers that the kernel has, and whether each is switched on: for advice on one that isn't mounted. */
  readonly kernelControllers?: () => ReadonlyMap<string, boolean>
}

/** Where a process is, by the name of the hierarchy: `memory` → `/user/1`, `unified` → `/init.scope`. */
export type CgroupPaths = ReadonlyMap<string, string>

/** Options of a version 1 mount that are no controllers. */
const OPTIONS = ['rw', 'ro', 'noprefix', 'clone_children', 'xattr', 'cpuset_v2_mode', 'none', 'favordynmods']

/** What every group of version 2 can do without a controller being enabled for it. */
const ALWAYS_IN_V2 = ['freezer', 'devices', 'perf_event', 'cpuacct']

const unescape = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

const hierarchyName = (controllers: readonly string[]): string => controllers.toSorted().join(',')

const parseMount = (line: string): CgroupHierarchy | undefined => {
  const [before, after] = line.split(' - ', 2)
  const [, , , root = '/', mountPoint = ''] = before?.split(' ') ?? []
  const [type, , superOptions = ''] = after?.split(' ') ?? []
  const place = { root: unescape(root), mountPoint: unescape(mountPoint) }
  if (type === 'cgroup2') return { version: 2, name: 'unified', controllers: [], ...place }
  if (type !== 'cgroup') return undefined
  const controllers = superOptions
    .split(',')
    .filter((word) => !OPTIONS.includes(word) && !word.startsWith('release_agent='))
  return { version: 1, name: hierarchyName(controllers), controllers, ...place }
}

/**
 * The hierarchies in the text of a mountinfo file (proc_pid_mountinfo(5)), each once: the mount that shows most of it.
 * The controllers of version 2 are not in there.
 */
export const parseCgroupMounts = (mountinfo: string): readonly CgroupHierarchy[] => {
  const found = new Map<string, CgroupHierarchy>()
  for (const line of mountinfo.split('\n')) {
    const hierarchy = parseMount(line)
    if (hierarchy === undefined) continue
    const known = found.get(hierarchy.name)
    if (known === undefined || (known.root !== '/' && hierarchy.root === '/')) found.set(hierarchy.name, hierarchy)
  }
  return [...found.values()]
}

const layoutKind = (hierarchies: readonly CgroupHierarchy[]): CgroupLayout['kind'] => {
  const v1 = hierarchies.some(({ version }) => version === 1)
  const v2 = hierarchies.some(({ version }) => version === 2)
  if (v1) return v2 ? 'hybrid' : 'v1'
  return v2 ? 'v2' : 'none'
}

/** Reads where this process sees control groups mounted, and which controllers each hierarchy has. */
export const readCgroupLayout = (): CgroupLayout => {
  const hierarchies = parseCgroupMounts(readFile('/proc/self/mountinfo')).map((hierarchy): CgroupHierarchy => {
    if (hierarchy.version === 1) return hierarchy
    const controllers = readIfThere(`${hierarchy.mountPoint}/cgroup.controllers`) ?? ''
    return { ...hierarchy, controllers: controllers.split(/\s+/).filter((word) => word !== '') }
  })
  return { kind: layoutKind(hierarchies), hierarchies, kernelControllers }
}

/** /proc/cgroups: name, hierarchy, number of groups, enabled. */
const kernelControllers = (): ReadonlyMap<string, boolean> =>
  new Map(
    (readIfThere('/proc/cgroups') ?? '').split('\n').flatMap((line): readonly (readonly [string, boolean])[] => {
      const match = /^(\w+)\t\d+\t\d+\t([01])$/.exec(line)
      return match === null ? [] : [[match[1] ?? '', match[2] === '1']]
    }),
  )

/** The text of /proc/PID/cgroup (cgroups(7)): the group's path in each hierarchy, by the hierarchy's name. */
export const parseCgroupPaths = (text: string): CgroupPaths => {
  const paths = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^(\d+):([^:]*):(.*)$/s.exec(line)
    if (match === null) continue
    const [, , controllers = '', path = '/'] = match
    paths.set(controllers === '' ? 'unified' : hierarchyName(controllers.split(',')), path)
  }
  return paths
}

/** The groups that a process is in, seen from the caller's cgroup namespace. Throws if there is no such process. */
export const readCgroupOf = (pid: number | 'self'): CgroupPaths => parseCgroupPaths(readFile(`/proc/${pid}/cgroup`))

/** The directory of a group given by its path in the hierarchy; undefined if no mount here shows it. */
export const cgroupDirectory = (hierarchy: CgroupHierarchy, path: string): string | undefined => {
  if (path.split('/').includes('..')) return undefined
  const { root, mountPoint } = hierarchy
  const below =
    root === '/' ? path : path === root ? '' : path.startsWith(`${root}/`) ? path.slice(root.length) : undefined
  return below === undefined ? undefined : (mountPoint + below).replace(/\/+$/, '')
}

/**
 * The hierarchy that has a controller, by version 2's name for it (`io`, which version 1 calls `blkio`). A controller
 * is in one hierarchy at most. What version 2 has built in counts, unless a version 1 hierarchy has it.
 */
export const hierarchyOf = (layout: CgroupLayout, controller: string): CgroupHierarchy | undefined => {
  const old = controller === 'io' ? 'blkio' : controller
  const v1 = layout.hierarchies.find(({ version, controllers }) => version === 1 && controllers.includes(old))
  if (v1 !== undefined) return v1
  const v2 = layout.hierarchies.find(({ version }) => version === 2)
  const has = v2?.controllers.includes(controller) || ALWAYS_IN_V2.includes(controller) || controller === 'unified'
  return has ? v2 : undefined
}

/** As {@link hierarchyOf}, but throws {@link InputError} naming what was wanted of a controller that isn't here. */
export const requireHierarchy = (layout: CgroupLayout, controller: string, what: string): CgroupHierarchy => {
  const hierarchy = hierarchyOf(layout, controller)
  if (hierarchy !== undefined) return hierarchy
  throw new InputError({
    operation: what,
    reason: `no mounted cgroup hierarchy has the ${controller} controller`,
    hint: absentHint(layout, controller),
  })
}

/** What to do about a controller that isn't here: mount it, if the kernel has it. */
const absentHint = (layout: CgroupLayout, controller: string): string => {
  const all = layout.hierarchies.flatMap(({ controllers }) => controllers)
  const here = [...new Set(all)].filter((name) => !name.startsWith('name=')).join(', ')
  const old = controller === 'io' ? 'blkio' : controller
  const enabled = layout.kernelControllers?.().get(old)
  const successor =
    controller === 'net_cls' && layout.kind !== 'v1'
      ? ' Or let the packet filter match the group itself: socket cgroupv2 in nft(8).'
      : ''
  if (enabled === false) return `The kernel was started without it: boot with cgroup_enable=${old}.`
  if (enabled === true) {
    const directory = `/sys/fs/cgroup/${old}`
    return `The kernel has it: mount it with "mkdir ${directory}; mount -t cgroup -o ${old} ${old} ${directory}".${successor}`
  }
  return here === ''
    ? 'Mount a cgroup hierarchy.'
    : `This host has ${here}; leave this limit out or mount the controller.${successor}`
}
