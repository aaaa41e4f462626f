import type { NftExpression } from '../linux/netlink/nft-expression.ts'
import {
  destinationIs,
  destinationIsLocal,
  fromLink,
  isEstablished,
  isTranslated,
  loopbackIs,
  masquerade,
  portIs,
  reject,
  rejectTcp,
  sourceIs,
  toLink,
  translateTo,
  transportIs,
  verdict,
} from '../linux/netlink/nft-expression.ts'
import type { NftChain, NftTable } from '../linux/netlink/nft-table.ts'
import { ipv4Bytes, ipv4Number } from './ipv4.ts'
import { translationTable } from './link-name.ts'
import type { PublishedPort } from './published-port.ts'

const RAW = -300
const DSTNAT = -100
const FILTER = 0
const SRCNAT = 100

const bytesOf = (address: string): Uint8Array => ipv4Bytes(address, 'use address')

/**
 * The walls around a link. They belong to nobody, so that they stand until the link is gone, also if whoever made them
 * is killed.
 * - What comes from the container has its address as source, and doesn't go to the host's loopback: that a link may
 *   carry packets of the loopback, which published ports need, would open it otherwise (CVE-2020-8558).
 * - The container opens no connection to the host itself, whatever address of the host it takes.
 * - From elsewhere only published ports are reached; from the host itself, all.
 */
export const wallTable = (name: string, address: string): NftTable => {
  const [from, to] = [fromLink(name), toLink(name)]
  const chain = (hook: 'prerouting' | 'input' | 'forward', priority: number, rules: NftChain['rules']): NftChain => ({
    name: hook,
    hook,
    priority,
    type: 'filter',
    rules,
  })
  return {
    name,
    owned: false,
    chains: [
      chain('prerouting', RAW, [
        [...from, ...sourceIs(bytesOf(address), 'neq'), verdict('drop')],
        [...from, ...loopbackIs('destination'), verdict('drop')],
      ]),
      chain('input', FILTER, [
        [...from, ...isEstablished, verdict('accept')],
        [...from, ...transportIs('tcp'), rejectTcp],
        [...from, reject],
      ]),
      chain('forward', FILTER, [
        [...to, ...isEstablished, verdict('accept')],
        [...to, ...isTranslated, verdict('accept')],
        [...to, ...transportIs('tcp'), rejectTcp],
        [...to, reject],
      ]),
    ],
  }
}

const isLoopback = (address: string): boolean => ipv4Number(bytesOf(address)) >>> 24 === 127

/** Which packets are for a published port. */
const isFor = ({ hostAddress, hostPort, transport = 'tcp' }: PublishedPort): readonly NftExpression[] => [
  ...(hostAddress === undefined || hostAddress === '0.0.0.0'
    ? destinationIsLocal
    : destinationIs(bytesOf(hostAddress))),
  ...portIs(transport, hostPort),
]

/**
 * What translates addresses: the container's to the host's on the way out, and published ports to the container's. It
 * belongs to the socket that makes it, and is gone with the last holder of that, so that a port never leads nowhere.
 */
export const translation = (name: string, address: string, ports: readonly PublishedPort[]): NftTable => {
  const container = bytesOf(address)
  const rule = (published: PublishedPort): readonly NftExpression[] => [
    ...isFor(published),
    ...translateTo(container, published.port),
  ]
  // A neighbour could send packets to 127.0.0.1, too: they aren't taken for what is published there.
  const fromOutside = ports.filter(({ hostAddress }) => hostAddress === undefined || !isLoopback(hostAddress))
  const nat = { type: 'nat' } as const
  return {
    name: translationTable(name),
    owned: true,
    chains: [
      { ...nat, name: 'prerouting', hook: 'prerouting', priority: DSTNAT, rules: fromOutside.map(rule) },
      { ...nat, name: 'output', hook: 'output', priority: DSTNAT, rules: ports.map(rule) },
      {
        ...nat,
        name: 'postrouting',
        hook: 'postrouting',
        priority: SRCNAT,
        rules: [
          [...sourceIs(container), masquerade],
          [...toLink(name), ...loopbackIs('source'), masquerade],
        ],
      },
    ],
  }
}
