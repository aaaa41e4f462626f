import { closeSync, openSync, writeFileSync } from 'node:fs'
import { trySyscall } from '../linux/syscall.ts'
import { addAddress, listAddresses } from '../linux/netlink/address.ts'
import { createLink, setLink } from '../linux/netlink/link-change.ts'
import { getLink } from '../linux/netlink/link.ts'
import { createTable, deleteTable } from '../linux/netlink/nft-table.ts'
import { addRoute, listRoutes } from '../linux/netlink/route.ts'
import type { Netlink } from '../linux/netlink/socket.ts'
import { openNetlink } from '../linux/netlink/socket.ts'
import { fromNodeError } from '../linux/proc.ts'
import type { Attachment } from '../runtime/attachment.ts'
import type { AddressPair } from './address-pair.ts'
import { choosePair, knownRanges, pairOf } from './address-pair.ts'
import { InputError } from '../linux/error.ts'
import { Lease } from './lease.ts'
import { linkName } from './link-name.ts'
import type { PublishedPort } from './published-port.ts'
import { reservePort } from './published-port.ts'
import { translation, wallTable } from './rules.ts'
import { removeLink, removeStaleLinks } from './stale-links.ts'

/** What the container's end is called in it. */
export const CONTAINER_LINK = 'eth0'
/** That of Ethernet, in bytes. */
const MTU = 1500

export interface LinkRequest {
  /** Whose link it is. */
  readonly hostname: string
  readonly ports: readonly PublishedPort[]
  /** The container's address; by default one that is free is chosen. */
  readonly address?: string | undefined
}

const setParameter = (name: string, value: string): void => {
  const path = `/proc/sys/net/${name}`
  try {
    writeFileSync(path, value)
  } catch (error) {
    throw fromNodeError(error, `write ${value} to`, path, {
      EROFS: 'Here /proc/sys is read-only: the link has to be made outside of this container.',
    })
  }
}

/** The smallest MTU of the links that lead to everywhere, so that no packet has to be refused on its way there. */
const outsideMtu = (links: Netlink): number => {
  const hops = listRoutes(links)
    .filter(({ family, destination }) => family === 4 && destination === 'default')
    .flatMap(({ nextHops }) => nextHops)
  const mtus = hops.flatMap(({ link }) => (link === undefined ? [] : [getLink(links, link).mtu]))
  return Math.min(MTU, ...mtus.filter((mtu) => mtu >= 576))
}

/**
 * A link of its own between the host and a container: a pair of virtual Ethernet devices (veth(4)), an address at each
 * end, walls, translation, published ports. It is there as long as any process has {@link descriptors} open; removed it
 * is by {@link release}, or, if that can't be, by whoever makes the next link.
 */
export class HostLink implements Attachment {
  /** On the host. */
  readonly name: string
  readonly addresses: AddressPair
  readonly #lease: Lease
  readonly #rules: Netlink
  readonly #ports: readonly number[]

  /**
   * Does all that may fail for want of something, before there is a container: reserves addresses and ports, and makes
   * the rules. Throws {@link InputError}, {@link TareError}; then nothing is left.
   */
  constructor(request: LinkRequest) {
    const undo: (() => void)[] = []
    try {
      this.#rules = openNetlink({ protocol: 'netfilter' })
      undo.push(() => this.#rules.close())
      removeStaleLinks(this.#rules)
      this.#lease = new Lease()
      undo.push(() => this.#lease.close())
      this.name = linkName(this.#lease.slot, request.hostname)
      this.addresses = this.#choose(request.address)
      this.#ports = request.ports.map((port) => {
        const socket = reservePort(port)
        undo.push(() => closeSync(socket))
        return socket
      })
      createTable(this.#rules, wallTable(this.name, this.addresses.container))
      undo.push(() => deleteTable(this.#rules, this.name))
      createTable(this.#rules, translation(this.name, this.addresses.container, request.ports))
    } catch (error) {
      for (const step of undo.toReversed()) step()
      throw error
    }
  }

  /** What holds the link, for a process that is to hold it from now on. */
  get descriptors(): readonly number[] {
    return [this.#lease.fd, this.#rules.fd, ...this.#ports]
  }

  /** Makes the link, one end of it in the network namespace of a process. Throws {@link TareError}. */
  attach(pid: number): void {
    const path = `/proc/${pid}/ns/net`
    let namespace: number
    try {
      namespace = openSync(path, 'r')
    } catch (error) {
      throw fromNodeError(error, 'open', path)
    }
    try {
      using links = openNetlink()
      using inside = openNetlink({ namespace })
      this.#makeOutside(links, namespace)
      this.#setUpInside(inside)
    } finally {
      trySyscall('close', namespace)
    }
  }

  /** Removes it all. To be called when the container has ended. */
  release(): void {
    try {
      removeLink(this.#rules, this.name)
    } finally {
      this.leave()
    }
  }

  leave(): void {
    this.#rules.close()
    for (const port of this.#ports) closeSync(port)
    this.#lease.close()
  }

  #choose(address: string | undefined): AddressPair {
    using links = openNetlink()
    const known = knownRanges(listRoutes(links), listAddresses(links))
    if (address === undefined) return choosePair(known, (pair) => this.#lease.take(pair))
    const pair = pairOf(address, known)
    if (this.#lease.take(pair)) return pair
    throw new InputError({
      operation: 'use the address',
      target: address,
      reason: 'another container has it',
      hint: 'Choose another, or leave --ip out.',
    })
  }

  #makeOutside(links: Netlink, namespace: number): void {
    const { name } = this
    const mtu = outsideMtu(links)
    createLink(links, { kind: 'veth', name, mtu, peer: { name: CONTAINER_LINK, mtu, namespace: { fd: namespace } } })
    // Before it is up: else the container could announce itself to be this host's router (CVE-2020-10749).
    if (hasIpv6()) setParameter(`ipv6/conf/${name}/disable_ipv6`, '1')
    setParameter(`ipv4/conf/${name}/forwarding`, '1')
    if (this.#ports.length > 0) setParameter(`ipv4/conf/${name}/route_localnet`, '1')
    addAddress(links, name, { address: `${this.addresses.host}/31` })
    setLink(links, name, { up: true })
  }

  #setUpInside(inside: Netlink): void {
    addAddress(inside, CONTAINER_LINK, { address: `${this.addresses.container}/31` })
    setLink(inside, CONTAINER_LINK, { up: true })
    addRoute(inside, { destination: 'default', via: this.addresses.host })
  }
}

const hasIpv6 = (): boolean => {
  const fd = trySyscall('openat', -100, '/proc/sys/net/ipv6', 0o2200000, 0)
  if (fd < 0) return false
  trySyscall('close', fd)
  return true
}
