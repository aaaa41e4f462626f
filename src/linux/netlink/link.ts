import { ERRNO } from '../errno.ts'
import { InputError, TareError } from '../error.ts'
import type { Attributes } from './attribute.ts'
import { decodePayload, encodePayload, textAttribute } from './attribute.ts'
import { formatIpAddress } from './ip-address.ts'
import { formatMac } from './mac-address.ts'
import type { NetlinkMessage } from './message.ts'
import { malformed, viewOf } from './message.ts'
import type { Netlink, NetlinkRequest } from './socket.ts'

export const RTM_NEWLINK = 16
const RTM_GETLINK = 18
const IFINFOMSG = 16
export const IFLA_ADDRESS = 1
export const IFLA_IFNAME = 3
export const IFLA_MTU = 4
export const IFLA_LINK = 5
export const IFLA_MASTER = 10
const IFLA_OPERSTATE = 16
export const IFLA_LINKINFO = 18
const IFLA_IFALIAS = 20
const IFLA_STATS64 = 23
const IFLA_LINK_NETNSID = 37
export const IFLA_INFO_KIND = 1
export const IFF_UP = 0x1
const ARPHRD_ETHER = 1
const ARPHRD_LOOPBACK = 772

/** A network interface: by its name or by its index, in the namespace of the socket. */
export type LinkReference = string | number

/** Counters since the link was made (struct rtnl_link_stats64). */
export interface LinkStatistics {
  readonly receivedPackets: number
  readonly sentPackets: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly receiveErrors: number
  readonly sendErrors: number
  readonly receiveDropped: number
  readonly sendDropped: number
  readonly multicast: number
  readonly collisions: number
}

/** RFC 2863 operational states, in the kernel's order. */
const OPERATIONAL_STATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const
export type OperationalState = (typeof OPERATIONAL_STATES)[number]

/** A network interface, as the kernel describes it. */
export interface Link {
  readonly index: number
  readonly name: string
  /** The driver's name (`veth`, `bridge`); undefined for hardware and `lo`. */
  readonly kind: string | undefined
  readonly hardware: 'ether' | 'loopback' | 'other'
  /** Whether it was set up. Whether it carries anything is {@link Link.state}. */
  readonly up: boolean
  readonly state: OperationalState
  /** IFF_ flags of netdevice(7). */
  readonly flags: number
  /** Bytes. */
  readonly mtu: number
  /** `02:42:ac:11:00:02`; undefined where a link has none. */
  readonly mac: string | undefined
  /** The index of the bridge or bond that it belongs to. */
  readonly master: number | undefined
  /** The index of a veth's peer, or of the link that a vlan, macvlan or ipvlan sits on. */
  readonly parent: number | undefined
  /** The kernel's id, in this namespace, of the namespace that the parent is in, if that is another. */
  readonly parentNamespace: number | undefined
  readonly alias: string | undefined
  readonly statistics: LinkStatistics | undefined
}

/** struct ifinfomsg, to send. */
export const linkHeader = (index: number, flags = 0, change = 0): Uint8Array => {
  const bytes = new Uint8Array(IFINFOMSG)
  const view = viewOf(bytes)
  view.setInt32(4, index, true)
  view.setUint32(8, flags, true)
  view.setUint32(12, change, true)
  return bytes
}

/** Checks a name as dev_valid_name() of the kernel does. Throws {@link InputError}. */
export const checkLinkName = (name: string): string => {
  const size = new TextEncoder().encode(name).length
  // The kernel would also take a name with "%d", and put a number there; then nobody knows what it is called.
  if (size < 1 || size > 15 || name === '.' || name === '..' || /[/:%\s\0]/.test(name)) {
    throw new InputError({
      operation: 'use link name',
      target: JSON.stringify(name),
      reason: 'it is not 1 to 15 bytes without white space, slash, colon and percent sign',
    })
  }
  return name
}

/** What an error calls a link. */
export const nameOf = (link: LinkReference): string => (typeof link === 'string' ? link : `link ${link}`)

