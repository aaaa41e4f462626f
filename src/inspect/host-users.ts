import { capabilityNames, hasCapability, parseStatusCapabilities } from '../linux/capability.ts'
import type { HostItem, HostSource } from './host-source.ts'

/** What fails for a root that lacks a capability, as far as it isn't plain from the name. */
const CONSEQUENCES: Readonly<Record<string, string>> = {
  CAP_SYS_RESOURCE: 'hard resource limits (--ulimit) and negative out-of-memory scores fail',
  CAP_SYS_ADMIN: 'nothing can be mounted, and namespaces other than user fail',
  CAP_NET_ADMIN: 'no interface, bridge or address can be set up on the host',
  CAP_MKNOD: 'device nodes must be bound from the host',
  CAP_SETFCAP: 'user id 0 can not be mapped into a user namespace, nor file capabilities be unpacked from images',
  CAP_SYS_PTRACE: 'processes of other users can not be entered or looked at',
  CAP_SETPCAP: 'the bounding set of a container can not be cut',
}

const capabilities = (host: HostSource): HostItem => {
  const item = { id: 'capabilities', name: 'capabilities of this process', group: 'users' } as const
  const status = host.read('/proc/self/status')
  const last = Number(host.read('/proc/sys/kernel/cap_last_cap') ?? 40)
  if (status === undefined) {
    return { ...item, state: 'no', detail: '/proc/self/status can not be read', remedy: 'Mount /proc.' }
  }
  const { effective } = parseStatusCapabilities(status)
  const all = capabilityNames((1n << BigInt(last + 1)) - 1n)
  const held = new Set(capabilityNames(effective))
  const missing = all.filter((name) => !held.has(name))
  if (missing.length === 0) return { ...item, state: 'yes', detail: `all ${all.length}` }
  if (host.uid !== 0) {
    const detail = held.size === 0 ? 'none: an ordinary user, so containers are rootless' : [...held].join(', ')
    return { ...item, state: 'limited', detail, remedy: 'Be root for what rootless containers can not do.' }
  }
  const detail = missing
    .map((name) => (CONSEQUENCES[name] === undefined ? name : `${name} (${CONSEQUENCES[name]})`))
    .join(', ')
  const remedy = 'Give them to the service or container in which this shell runs; nothing in it can get them back.'
  return { ...item, state: 'limited', detail: `root lacks ${detail}`, remedy }
}

const findProgram = (host: HostSource, name: string): string | undefined =>
  host.path.map((folder) => `${folder}/${name}`).find((path) => host.exists(path))

/** newuidmap(1), newgidmap(1): they map more than one's own id, for whoever /etc/subuid lists. */
const mappers = (host: HostSource): HostItem => {
  const item = { id: 'id-mapping-programs', name: 'newuidmap, newgidmap', group: 'users' } as const
  const paths = ['newuidmap', 'newgidmap'].map((name) => ({ name, path: findProgram(host, name) }))
  const missing = paths.filter(({ path }) => path === undefined).map(({ name }) => name)
  if (missing.length > 0) {
    const remedy =
      'Install them for rootless containers with more than one user: package uidmap (Debian, Ubuntu), shadow-utils.'
    return { ...item, state: 'no', detail: `not installed: ${missing.join(', ')}`, remedy }
  }
  const weak = paths.flatMap(({ path }) => (path === undefined || host.privileged(path) ? [] : [path]))
  if (weak.length > 0) {
    const detail = `neither set-user-id nor with file capabilities: ${weak.join(', ')}`
    return { ...item, state: 'no', detail, remedy: `chmod u+s ${weak.join(' ')}` }
  }
  return { ...item, state: 'yes', detail: paths.map(({ path }) => path).join(', ') }
}

const userName = (host: HostSource): string | undefined =>
  host
    .read('/etc/passwd')
    ?.split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields[2] === String(host.uid))?.[0]

/** So many ids are needed for an image's usual users: 0 to 65535. */
const ENOUGH = 65_536

/** How many ids a user may map by a file of subordinate ids (subuid(5)). */
const rangeSize = (host: HostSource, file: string, owners: readonly string[]): number =>
  (host.read(file) ?? '')
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([owner = '']) => owners.includes(owner))
    .reduce((sum, [, , count]) => sum + (Number.parseInt(count ?? '', 10) || 0), 0)

const isAllMapped = (host: HostSource): boolean => {
  const status = host.read('/proc/self/status')
  return (
    host.uid === 0 && status !== undefined && hasCapability(parseStatusCapabilities(status).effective, 'CAP_SETUID')
  )
}

const subordinate = (host: HostSource): HostItem => {
  const item = { id: 'subordinate-ids', name: 'subordinate ids', group: 'users' } as const
  if (isAllMapped(host)) return { ...item, state: 'yes', detail: 'root may map any id' }
  const name = userName(host)
  const owners = [String(host.uid), ...(name === undefined ? [] : [name])]
  const [uids, gids] = [rangeSize(host, '/etc/subuid', owners), rangeSize(host, '/etc/subgid', owners)]
  const detail = `${uids} user ids (/etc/subuid), ${gids} group ids (/etc/subgid) for ${name ?? host.uid}`
  if (Math.min(uids, gids) >= ENOUGH) return { ...item, state: 'yes', detail }
  const remedy = `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name ?? 'USER'}, with a range that nobody else has.`
  return { ...item, state: Math.min(uids, gids) === 0 ? 'no' : 'limited', detail, remedy }
}

/** What this user may do, and which ids it may give to a container. */
export const userItems = (host: HostSource): readonly HostItem[] => [
  capabilities(host),
  mappers(host),
  subordinate(host),
]
