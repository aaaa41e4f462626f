import type { Attribute } from './attribute.ts'
import { bytesAttribute, nestedAttribute, textAttribute, u32beAttribute, u8Attribute } from './attribute.ts'
import { checkLinkName } from './link.ts'

const NFTA_EXPR_NAME = 1
const NFTA_EXPR_DATA = 2
const NFTA_LIST_ELEM = 1
const NFTA_DATA_VALUE = 1
const NFTA_DATA_VERDICT = 2
const NFTA_VERDICT_CODE = 1
/** Registers of 16 bytes; the first is where a verdict goes. */
const NFT_REG_VERDICT = 0
const NFT_REG_1 = 1
const NFT_REG_2 = 2
const IFNAMSIZ = 16

const NFT_META_IIFNAME = 6
const NFT_META_OIFNAME = 7
const NFT_META_NFPROTO = 15
const NFT_META_L4PROTO = 16
const NFT_CMP = { eq: 0, neq: 1 } as const
const NFT_PAYLOAD_NETWORK = 1
const NFT_PAYLOAD_TRANSPORT = 2
const NFT_CT_STATE = 0
const NFT_CT_STATUS = 2
const ESTABLISHED_OR_RELATED = 0x06
const IPS_DST_NAT = 0x20
const NFT_FIB_RESULT_ADDRTYPE = 3
const NFTA_FIB_F_DADDR = 2
const RTN_LOCAL = 2
const NFT_NAT_DNAT = 1
const NFPROTO_IPV4 = 2
const NF_NAT_RANGE_PROTO_SPECIFIED = 2
const NFT_REJECT_TCP_RST = 1
const NFT_REJECT_ICMPX_UNREACH = 2
const NFT_REJECT_ICMPX_ADMIN_PROHIBITED = 3
const VERDICTS = { drop: 0, accept: 1 } as const

/** The transport protocols that a rule can look for ports of, by their numbers. */
export const TRANSPORTS = { tcp: 6, udp: 17 } as const
export type Transport = keyof typeof TRANSPORTS

/** One instruction of a rule (linux/netfilter/nf_tables.h); a rule is a list of them, and ends at the first that doesn't match. */
export type NftExpression = Attribute

const expression = (name: string, data: readonly Attribute[]): NftExpression =>
  nestedAttribute(NFTA_LIST_ELEM, [textAttribute(NFTA_EXPR_NAME, name), nestedAttribute(NFTA_EXPR_DATA, data)])

const dataValue = (type: number, value: Uint8Array): Attribute =>
  nestedAttribute(type, [bytesAttribute(NFTA_DATA_VALUE, value)])

/** A number as the kernel keeps it in a register; what comes from packets is in network order instead. */
const hostWord = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer)

const meta = (key: number): NftExpression => expression('meta', [u32beAttribute(2, key), u32beAttribute(1, NFT_REG_1)])

const compare = (operator: keyof typeof NFT_CMP, value: Uint8Array): NftExpression =>
  expression('cmp', [u32beAttribute(1, NFT_REG_1), u32beAttribute(2, NFT_CMP[operator]), dataValue(3, value)])

const payload = (base: number, offset: number, length: number): NftExpression =>
  expression('payload', [
    u32beAttribute(1, NFT_REG_1),
    u32beAttribute(2, base),
    u32beAttribute(3, offset),
    u32beAttribute(4, length),
  ])

const immediate = (register: number, value: Uint8Array): NftExpression =>
  expression('immediate', [u32beAttribute(1, register), dataValue(2, value)])

const portBytes = (port: number): Uint8Array => Uint8Array.of(port >> 8, port & 0xff)

const linkName = (key: number, name: string): readonly NftExpression[] => {
  const bytes = new Uint8Array(IFNAMSIZ)
  bytes.set(new TextEncoder().encode(checkLinkName(name)))
  return [meta(key), compare('eq', bytes)]
}

/** Packets that came in by a link; it need not be there yet. */
export const fromLink = (name: string): readonly NftExpression[] => linkName(NFT_META_IIFNAME, name)

/** Packets that go out by a link. */
export const toLink = (name: string): readonly NftExpression[] => linkName(NFT_META_OIFNAME, name)

const isIpv4: readonly NftExpression[] = [meta(NFT_META_NFPROTO), compare('eq', Uint8Array.of(NFPROTO_IPV4))]

