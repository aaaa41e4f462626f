import { InputError } from '../error.ts'
import { AF_INET, AF_INET6 } from './address.ts'
import type { Attribute } from './attribute.ts'
import { Attributes, bytesAttribute, decodePayload, encodePayload, u32Attribute } from './attribute.ts'
import { formatIpAddress, parseIpAddress, parseIpPrefix } from './ip-address.ts'
import type { LinkReference } from './link.ts'
import { linkIndex } from './link.ts'
import { align, malformed, NLM_F_CREATE, NLM_F_EXCL, viewOf } from './message.ts'
import type { Scope } from './scope.ts'
import { scopeName, scopeNumber } from './scope.ts'
import type { Netlink, NetlinkRequest } from './socket.ts'

const RTM_NEWROUTE = 24
const RTM_DELROUTE = 25
const RTM_GETROUTE = 26
const RTMSG = 12
const RTNEXTHOP = 8
const RTA_DST = 1
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_PREFSRC = 7
const RTA_MULTIPATH = 9
const RTA_TABLE = 15
const RTA_VIA = 18
const RTPROT_BOOT = 3
const RTM_F_CLONED = 0x200
const RTNH_F_ONLINK = 4
const RT_TABLE_MAIN = 254

const ROUTE_TYPES = [
  'unspecified',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
] as const
/** What becomes of a packet: `unreachable` and `prohibit` answer, `blackhole` doesn't. */
export type RouteType = (typeof ROUTE_TYPES)[number]

/** Where a route leads next. */
export interface NextHop {
  /** The gateway; undefined if the destination is on the link itself. */
  readonly via: string | undefined
  /** The index of the link. */
  readonly link: number | undefined
  /** 1 and more: its share of the packets. */
  readonly weight: number
}

/** A route, as the kernel describes it. */
export interface Route {
  readonly family: 4 | 6
  /** `default` or `10.0.0.0/8`. */
  readonly destination: string
  readonly type: RouteType
  /** One, several, or none for a type that leads nowhere. */
  readonly nextHops: readonly NextHop[]
  /** The lower, the sooner is it used. */
  readonly metric: number
  readonly table: number
  readonly scope: Scope
  /** Who made it (/etc/iproute2/rt_protos): 2 the kernel, 3 `ip`, 4 an administrator. */
  readonly protocol: number
  /** The source address that packets get by default. */
  readonly source: string | undefined
}

/** A route to add or delete. */
export interface RouteSpec {
  /** `default` or `10.0.0.0/8`. */
  readonly destination: string
  /** Needed where neither destination, gateway nor source tells: 4 by default. */
  readonly family?: 4 | 6
  /** The gateway. */
  readonly via?: string
  /** The index of the link: needed without a gateway. */
  readonly link?: number
  readonly metric?: number
  readonly table?: number
  readonly source?: string
  /** By default `unicast`. */
  readonly type?: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw'
  readonly scope?: Scope
  /** Takes the gateway to be on the link, even if no address of the link says so. */
  readonly onLink?: boolean
}

const familyOf = (spec: RouteSpec): 4 | 6 => {
  if (spec.family !== undefined) return spec.family
  if (spec.destination !== 'default') return parseIpPrefix(spec.destination).family
  const text = spec.source ?? spec.via
  return text === undefined ? 4 : parseIpAddress(text).family
}

const refuse = (spec: RouteSpec, reason: string): InputError =>
  new InputError({ operation: 'use route to', target: spec.destination, reason })

const destinationOf = (spec: RouteSpec, family: 4 | 6): { readonly bytes: Uint8Array; readonly length: number } => {
  if (spec.destination === 'default') return { bytes: new Uint8Array(0), length: 0 }
  const destination = parseIpPrefix(spec.destination)
  if (destination.family !== family) throw refuse(spec, `it is no IPv${family} network`)
  return destination
}

