import { InputError } from '../linux/error.ts'
import { parseIpPrefix } from '../linux/netlink/ip-address.ts'
import type { LinkAddress } from '../linux/netlink/address.ts'
import type { Route } from '../linux/netlink/route.ts'
import { ipv4Bytes, ipv4Number, ipv4Text } from './ipv4.ts'

/** The two ends of a link, the only addresses of their network (a /31, RFC 3021). */
export interface AddressPair {
  readonly host: string
  readonly container: string
}

/** Which addresses this host knows of already: from the first to the last, as numbers. */
export interface Range {
  readonly first: number
  readonly last: number
  /** What is told of it: `10.0.0.0/8`. */
  readonly text: string
}

/** Private networks (RFC 1918) that links are given addresses of; the next where a host has a route to one of them. */
const POOLS = ['10.213.0.0/16', '172.29.0.0/16', '192.168.213.0/24'] as const

const rangeOf = (text: string): Range => {
  const { bytes, length } = parseIpPrefix(text)
  const size = 2 ** (32 - length)
  const number = ipv4Number(bytes)
  const first = number - (number % size)
  return { first, last: first + size - 1, text }
}

/** What a host has addresses of, or routes to. The default route is to everywhere, and keeps nothing from being used. */
export const knownRanges = (routes: readonly Route[], addresses: readonly LinkAddress[]): readonly Range[] => [
  ...routes
    .filter(({ family, destination }) => family === 4 && destination !== 'default')
    .map(({ destination }) => rangeOf(destination)),
  ...addresses.filter(({ family }) => family === 4).map(({ address, length }) => rangeOf(`${address}/${length}`)),
]

const pairAt = (first: number): AddressPair => ({ host: ipv4Text(first), container: ipv4Text(first + 1) })

const clash = (first: number, known: readonly Range[]): Range | undefined =>
  known.find((range) => first + 1 >= range.first && first <= range.last)

/** What is the lower address of a pair as a number: by it a pair is known. */
export const pairNumber = ({ host, container }: AddressPair): number =>
  Math.min(...[host, container].map((text) => ipv4Number(ipv4Bytes(text, 'use address'))))

/**
 * The first pair of the pools that is in no range known and that `take` can have. First and last addresses of a
 * network of 256 are left out, which some programs take for those of the network itself. Throws {@link InputError}.
 */
export const choosePair = (known: readonly Range[], take: (pair: AddressPair) => boolean): AddressPair => {
  for (const pool of POOLS.map(rangeOf)) {
    for (let first = pool.first; first < pool.last; first += 2) {
      const byte = first % 256
      if (byte === 0 || byte === 254 || clash(first, known) !== undefined) continue
      const pair = pairAt(first)
      if (take(pair)) return pair
    }
  }
  throw new InputError({
    operation: 'choose an address for the container',
    reason: `this host has routes to all of ${POOLS.join(', ')}`,
    hint: 'Give one that is free: --ip.',
  })
}

/** The pair with this address of the container's. Throws {@link InputError} for one that can't be, or that is in use. */
export const pairOf = (address: string, known: readonly Range[]): AddressPair => {
  const operation = 'use the address'
  const number = ipv4Number(ipv4Bytes(address, operation))
  const [byte, host] = [number >>> 24, number % 2 === 0 ? number + 1 : number - 1]
  if (byte === 0 || byte === 127 || byte >= 224)
    throw new InputError({ operation, target: address, reason: 'no host can have it' })
  const used = clash(Math.min(number, host), known)
  if (used !== undefined)
    throw new InputError({
      operation,
      target: address,
      reason: `it is in use: this host has an address in ${used.text}, or a route there`,
      hint: 'Choose one of a private network that this host does not know of; the host gets the one beside it.',
    })
  return { host: ipv4Text(host), container: ipv4Text(number) }
}
