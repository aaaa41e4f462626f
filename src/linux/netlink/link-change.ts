import { InputError } from '../error.ts'
import type { Attribute } from './attribute.ts'
import {
  bytesAttribute,
  encodePayload,
  nestedAttribute,
  textAttribute,
  u16Attribute,
  u16beAttribute,
  u32Attribute,
  u8Attribute,
} from './attribute.ts'
import { parseIpAddress } from './ip-address.ts'
import type { LinkReference } from './link.ts'
import {
  checkLinkName,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  linkHeader,
  linkIndex,
  nameOf,
  RTM_NEWLINK,
} from './link.ts'
import { parseMac } from './mac-address.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import type { Netlink, NetlinkRequest } from './socket.ts'

const RTM_DELLINK = 17
const RTM_SETLINK = 19
const IFLA_NET_NS_PID = 19
const IFLA_NET_NS_FD = 28
const IFLA_INFO_DATA = 2
const VETH_INFO_PEER = 1
const IFLA_BR_FORWARD_DELAY = 1
const IFLA_BR_STP_STATE = 5
const IFLA_BR_VLAN_FILTERING = 7
const IFLA_MACVLAN_MODE = 1
const IFLA_IPVLAN_MODE = 1
const IFLA_VLAN_ID = 1
const IFLA_VLAN_PROTOCOL = 5
const IFLA_VXLAN_ID = 1
const IFLA_VXLAN_GROUP = 2
const IFLA_VXLAN_LINK = 3
const IFLA_VXLAN_LOCAL = 4
const IFLA_VXLAN_LEARNING = 7
const IFLA_VXLAN_PORT = 15
const IFLA_VXLAN_GROUP6 = 16
const IFLA_VXLAN_LOCAL6 = 17

const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const
const IPVLAN_MODES = { l2: 0, l3: 1, l3s: 2 } as const
const VLAN_PROTOCOLS = { '802.1q': 0x8100, '802.1ad': 0x88a8 } as const

/** A network namespace: an open descriptor of one, or that of a process (of this pid namespace). */
export type NamespaceTarget = { readonly fd: number } | { readonly pid: number }

/** What any link can be given, when it is made and later. */
export interface LinkSettings {
  readonly up?: boolean
  /** Bytes. */
  readonly mtu?: number
  /** `02:42:ac:11:00:02`. */
  readonly mac?: string
  /** The index of the bridge or bond that it is to belong to; null: to none. */
  readonly master?: number | null
  /** The namespace that it is to be in. */
  readonly namespace?: NamespaceTarget
}

interface NewLink extends LinkSettings {
  readonly name: string
  /** Which index it gets; by default the kernel chooses. */
  readonly index?: number
}

/**
 * The other end of a veth pair, made with it: straight in another namespace, if that is said. It is set up afterwards:
 * the kernel makes it first, and refuses to set up an end that has no other yet.
 */
export type VethPeer = Omit<NewLink, 'master' | 'up'>

/** A link to make. `parent` is the index of the link that it sits on. */
export type LinkSpec = NewLink &
  (
    | { readonly kind: 'veth'; readonly peer: VethPeer }
    | { readonly kind: 'dummy' }
    | {
        readonly kind: 'bridge'
        /** Spanning tree: off by default. */
        readonly stp?: boolean
        readonly vlanFiltering?: boolean
        /** How long a new port waits before it forwards, in hundredths of a second. */
        readonly forwardDelay?: number
      }
    | { readonly kind: 'macvlan'; readonly parent: number; readonly mode: keyof typeof MACVLAN_MODES }
    | { readonly kind: 'ipvlan'; readonly parent: number; readonly mode: keyof typeof IPVLAN_MODES }
    | {
        readonly kind: 'vlan'
        readonly parent: number
        /** 0 to 4094. */
        readonly id: number
        readonly protocol?: keyof typeof VLAN_PROTOCOLS
      }
    | {
        readonly kind: 'vxlan'
        readonly parent?: number
        /** 0 to 16777215. */
        readonly id: number
        /** Where frames go whose receiver isn't known: a host, or a multicast group. */
        readonly remote?: string
        readonly local?: string
        /** UDP; by default 4789, as IANA has it. */
        readonly port?: number
        /** Whether it learns where a MAC is from what comes in: by default yes. */
        readonly learning?: boolean
      }
  )

