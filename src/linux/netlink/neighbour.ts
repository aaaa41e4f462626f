import { AF_INET, AF_INET6 } from './address.ts'
import { bytesAttribute, decodePayload, encodePayload } from './attribute.ts'
import { parseIpAddress } from './ip-address.ts'
import type { LinkReference } from './link.ts'
import { linkIndex, nameOf } from './link.ts'
import { formatMac, parseMac } from './mac-address.ts'
import { NLM_F_CREATE, NLM_F_REPLACE, viewOf } from './message.ts'
import type { Netlink, NetlinkRequest } from './socket.ts'

const RTM_NEWNEIGH = 28
const RTM_DELNEIGH = 29
const RTM_GETNEIGH = 30
const NDMSG = 12
const NDA_DST = 1
const NDA_LLADDR = 2
const NUD_PERMANENT = 0x80

/** An entry of the neighbour table (ARP, neighbour discovery): which MAC an address of the link's network has. */
export interface Neighbour {
  readonly family: 4 | 6
  readonly address: string
  /** undefined while it isn't known. */
  readonly mac: string | undefined
  /** The index of the link. */
  readonly link: number
  /** Whether it was set by hand, and stays. */
  readonly permanent: boolean
}

const requestOf = (
  fixed: Pick<NetlinkRequest, 'operation' | 'type' | 'flags' | 'hints'>,
  index: number,
  address: string,
  name: string,
  mac?: string,
): NetlinkRequest => {
  const { family, bytes } = parseIpAddress(address)
  const header = new Uint8Array(NDMSG)
  header[0] = family === 4 ? AF_INET : AF_INET6
  viewOf(header).setInt32(4, index, true)
  viewOf(header).setUint16(8, mac === undefined ? 0 : NUD_PERMANENT, true)
  return {
    ...fixed,
    target: `${address} of ${name}`,
    payload: encodePayload(header, [
      bytesAttribute(NDA_DST, bytes),
      mac === undefined ? undefined : bytesAttribute(NDA_LLADDR, parseMac(mac)),
    ]),
  }
}

/** Sets the MAC of a neighbour for good, whatever was known of it. Throws {@link InputError}, {@link TareError}. */
export const setNeighbour = (
  netlink: Netlink,
  link: LinkReference,
  neighbour: { readonly address: string; readonly mac: string },
): void => {
  const fixed = { operation: 'set neighbour', type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_REPLACE }
  netlink.request(requestOf(fixed, linkIndex(netlink, link), neighbour.address, nameOf(link), neighbour.mac))
}

/** Forgets a neighbour. Throws {@link InputError}, {@link TareError}, with the code `ENOENT` if there is none. */
export const deleteNeighbour = (netlink: Netlink, link: LinkReference, address: string): void => {
  const hints = { ENOENT: 'There is no such neighbour.' }
  const fixed = { operation: 'delete neighbour', type: RTM_DELNEIGH, flags: 0, hints }
  netlink.request(requestOf(fixed, linkIndex(netlink, link), address, nameOf(link)))
}

/** Decodes the payload of RTM_NEWNEIGH (rtnetlink(7)); undefined for one that has no IP address. Throws {@link TareError}. */
export const decodeNeighbour = (payload: Uint8Array): Neighbour | undefined => {
  const { header, attributes } = decodePayload('neighbour', payload, NDMSG)
  const family = header.getUint8(0)
  const address = attributes.ip(NDA_DST)
  if ((family !== AF_INET && family !== AF_INET6) || address === undefined) return undefined
  const mac = attributes.bytes(NDA_LLADDR)
  return {
    family: family === AF_INET ? 4 : 6,
    address,
    mac: mac === undefined ? undefined : formatMac(mac),
    link: header.getInt32(4, true),
    permanent: (header.getUint16(8, true) & NUD_PERMANENT) !== 0,
  }
}

/** The neighbours known on a link, or on all. Throws {@link TareError}. */
export const listNeighbours = (netlink: Netlink, link?: LinkReference): readonly Neighbour[] => {
  const index = link === undefined ? undefined : linkIndex(netlink, link)
  const payload = new Uint8Array(NDMSG)
  return netlink
    .dump({ operation: 'list', target: 'neighbours', type: RTM_GETNEIGH, flags: 0, payload })
    .filter((message) => message.type === RTM_NEWNEIGH)
    .map((message) => decodeNeighbour(message.payload))
    .filter((neighbour) => neighbour !== undefined)
    .filter((neighbour) => index === undefined || neighbour.link === index)
}