const viaAttribute = (spec: RouteSpec, family: 4 | 6): Attribute | undefined => {
  if (spec.via === undefined) return undefined
  const via = parseIpAddress(spec.via)
  if (via.family === family) return bytesAttribute(RTA_GATEWAY, via.bytes)
  if (family === 6) throw refuse(spec, 'an IPv6 route has no IPv4 gateway')
  // struct rtvia: the family, then the address. An IPv4 route may lead over an IPv6 gateway (RFC 5549).
  return bytesAttribute(RTA_VIA, Uint8Array.of(AF_INET6, 0, ...via.bytes))
}

const optional = (type: number, value: number | undefined): Attribute | undefined =>
  value === undefined ? undefined : u32Attribute(type, value)

const payloadOf = (
  spec: RouteSpec,
  fixed: { readonly protocol: number; readonly scope: number; readonly type: number },
): Uint8Array => {
  const family = familyOf(spec)
  const { bytes, length } = destinationOf(spec, family)
  const source = spec.source === undefined ? undefined : parseIpAddress(spec.source)
  if (source !== undefined && source.family !== family) throw refuse(spec, `its source is no IPv${family} address`)
  const table = spec.table ?? RT_TABLE_MAIN
  const header = new Uint8Array(RTMSG)
  header.set([family === 4 ? AF_INET : AF_INET6, length, 0, 0, table < 256 ? table : 0])
  header.set([fixed.protocol, fixed.scope, fixed.type], 5)
  viewOf(header).setUint32(8, spec.onLink === true ? RTNH_F_ONLINK : 0, true)
  return encodePayload(header, [
    length === 0 ? undefined : bytesAttribute(RTA_DST, bytes),
    viaAttribute(spec, family),
    optional(RTA_OIF, spec.link),
    optional(RTA_PRIORITY, spec.metric),
    source === undefined ? undefined : bytesAttribute(RTA_PREFSRC, source.bytes),
    optional(RTA_TABLE, table),
  ])
}

const describe = ({ destination, via, link }: RouteSpec): string =>
  `to ${destination}${via === undefined ? '' : ` via ${via}`}${link === undefined ? '' : ` over link ${link}`}`

/** IPv4 wants to know how far away the destination is; IPv6 takes no notice. */
const defaultScope = ({ type, via, onLink }: RouteSpec): Scope =>
  (type === undefined || type === 'unicast') && via === undefined && onLink !== true ? 'link' : 'global'

/** The request that adds a route. Throws {@link InputError}. */
export const addRouteRequest = (spec: RouteSpec): NetlinkRequest => ({
  operation: 'add route',
  target: describe(spec),
  hints: {
    EEXIST: 'There is such a route already: delete it, or give this one another metric.',
    ENETUNREACH: 'The gateway must be in the network of an address of a link that is up.',
    EHOSTUNREACH: 'The gateway must be in the network of an address of a link that is up.',
    ENETDOWN: 'The link must be up.',
    ENODEV: 'A route needs a link or a gateway that exists in this network namespace.',
  },
  type: RTM_NEWROUTE,
  flags: NLM_F_CREATE | NLM_F_EXCL,
  payload: payloadOf(spec, {
    protocol: RTPROT_BOOT,
    scope: scopeNumber(spec.scope ?? defaultScope(spec)),
    type: ROUTE_TYPES.indexOf(spec.type ?? 'unicast'),
  }),
})

/** Adds a route. Throws {@link InputError}, {@link TareError}. */
export const addRoute = (netlink: Netlink, spec: RouteSpec): void => {
  netlink.request(addRouteRequest(spec))
}

/**
 * Deletes the first route that has all that `spec` says. Throws {@link InputError}, {@link TareError}, with the code
 * `ESRCH` if there is none.
 */
export const deleteRoute = (netlink: Netlink, spec: RouteSpec): void => {
  netlink.request({
    operation: 'delete route',
    target: describe(spec),
    hints: { ESRCH: 'There is no such route.' },
    type: RTM_DELROUTE,
    flags: 0,
    payload: payloadOf(spec, {
      protocol: 0,
      scope: scopeNumber(spec.scope ?? 'nowhere'),
      type: spec.type === undefined ? 0 : ROUTE_TYPES.indexOf(spec.type),
    }),
  })
}

