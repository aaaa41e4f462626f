import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { InputError } from '../linux/error.ts'
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from '../linux/mount-flags.ts'
import { parseIpAddress } from '../linux/netlink/ip-address.ts'
import { HostLink } from '../network/host-link.ts'
import { nameServerFile } from '../network/name-servers.ts'
import type { PublishedPort } from '../network/published-port.ts'
import { describePort, parsePublishedPort } from '../network/published-port.ts'
import type { SystemTree } from '../rootfs/system-tree.ts'
import { withTree } from '../rootfs/system-tree.ts'
import type { ContainerSpec, Mount, Network } from '../runtime/spec.ts'
import type { ContainerOptions } from './options.ts'
import { rootPath } from './resolve-root.ts'

const RESOLV_CONF = '/etc/resolv.conf'

/** Options of a network of its own with a link. */
export type NetworkOptions = Pick<ContainerOptions, 'network' | 'publish' | 'ip' | 'dns'>

const NETWORKS: readonly string[] = ['none', 'host', 'veth'] satisfies readonly Network[]

const isNetwork = (network: string): network is Network => NETWORKS.includes(network)

const checkPorts = (publish: readonly (string | PublishedPort)[]): readonly PublishedPort[] => {
  const ports = publish.map(parsePublishedPort)
  for (const [index, { hostPort, hostAddress, transport = 'tcp' }] of ports.entries()) {
    const twice = ports
      .slice(0, index)
      .find(
        (other) =>
          other.hostPort === hostPort &&
          (other.transport ?? 'tcp') === transport &&
          (other.hostAddress === hostAddress || other.hostAddress === undefined || hostAddress === undefined),
      )
    if (twice !== undefined)
      throw new InputError({
        operation: 'publish the port',
        target: String(hostPort),
        reason: `it is given twice, the other time as ${describePort(twice)}`,
      })
  }
  return ports
}

/** The network that options ask for, all of them checked. Throws {@link InputError}. */
export const checkNetwork = (options: NetworkOptions, privileged: boolean): Network => {
  const { network = 'none', publish = [], ip, dns = [] } = options
  if (!isNetwork(network))
    throw new InputError({
      operation: 'use network',
      target: JSON.stringify(network),
      reason: 'it is none, host or veth',
    })
  if (network !== 'veth') {
    const needless = publish.length > 0 ? 'publish' : ip !== undefined ? 'ip' : dns.length > 0 ? 'dns' : undefined
    if (needless === undefined) return network
    throw new InputError({
      operation: `use ${needless}`,
      reason: network === 'none' ? 'the container has no link to anywhere' : "the network is the host's",
      hint: 'Choose the network veth.',
    })
  }
  if (!privileged)
    throw new InputError({
      operation: 'use network veth',
      reason: "only the host's root may make links on it",
      hint: 'Run tare as root, or use the network none or host.',
    })
  checkPorts(publish)
  for (const address of dns) parseIpAddress(address)
  return network
}

/** What goes at /etc/resolv.conf, by which options it is; undefined for nothing. */
export const nameServersFor = ({ network, dns = [] }: NetworkOptions): string | undefined => {
  if (network === 'veth') return nameServerFile(dns)
  if (network !== 'host') return undefined
  try {
    return readFileSync(RESOLV_CONF, 'utf8')
  } catch {
    // Without the file the resolver asks the local host, in the container as outside (resolv.conf(5)).
    return ''
  }
}

/** The container's link to the host, reserved; undefined where it has none. Throws {@link InputError}, {@link TareError}. */
export const reserveLink = ({ network, hostname }: ContainerSpec, options: NetworkOptions): HostLink | undefined =>
  network === 'veth'
    ? new HostLink({ hostname, ports: (options.publish ?? []).map(parsePublishedPort), address: options.ip })
    : undefined

const HOSTS = '/etc/hosts'
const READ_ONLY = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC

const file = (target: string, content: string): Mount => ({ kind: 'file', target, content, attributes: READ_ONLY })

/**
 * Where a system's /etc/resolv.conf is: there, or where it leads, which would be if what makes it were running. A link
 * into what is the kernel's is no place for it.
 */
export const resolvConfPath = (tree: SystemTree): string | undefined => {
  const link = tree.link(RESOLV_CONF)
  const target = link === undefined ? RESOLV_CONF : posix.resolve('/etc', link)
  return /^\/(?:dev|proc|sys)(?:\/|$)/.test(target) ? undefined : target
}

const names = (text: string): readonly string[] =>
  text.split('\n').flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1))

/** /etc/hosts with the container's own name, where a tree's has it not; nothing else tells it. */
const hostsMount = (tree: SystemTree, hostname: string): readonly Mount[] => {
  const text = tree.read(HOSTS) ?? '127.0.0.1\tlocalhost\n::1\tlocalhost\n'
  return names(text).includes(hostname) ? [] : [file(HOSTS, `${text.replace(/\n?$/, '\n')}127.0.1.1\t${hostname}\n`)]
}

/** By what a system's own resolver, where it has one, is told which name servers there are (resolved.conf(5)). */
const RESOLVED = '/run/systemd/resolved.conf.d/tare.conf'

const resolvMounts = (tree: SystemTree, dns: readonly string[], boots: boolean): readonly Mount[] => {
  const text = nameServerFile(dns)
  const path = resolvConfPath(tree)
  if (path === undefined) return []
  if (!boots || !path.startsWith('/run/systemd/resolve/')) return [file(path, text)]
  const servers = [...text.matchAll(/^nameserver (.*)$/gm)].map(([, server]) => server)
  return [file(RESOLVED, `[Resolve]\nDNS=${servers.join(' ')}\n`)]
}

/**
 * What a root that isn't made anew needs for names to be found over a link. `boots`: whether its own init starts, which
 * gives it the name that the system has itself.
 */
export const networkFiles = (
  options: NetworkOptions & Pick<ContainerOptions, 'rootfs'>,
  hostname: string,
  boots: boolean,
): readonly Mount[] => {
  const { network, rootfs = 'system', dns = [] } = options
  if (network !== 'veth' || rootfs === 'system') return []
  return withTree(rootPath(rootfs), (tree) => {
    const own = boots ? tree.read('/etc/hostname')?.trim() : undefined
    return [...resolvMounts(tree, dns, boots), ...hostsMount(tree, own || hostname)]
  })
}
