import { parseMountinfo } from '../linux/mountinfo.ts'
import type { HostItem, HostSource } from './host-source.ts'
import { callsItem, isAtLeast } from './host-source.ts'

const mountApi = (host: HostSource): HostItem =>
  callsItem(
    { id: 'mount-api', name: 'mounts by descriptor', group: 'mounts' },
    host,
    // The ones that look at their arguments before privileges; a kernel with the last has fsopen(2) and the rest too.
    [
      ['open_tree', -1, null, 0],
      ['fsconfig', -1, 0, null, null, 0],
      ['mount_setattr', -1, null, 0, null, 0],
    ],
    '5.12',
  )

const openat2 = (host: HostSource): HostItem =>
  callsItem(
    { id: 'openat2', name: 'paths that stay below a root', group: 'mounts' },
    host,
    [['openat2', -1, null, null, 0]],
    '5.6',
  )

/** File systems in the kernel, or as a module of it that is loaded on demand. */
const hasFilesystem = (host: HostSource, name: string): boolean => {
  const loaded = host.read('/proc/filesystems') ?? ''
  if (loaded.split('\n').some((line) => line.split('\t').at(-1) === name)) return true
  const modules = host.read(`/lib/modules/${host.release}/modules.dep`) ?? ''
  return new RegExp(`/${name}\\.ko[.a-z0-9]*:`, 'm').test(modules)
}

const overlay = (host: HostSource): HostItem => {
  const item = { id: 'overlay', name: 'overlayfs', group: 'mounts' } as const
  if (!hasFilesystem(host, 'overlay')) {
    const remedy = 'modprobe overlay, or use a kernel built with CONFIG_OVERLAY_FS. Without it layers are copied.'
    return { ...item, state: 'no', detail: 'not in this kernel', remedy }
  }
  if (isAtLeast(host.release, 5, 11)) return { ...item, state: 'yes', detail: 'in user namespaces too' }
  return {
    ...item,
    state: 'limited',
    detail: 'for root only',
    remedy: 'Use Linux 5.11 or newer for rootless overlays.',
  }
}

/** From which release on which file systems can be mounted with ids mapped (mount_setattr(2)). */
const IDMAPPED: readonly (readonly [major: number, minor: number, names: string])[] = [
  [5, 12, 'ext4, vfat'],
  [5, 13, 'xfs'],
  [5, 15, 'btrfs'],
  [5, 18, 'f2fs'],
  [5, 19, 'erofs, overlay'],
  [6, 3, 'tmpfs'],
]

const idmapped = (host: HostSource): HostItem => {
  const item = { id: 'idmapped-mounts', name: 'idmapped mounts', group: 'mounts' } as const
  const names = IDMAPPED.filter(([major, minor]) => isAtLeast(host.release, major, minor)).map(([, , each]) => each)
  if (names.length === 0)
    return { ...item, state: 'no', detail: 'not in this kernel', remedy: 'Use Linux 5.12 or newer.' }
  const detail = `of ${names.join(', ')}`
  if (host.uid === 0) return { ...item, state: 'yes', detail }
  const remedy = 'Be root, or let files have the ids that /etc/subuid gives.'
  return { ...item, state: 'limited', detail: `${detail}; not of what the host mounted, for an ordinary user`, remedy }
}

/** Directories in /proc that are there to be mounted on: what covers them hides nothing. */
const MOUNT_POINTS = ['/proc/sys/fs/binfmt_misc', '/proc/fs/nfsd', '/proc/openprom']

/**
 * A user namespace may mount a proc of its own only where it sees one with nothing mounted over parts of it
 * (mount_too_revealing in fs/namespace.c): a container in a container mostly doesn't.
 */
const proc = (host: HostSource): HostItem => {
  const item = { id: 'fresh-proc', name: 'a new /proc in a user namespace', group: 'mounts' } as const
  const covered = parseMountinfo(host.read('/proc/self/mountinfo') ?? '')
    .map(({ mountPoint }) => mountPoint)
    .filter((path) => path.startsWith('/proc/') && !MOUNT_POINTS.includes(path))
  if (covered.length === 0) return { ...item, state: 'yes', detail: 'nothing is mounted over parts of /proc' }
  const detail = `mounted over: ${[...new Set(covered)].join(', ')}`
  const remedy = 'Start the surrounding container with its /proc unmasked; root outside a user namespace needs nothing.'
  return { ...item, state: 'limited', detail, remedy }
}

const device = (host: HostSource, item: Pick<HostItem, 'id' | 'name'>, path: string, module: string): HostItem => {
  const common = { ...item, group: 'mounts' } as const
  if (!host.exists(path)) {
    return { ...common, state: 'no', detail: `${path} is missing`, remedy: `modprobe ${module}` }
  }
  if (host.writable(path)) return { ...common, state: 'yes', detail: path }
  return { ...common, state: 'no', detail: `${path} may not be opened by this user`, remedy: `chmod 0666 ${path}` }
}

/** What root file systems are put together with, and two devices that stand in where the kernel's own way is closed. */
export const mountItems = (host: HostSource): readonly HostItem[] => [
  mountApi(host),
  openat2(host),
  overlay(host),
  idmapped(host),
  proc(host),
  device(host, { id: 'fuse', name: 'FUSE' }, '/dev/fuse', 'fuse'),
  device(host, { id: 'tun', name: 'TUN (rootless networks)' }, '/dev/net/tun', 'tun'),
]