const gatewayOf = (attributes: Attributes): string | undefined => {
  const gateway = attributes.ip(RTA_GATEWAY)
  const via = attributes.bytes(RTA_VIA)?.subarray(2)
  if (gateway !== undefined || via === undefined) return gateway
  if (via.length !== 4 && via.length !== 16) throw malformed('gateway', `it has ${via.length} bytes`)
  return formatIpAddress(via)
}

/** Decodes RTA_MULTIPATH: struct rtnexthop, with attributes of its own, one after the other. */
const decodeNextHops = (bytes: Uint8Array): readonly NextHop[] => {
  const view = viewOf(bytes)
  const hops: NextHop[] = []
  for (let offset = 0; bytes.length - offset >= RTNEXTHOP;) {
    const length = view.getUint16(offset, true)
    if (length < RTNEXTHOP || length > bytes.length - offset) {
      throw malformed('next hop', `its length ${length} at ${offset} is wrong`)
    }
    const attributes = new Attributes(bytes.subarray(offset + RTNEXTHOP, offset + length))
    const link = view.getInt32(offset + 4, true)
    hops.push({ via: gatewayOf(attributes), link, weight: view.getUint8(offset + 3) + 1 })
    offset += align(length)
  }
  return hops
}

const nextHopsOf = (attributes: Attributes): readonly NextHop[] => {
  const several = attributes.bytes(RTA_MULTIPATH)
  if (several !== undefined) return decodeNextHops(several)
  const via = gatewayOf(attributes)
  const link = attributes.u32(RTA_OIF)
  return via === undefined && link === undefined ? [] : [{ via, link, weight: 1 }]
}

/** Decodes the payload of RTM_NEWROUTE (rtnetlink(7)); undefined for a family that isn't IP. Throws {@link TareError}. */
export const decodeRoute = (payload: Uint8Array): Route | undefined => {
  const { header, attributes } = decodePayload('route', payload, RTMSG)
  const family = header.getUint8(0)
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const length = header.getUint8(1)
  const destination = attributes.ip(RTA_DST) ?? (family === AF_INET ? '0.0.0.0' : '::')
  return {
    family: family === AF_INET ? 4 : 6,
    destination: length === 0 ? 'default' : `${destination}/${length}`,
    type: ROUTE_TYPES[header.getUint8(7)] ?? 'unspecified',
    nextHops: nextHopsOf(attributes),
    metric: attributes.u32(RTA_PRIORITY) ?? 0,
    table: attributes.u32(RTA_TABLE) ?? header.getUint8(4),
    scope: scopeName(header.getUint8(6)),
    protocol: header.getUint8(5),
    source: attributes.ip(RTA_PREFSRC),
  }
}

/**
 * The IPv4 and IPv6 routes of a table (by default the main one), of a link or of all. Throws {@link TareError}.
 */
export const listRoutes = (
  netlink: Netlink,
  filter: { readonly table?: number; readonly link?: LinkReference } = {},
): readonly Route[] => {
  const { table = RT_TABLE_MAIN, link } = filter
  const index = link === undefined ? undefined : linkIndex(netlink, link)
  return [AF_INET, AF_INET6].flatMap((family) => {
    const payload = new Uint8Array(RTMSG)
    payload[0] = family
    return netlink
      .dump({ operation: 'list', target: 'routes', type: RTM_GETROUTE, flags: 0, payload })
      .filter((message) => message.type === RTM_NEWROUTE && message.payload[0] === family)
      .filter((message) => !isCloned(message.payload))
      .map((message) => decodeRoute(message.payload))
      .filter((route) => route !== undefined)
      .filter((route) => route.table === table)
      .filter((route) => index === undefined || route.nextHops.some((hop) => hop.link === index))
  })
}

/** Whether a route is one that the kernel keeps for one destination, made from another. */
const isCloned = (payload: Uint8Array): boolean =>
  payload.length >= RTMSG && (viewOf(payload).getUint32(8, true) & RTM_F_CLONED) !== 0