const wrong = (name: string, what: string, value: unknown, range: string): InputError =>
  new InputError({ operation: `set the ${what} of`, target: name, reason: `${String(value)} is not ${range}` })

const within = (name: string, what: string, value: number, least: number, most: number): number => {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw wrong(name, what, value, `a whole number from ${least} to ${most}`)
}

const maybe = <T>(value: T | undefined, make: (value: T) => Attribute): Attribute | undefined =>
  value === undefined ? undefined : make(value)

const namespaceAttribute = (name: string, target: NamespaceTarget): Attribute =>
  'fd' in target
    ? u32Attribute(IFLA_NET_NS_FD, within(name, 'namespace', target.fd, 0, 0x7fffffff))
    : u32Attribute(IFLA_NET_NS_PID, within(name, 'namespace', target.pid, 1, 0x7fffffff))

const settingAttributes = (name: string, settings: LinkSettings): readonly (Attribute | undefined)[] => [
  maybe(settings.mtu, (mtu) => u32Attribute(IFLA_MTU, within(name, 'MTU', mtu, 0, 0x7fffffff))),
  maybe(settings.mac, (mac) => bytesAttribute(IFLA_ADDRESS, parseMac(mac))),
  maybe(settings.master, (master) => u32Attribute(IFLA_MASTER, master === null ? 0 : indexOf(name, 'master', master))),
  maybe(settings.namespace, (target) => namespaceAttribute(name, target)),
]

const indexOf = (name: string, what: string, index: number): number => within(name, what, index, 1, 0x7fffffff)

const flagsHeader = (index: number, { up }: LinkSettings): Uint8Array =>
  linkHeader(index, up === true ? IFF_UP : 0, up === undefined ? 0 : IFF_UP)

/** Header and attributes of a new link: that of a message, and that of a veth's peer within it. */
const newLink = (
  link: NewLink,
): { readonly header: Uint8Array; readonly attributes: readonly (Attribute | undefined)[] } => ({
  header: flagsHeader(maybeIndex(link), link),
  attributes: [textAttribute(IFLA_IFNAME, checkLinkName(link.name)), ...settingAttributes(link.name, link)],
})

const maybeIndex = ({ name, index }: NewLink): number => (index === undefined ? 0 : indexOf(name, 'index', index))

const flag = (type: number, value: boolean | undefined): Attribute | undefined =>
  maybe(value, (on) => u8Attribute(type, on ? 1 : 0))

const vxlanEnd = (type4: number, type6: number, text: string | undefined): Attribute | undefined =>
  maybe(text, (address) => {
    const { family, bytes } = parseIpAddress(address)
    return bytesAttribute(family === 4 ? type4 : type6, bytes)
  })

/** IFLA_INFO_DATA: what only this kind of link has. */
const dataAttributes = (spec: LinkSpec): readonly (Attribute | undefined)[] => {
  switch (spec.kind) {
    case 'veth': {
      const { header, attributes } = newLink(spec.peer)
      return [nestedAttribute(VETH_INFO_PEER, attributes, header)]
    }
    case 'dummy':
      return []
    case 'bridge':
      return [
        maybe(spec.forwardDelay, (delay) =>
          u32Attribute(IFLA_BR_FORWARD_DELAY, within(spec.name, 'forward delay', delay, 0, 0xffffffff)),
        ),
        maybe(spec.stp, (on) => u32Attribute(IFLA_BR_STP_STATE, on ? 1 : 0)),
        flag(IFLA_BR_VLAN_FILTERING, spec.vlanFiltering),
      ]
    case 'macvlan':
      return [u32Attribute(IFLA_MACVLAN_MODE, MACVLAN_MODES[spec.mode])]
    case 'ipvlan':
      return [u16Attribute(IFLA_IPVLAN_MODE, IPVLAN_MODES[spec.mode])]
    case 'vlan':
      return [
        u16Attribute(IFLA_VLAN_ID, within(spec.name, 'VLAN id', spec.id, 0, 4094)),
        maybe(spec.protocol, (protocol) => u16beAttribute(IFLA_VLAN_PROTOCOL, VLAN_PROTOCOLS[protocol])),
      ]
    case 'vxlan':
      return [
        u32Attribute(IFLA_VXLAN_ID, within(spec.name, 'VXLAN id', spec.id, 0, 0xffffff)),
        maybe(spec.parent, (parent) => u32Attribute(IFLA_VXLAN_LINK, indexOf(spec.name, 'parent', parent))),
        vxlanEnd(IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6, spec.remote),
        vxlanEnd(IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6, spec.local),
        // Without it the kernel takes 8472, which is older than the standard.
        u16beAttribute(IFLA_VXLAN_PORT, within(spec.name, 'VXLAN port', spec.port ?? 4789, 1, 0xffff)),
        flag(IFLA_VXLAN_LEARNING, spec.learning),
      ]
  }
}