/** IPv4 packets with this source (4 bytes), or with another. */
export const sourceIs = (address: Uint8Array, operator: 'eq' | 'neq' = 'eq'): readonly NftExpression[] => [
  ...isIpv4,
  payload(NFT_PAYLOAD_NETWORK, 12, 4),
  compare(operator, address),
]

/** IPv4 packets to this destination (4 bytes). */
export const destinationIs = (address: Uint8Array): readonly NftExpression[] => [
  ...isIpv4,
  payload(NFT_PAYLOAD_NETWORK, 16, 4),
  compare('eq', address),
]

/** IPv4 packets from, or to, 127.0.0.0/8. */
export const loopbackIs = (end: 'source' | 'destination'): readonly NftExpression[] => [
  ...isIpv4,
  payload(NFT_PAYLOAD_NETWORK, end === 'source' ? 12 : 16, 1),
  compare('eq', Uint8Array.of(127)),
]

/** IPv4 packets to any address of this host's own. */
export const destinationIsLocal: readonly NftExpression[] = [
  ...isIpv4,
  expression('fib', [
    u32beAttribute(1, NFT_REG_1),
    u32beAttribute(2, NFT_FIB_RESULT_ADDRTYPE),
    u32beAttribute(3, NFTA_FIB_F_DADDR),
  ]),
  compare('eq', hostWord(RTN_LOCAL)),
]

/** Packets of a transport protocol. */
export const transportIs = (transport: Transport): readonly NftExpression[] => [
  meta(NFT_META_L4PROTO),
  compare('eq', Uint8Array.of(TRANSPORTS[transport])),
]

/** Packets to a port. */
export const portIs = (transport: Transport, port: number): readonly NftExpression[] => [
  ...transportIs(transport),
  payload(NFT_PAYLOAD_TRANSPORT, 2, 2),
  compare('eq', portBytes(port)),
]

const connection = (key: number, mask: number): readonly NftExpression[] => [
  expression('ct', [u32beAttribute(2, key), u32beAttribute(1, NFT_REG_1)]),
  expression('bitwise', [
    u32beAttribute(1, NFT_REG_1),
    u32beAttribute(2, NFT_REG_1),
    u32beAttribute(3, 4),
    dataValue(4, hostWord(mask)),
    dataValue(5, hostWord(0)),
  ]),
  compare('neq', hostWord(0)),
]

/** Packets of a connection that both ends know of, or that belong to such a one. */
export const isEstablished: readonly NftExpression[] = connection(NFT_CT_STATE, ESTABLISHED_OR_RELATED)

/** Packets whose destination was translated: those to a published port. */
export const isTranslated: readonly NftExpression[] = connection(NFT_CT_STATUS, IPS_DST_NAT)

export const verdict = (name: keyof typeof VERDICTS): NftExpression =>
  expression('immediate', [
    u32beAttribute(1, NFT_REG_VERDICT),
    nestedAttribute(2, [nestedAttribute(NFTA_DATA_VERDICT, [u32beAttribute(NFTA_VERDICT_CODE, VERDICTS[name])])]),
  ])

/**
 * Refuses a TCP connection as a closed port does. Where sender and host are one, a connect(2) overhears an answer by ICMP,
 * which comes while it holds the socket.
 */
export const rejectTcp: NftExpression = expression('reject', [u32beAttribute(1, NFT_REJECT_TCP_RST), u8Attribute(2, 0)])

/** Tells the sender that it is forbidden, so that it need not wait. */
export const reject: NftExpression = expression('reject', [
  u32beAttribute(1, NFT_REJECT_ICMPX_UNREACH),
  u8Attribute(2, NFT_REJECT_ICMPX_ADMIN_PROHIBITED),
])

/** Gives packets, as source, the address of the link by which they go out. */
export const masquerade: NftExpression = expression('masq', [])

/** Sends IPv4 packets on to this address (4 bytes) and port. */
export const translateTo = (address: Uint8Array, port: number): readonly NftExpression[] => [
  immediate(NFT_REG_1, address),
  immediate(NFT_REG_2, portBytes(port)),
  expression('nat', [
    u32beAttribute(1, NFT_NAT_DNAT),
    u32beAttribute(2, NFPROTO_IPV4),
    u32beAttribute(3, NFT_REG_1),
    u32beAttribute(5, NFT_REG_2),
    u32beAttribute(7, NF_NAT_RANGE_PROTO_SPECIFIED),
  ]),
]
