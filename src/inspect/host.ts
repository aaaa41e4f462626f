import { cgroupItems } from './host-cgroups.ts'
import { mountItems } from './host-mounts.ts'
import { namespaceItems } from './host-namespaces.ts'
import { securityItems } from './host-security.ts'
import type { HostGroup, HostItem, HostSource } from './host-source.ts'
import { thisHost } from './host-source.ts'
import { processItems, systemItems } from './host-system.ts'
import { userItems } from './host-users.ts'

export type { HostGroup, HostItem } from './host-source.ts'

/** The groups of {@link hostInfo}'s items, in their order. */
export const HOST_GROUPS: readonly HostGroup[] = [
  'host',
  'namespaces',
  'users',
  'cgroups',
  'mounts',
  'processes',
  'security',
]

/** The items of a host that answers through `host`. */
export const hostItems = (host: HostSource): readonly HostItem[] => [
  ...systemItems(host),
  ...namespaceItems(host),
  ...userItems(host),
  ...cgroupItems(host),
  ...mountItems(host),
  ...processItems(host),
  ...securityItems(host),
]

/**
 * What this host can do for containers started by this process, what it can't, and what to do about that. Looks only:
 * reads files of the kernel's and makes system calls with arguments that they refuse. Takes a few milliseconds, in
 * which it holds up the event loop.
 *
 * @throws TareError if the native addon can't be used.
 */
export const hostInfo = (): readonly HostItem[] => hostItems(thisHost())
