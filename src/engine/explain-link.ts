import type { NftChain } from '../linux/netlink/nft-table.ts'
import { CONTAINER_LINK } from '../network/host-link.ts'
import { linkName } from '../network/link-name.ts'
import { describePort, parsePublishedPort } from '../network/published-port.ts'
import { translation, wallTable } from '../network/rules.ts'
import type { OwnStep } from './explain-start.ts'
import type { NetworkOptions } from './resolve-network.ts'

const step = (call: string, what: string, why = ''): OwnStep => ({ mechanism: 'namespaces', call, what, why })

const netlink = (message: string): string => `sendto($netlink, {${message}})`

const summary = (chains: readonly NftChain[]): string =>
  chains.map(({ hook, rules }) => `${hook}: ${rules.length} rules`).join(', ')

/** Any will do: a plan says how, and what is free is seen when it is carried out. */
const EXAMPLE = '10.213.0.3'

const nameOf = (hostname: string): string => linkName(1, hostname).replace(/^tare1/, 'tareN')

/** What is done for a container's link before there is a process: all that may be lacking. */
export const reserveSteps = (hostname: string, { network, publish = [], ip }: NetworkOptions): readonly OwnStep[] => {
  if (network !== 'veth') return []
  const name = nameOf(hostname)
  const ports = publish.map(parsePublishedPort)
  const address = ip ?? EXAMPLE
  return [
    step(
      'fcntl($links, F_OFD_SETLK, {F_WRLCK, N, 1})',
      'take a number',
      'by which the link is known as long as it is held',
    ),
    step(
      'fcntl($links, F_OFD_SETLK, {F_WRLCK, $address, 1})',
      ip === undefined ? 'choose addresses' : `take the address ${ip}`,
      'which no route of this host leads to, and no other container has',
    ),
    ...ports.map((port) =>
      step(
        `bind($port, {AF_INET, ${port.hostPort}, ${port.hostAddress ?? '0.0.0.0'}})`,
        `reserve the port ${describePort(port)}`,
        'so that nobody else has it; nothing is received there',
      ),
    ),
    step(
      netlink(`NFT_MSG_NEWTABLE ${name}, ${summary(wallTable('eth0', address).chains)}`),
      'make the walls around the link',
      'the container reaches no service of the host itself, and takes no other address; from elsewhere only published ports are reached',
    ),
    step(
      netlink(`NFT_MSG_NEWTABLE ${name}.nat owner, ${summary(translation('eth0', address, ports).chains)}`),
      'translate addresses',
      "on the way out the container's to the host's, and on the way in published ports; the kernel undoes it when the socket is closed",
    ),
  ]
}

/** How the link is made, once there is a network namespace for its end. */
export const linkSteps = (hostname: string, { network, publish = [] }: NetworkOptions): readonly OwnStep[] => {
  if (network !== 'veth') return []
  const name = nameOf(hostname)
  const parameter = (path: string, what: string, why: string): OwnStep =>
    step(`write("/proc/sys/net/${path}", "1")`, what, why)
  return [
    step('poll($control)', 'wait until the network namespace is there'),
    step(
      netlink(`RTM_NEWLINK ${name} veth, peer ${CONTAINER_LINK} in $pid`),
      'make a pair of virtual Ethernet devices',
      'one end on the host, the other in the container',
    ),
    parameter(
      `ipv6/conf/${name}/disable_ipv6`,
      'have no IPv6 on the end of the host',
      'else the container could say that it is a router (CVE-2020-10749)',
    ),
    parameter(`ipv4/conf/${name}/forwarding`, 'forward what comes in by the link', 'this link alone'),
    ...(publish.length === 0
      ? []
      : [
          parameter(
            `ipv4/conf/${name}/route_localnet`,
            'let packets of the loopback go out by the link',
            "so that published ports are there at 127.0.0.1; the walls keep the container's own out",
          ),
        ]),
    step(netlink(`RTM_NEWADDR $address/31, ${name}`), 'give the end of the host an address'),
    step(netlink(`RTM_SETLINK ${name}, IFF_UP`), 'set it up'),
    step(
      `setns($netns, CLONE_NEWNET), socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), setns($own, CLONE_NEWNET)`,
      "open a socket in the container's network namespace",
    ),
    step(netlink(`RTM_NEWADDR $address/31, ${CONTAINER_LINK}`), 'give the end of the container an address'),
    step(netlink(`RTM_SETLINK ${CONTAINER_LINK}, IFF_UP`), 'set it up'),
    step(netlink('RTM_NEWROUTE default via $address'), 'route all that is for elsewhere to the host'),
  ]
}