/** A tunnel has an IP address where others have a MAC. */
const formatHardwareAddress = (bytes: Uint8Array | undefined, hardware: Link['hardware']): string | undefined => {
  if (bytes === undefined || bytes.length === 0) return undefined
  const tunnel = hardware === 'other' && (bytes.length === 4 || bytes.length === 16)
  return tunnel ? formatIpAddress(bytes) : formatMac(bytes)
}

const decodeStatistics = (attributes: Attributes): LinkStatistics | undefined => {
  const bytes = attributes.bytes(IFLA_STATS64)
  if (bytes === undefined) return undefined
  if (bytes.length < 80) throw malformed('link statistics', `they have ${bytes.length} bytes`)
  const view = viewOf(bytes)
  const at = (index: number): number => Number(view.getBigUint64(index * 8, true))
  return {
    receivedPackets: at(0),
    sentPackets: at(1),
    receivedBytes: at(2),
    sentBytes: at(3),
    receiveErrors: at(4),
    sendErrors: at(5),
    receiveDropped: at(6),
    sendDropped: at(7),
    multicast: at(8),
    collisions: at(9),
  }
}

/** Decodes the payload of RTM_NEWLINK (rtnetlink(7)). Throws {@link TareError} (`ERR_TARE_NETLINK`). */
export const decodeLink = (payload: Uint8Array): Link => {
  const { header, attributes } = decodePayload('link', payload, IFINFOMSG)
  const type = header.getUint16(2, true)
  const hardware = type === ARPHRD_ETHER ? 'ether' : type === ARPHRD_LOOPBACK ? 'loopback' : 'other'
  const flags = header.getUint32(8, true)
  return {
    index: header.getInt32(4, true),
    name: attributes.text(IFLA_IFNAME) ?? '',
    kind: attributes.nested(IFLA_LINKINFO).text(IFLA_INFO_KIND),
    hardware,
    up: (flags & IFF_UP) !== 0,
    state: OPERATIONAL_STATES[attributes.u8(IFLA_OPERSTATE) ?? 0] ?? 'unknown',
    flags,
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    mac: formatHardwareAddress(attributes.bytes(IFLA_ADDRESS), hardware),
    master: attributes.u32(IFLA_MASTER),
    // 0 says that there is none.
    parent: attributes.u32(IFLA_LINK) || undefined,
    parentNamespace: attributes.u32(IFLA_LINK_NETNSID),
    alias: attributes.text(IFLA_IFALIAS),
    statistics: decodeStatistics(attributes),
  }
}

const isLink = (message: NetlinkMessage): boolean => message.type === RTM_NEWLINK

/** All links of the namespace. Throws {@link TareError}. */
export const listLinks = (netlink: Netlink): readonly Link[] => {
  const payload = linkHeader(0)
  const list = netlink.dump({ operation: 'list', target: 'links', type: RTM_GETLINK, flags: 0, payload })
  return list.filter(isLink).map((message) => decodeLink(message.payload))
}

const getRequest = (link: LinkReference): NetlinkRequest => ({
  operation: 'find link',
  target: String(link),
  hints: { ENODEV: 'There is no such link in this network namespace.' },
  type: RTM_GETLINK,
  flags: 0,
  payload: encodePayload(
    linkHeader(typeof link === 'number' ? link : 0),
    typeof link === 'number' ? [] : [textAttribute(IFLA_IFNAME, checkLinkName(link))],
  ),
})

/** One link. Throws {@link TareError}, with the code `ENODEV` if there is none. */
export const getLink = (netlink: Netlink, link: LinkReference): Link => {
  const answer = netlink.request(getRequest(link)).find(isLink)
  if (answer === undefined) throw malformed(`link ${link}`, 'the kernel sent none')
  return decodeLink(answer.payload)
}

/** One link, or undefined if there is none. Throws {@link TareError} for any other failure. */
export const findLink = (netlink: Netlink, link: LinkReference): Link | undefined => {
  try {
    return getLink(netlink, link)
  } catch (error) {
    if (error instanceof TareError && error.errno === ERRNO['ENODEV']) return undefined
    throw error
  }
}

/** The index of a link. Throws {@link TareError}. */
export const linkIndex = (netlink: Netlink, link: LinkReference): number =>
  typeof link === 'number' ? link : getLink(netlink, link).index