const parentOf = (spec: LinkSpec): number | undefined =>
  spec.kind === 'macvlan' || spec.kind === 'ipvlan' || spec.kind === 'vlan' ? spec.parent : undefined

/** The request that makes a link. Throws {@link InputError}. */
export const createLinkRequest = (spec: LinkSpec): NetlinkRequest => {
  const { header, attributes } = newLink(spec)
  return {
    operation: 'create link',
    target: `${spec.name} of kind ${spec.kind}`,
    hints: {
      EEXIST: `There is a link of that name or index already: delete it, or choose another name.`,
      EOPNOTSUPP: `This kernel has no driver for links of kind ${spec.kind}: load its module, if there is one.`,
      ENODEV: 'The link that it is to sit on, or to belong to, does not exist in this network namespace.',
    },
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: encodePayload(header, [
      ...attributes,
      maybe(parentOf(spec), (parent) => u32Attribute(IFLA_LINK, indexOf(spec.name, 'parent', parent))),
      nestedAttribute(IFLA_LINKINFO, [
        textAttribute(IFLA_INFO_KIND, spec.kind),
        nestedAttribute(IFLA_INFO_DATA, dataAttributes(spec)),
      ]),
    ]),
  }
}

/** Makes a link; of a veth pair both ends. Throws {@link InputError}, {@link TareError}. */
export const createLink = (netlink: Netlink, spec: LinkSpec): void => {
  netlink.request(createLinkRequest(spec))
}

/** Changes to a link. A namespace is changed first, and the name then given there. */
export interface LinkChange extends LinkSettings {
  readonly name?: string
}

/** The request that changes the link of an index, which errors call `name`. Throws {@link InputError}. */
export const setLinkRequest = (index: number, change: LinkChange, name: string = nameOf(index)): NetlinkRequest => ({
  operation: 'change link',
  target: name,
  hints: {
    EBUSY: 'Some things change only while a link is down: its name before Linux 6.2, the MAC of many.',
    EEXIST: 'There is a link of that name in the network namespace already.',
    ENODEV: 'There is no such link in this network namespace.',
    ESRCH: 'The process whose network namespace was meant has ended.',
  },
  type: RTM_SETLINK,
  flags: 0,
  payload: encodePayload(flagsHeader(indexOf(name, 'index', index), change), [
    maybe(change.name, (text) => textAttribute(IFLA_IFNAME, checkLinkName(text))),
    ...settingAttributes(name, change),
  ]),
})

/** Changes a link, all at once. Throws {@link InputError}, {@link TareError}. */
export const setLink = (netlink: Netlink, link: LinkReference, change: LinkChange): void => {
  netlink.request(setLinkRequest(linkIndex(netlink, link), change, nameOf(link)))
}

/** Deletes a link; of a veth pair both ends. Throws {@link TareError}, with the code `ENODEV` if there is none. */
export const deleteLink = (netlink: Netlink, link: LinkReference): void => {
  netlink.request({
    operation: 'delete link',
    target: String(link),
    hints: {
      ENODEV: 'There is no such link in this network namespace.',
      EOPNOTSUPP: 'Hardware and the loopback link cannot be deleted, only moved or set down.',
    },
    type: RTM_DELLINK,
    flags: 0,
    payload: encodePayload(
      linkHeader(typeof link === 'number' ? indexOf(nameOf(link), 'index', link) : 0),
      typeof link === 'number' ? [] : [textAttribute(IFLA_IFNAME, checkLinkName(link))],
    ),
  })
}
