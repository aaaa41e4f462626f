import { InputError } from '../error.ts'
import { bytesAttribute, decodePayload, encodePayload, textAttribute } from './attribute.ts'
import { parseIpAddress, parseIpPrefix } from './ip-address.ts'
import type { LinkReference } from './link.ts'
import { linkIndex, nameOf } from './link.ts'
import { malformed, NLM_F_CREATE, NLM_F_EXCL, viewOf } from './message.ts'
import type { Scope } from './scope.ts'
import { scopeName, scopeNumber } from './scope.ts'
import type { Netlink, NetlinkRequest } from './socket.ts'

const RTM_NEWADDR = 20
const RTM_DELADDR = 21
const RTM_GETADDR = 22
const IFADDRMSG = 8
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_LABEL = 3
const IFA_BROADCAST = 4
const IFA_FLAGS = 8
const IFA_F_NODAD = 0x02
const IFA_F_DADFAILED = 0x08
const IFA_F_TENTATIVE = 0x40
const IFA_F_PERMANENT = 0x80
export const AF_INET = 2
export const AF_INET6 = 10

/** An address of a link, as the kernel describes it. */
export interface LinkAddress {
  readonly family: 4 | 6
  readonly address: string
  /** How many bits name the network. */
  readonly length: number
  /** The other end, where the link is point to point. */
  readonly peer: string | undefined
  readonly broadcast: string | undefined
  readonly label: string | undefined
  readonly scope: Scope
  /** The index of the link. */
  readonly link: number
  /** IPv6: whether it can't be used yet, for it is being found out if another host has it. */
  readonly tentative: boolean
  /** IPv6: whether another host has it. */
  readonly duplicate: boolean
  /** Whether it stays; else it came with a lifetime. */
  readonly permanent: boolean
}

/** An address to give to a link. */
export interface NewAddress {
  /** `10.0.0.1/24` or `fd00::1/64`. */
  readonly address: string
  /** IPv4: by default none is set. */
  readonly broadcast?: string
  /** IPv4: what `ifconfig` calls it; starts with the link's name. */
  readonly label?: string
  readonly peer?: string
  /** By default `host` for 127.0.0.0/8, else `global`. */
  readonly scope?: Scope
  /**
   * IPv6: false makes it usable at once, without asking if another host has it (RFC 4862, section 5.4), which takes
   * a second or two and makes bind(2) fail meanwhile.
   */
  readonly detectDuplicates?: boolean
}

const header = (family: 4 | 6, length: number, flags: number, scope: number, index: number): Uint8Array => {
  const bytes = Uint8Array.of(family === 4 ? AF_INET : AF_INET6, length, flags, scope, 0, 0, 0, 0)
  viewOf(bytes).setUint32(4, index, true)
  return bytes
}

const defaultScope = (family: 4 | 6, bytes: Uint8Array): Scope => (family === 4 && bytes[0] === 127 ? 'host' : 'global')

const sameFamily = (what: string, text: string, family: 4 | 6, address: string): Uint8Array => {
  const parsed = parseIpAddress(text)
  if (parsed.family === family) return parsed.bytes
  throw new InputError({
    operation: `use ${what} ${text} with`,
    target: address,
    reason: 'one is IPv4, the other IPv6',
  })
}

const target = (address: string, name: string, word: 'to' | 'from'): string => `${address} ${word} ${name}`

/** The request that gives an address to the link of an index, which errors call `name`. Throws {@link InputError}. */
export const addAddressRequest = (index: number, address: NewAddress, name: string = nameOf(index)): NetlinkRequest => {
  const { family, bytes, length } = parseIpPrefix(address.address)
  const flags = address.detectDuplicates === false && family === 6 ? IFA_F_NODAD : 0
  const scope = scopeNumber(address.scope ?? defaultScope(family, bytes))
  const peer = address.peer === undefined ? bytes : sameFamily('peer', address.peer, family, address.address)
  const { label, broadcast } = address
  return {
    operation: 'add address',
    target: target(address.address, name, 'to'),
    hints: {
      EEXIST: 'The link has that address already.',
      ENODEV: 'There is no such link in this network namespace.',
      EACCES: 'IPv6 is disabled on that link: see /proc/sys/net/ipv6/conf/*/disable_ipv6.',
    },
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: encodePayload(header(family, length, flags, scope, index), [
      bytesAttribute(IFA_LOCAL, bytes),
      bytesAttribute(IFA_ADDRESS, peer),
      broadcast === undefined
        ? undefined
        : bytesAttribute(IFA_BROADCAST, sameFamily('broadcast', broadcast, family, address.address)),
      label === undefined ? undefined : textAttribute(IFA_LABEL, label),
    ]),
  }
}

/** Gives an address to a link. Throws {@link InputError}, {@link TareError}. */
export const addAddress = (netlink: Netlink, link: LinkReference, address: NewAddress): void => {
  netlink.request(addAddressRequest(linkIndex(netlink, link), address, nameOf(link)))
}

/** Takes an address (`10.0.0.1/24`) from a link. Throws {@link InputError}, {@link TareError}. */
export const deleteAddress = (netlink: Netlink, link: LinkReference, address: string): void => {
  const { family, bytes, length } = parseIpPrefix(address)
  netlink.request({
    operation: 'delete address',
    target: target(address, nameOf(link), 'from'),
    hints: { EADDRNOTAVAIL: 'The link has no such address, or has it with another prefix length.' },
    type: RTM_DELADDR,
    flags: 0,
    payload: encodePayload(header(family, length, 0, 0, linkIndex(netlink, link)), [bytesAttribute(IFA_LOCAL, bytes)]),
  })
}

/** Decodes the payload of RTM_NEWADDR (rtnetlink(7)); undefined for a family that isn't IP. Throws {@link TareError}. */
export const decodeAddress = (payload: Uint8Array): LinkAddress | undefined => {
  const { header: fixed, attributes } = decodePayload('address', payload, IFADDRMSG)
  const family = fixed.getUint8(0)
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const address = attributes.ip(IFA_ADDRESS)
  // IPv4 always has both; IPv6 has IFA_LOCAL only if there is a peer.
  const local = attributes.ip(IFA_LOCAL) ?? address
  if (address === undefined || local === undefined) throw malformed('address', 'it has none')
  const flags = attributes.u32(IFA_FLAGS) ?? fixed.getUint8(2)
  return {
    family: family === AF_INET ? 4 : 6,
    address: local,
    length: fixed.getUint8(1),
    peer: address === local ? undefined : address,
    broadcast: attributes.ip(IFA_BROADCAST),
    label: attributes.text(IFA_LABEL),
    scope: scopeName(fixed.getUint8(3)),
    link: fixed.getUint32(4, true),
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    duplicate: (flags & IFA_F_DADFAILED) !== 0,
    permanent: (flags & IFA_F_PERMANENT) !== 0,
  }
}

/** The IPv4 and IPv6 addresses of a link, or of all links of the namespace. Throws {@link TareError}. */
export const listAddresses = (netlink: Netlink, link?: LinkReference): readonly LinkAddress[] => {
  const index = link === undefined ? undefined : linkIndex(netlink, link)
  const payload = new Uint8Array(IFADDRMSG)
  return netlink
    .dump({ operation: 'list', target: 'addresses', type: RTM_GETADDR, flags: 0, payload })
    .filter((message) => message.type === RTM_NEWADDR)
    .map((message) => decodeAddress(message.payload))
    .filter((address) => address !== undefined)
    .filter((address) => index === undefined || address.link === index)
}
