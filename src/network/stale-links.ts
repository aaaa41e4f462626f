import { deleteLink } from '../linux/netlink/link-change.ts'
import { findLink, listLinks } from '../linux/netlink/link.ts'
import { deleteTable, listTables } from '../linux/netlink/nft-table.ts'
import type { Netlink } from '../linux/netlink/socket.ts'
import { openNetlink } from '../linux/netlink/socket.ts'
import { withLeases } from './lease.ts'
import { slotOf } from './link-name.ts'

/**
 * Removes the link of a container that has ended, and its walls. What translates addresses goes with the descriptors
 * that hold the link. `rules`: a socket for netfilter. Throws {@link TareError}.
 */
export const removeLink = (rules: Netlink, name: string): void => {
  using links = openNetlink()
  // The kernel takes a namespace down when it finds the time, and the link with it: nobody is to see it meanwhile.
  if (findLink(links, name) !== undefined) deleteLink(links, name)
  // The walls last: until the link is gone, they are needed.
  deleteTable(rules, name)
}

/**
 * Removes what is left in this network namespace of links whose holders were killed, or ended without removing them.
 * Throws {@link TareError}.
 */
export const removeStaleLinks = (rules: Netlink): void => {
  using links = openNetlink()
  const veths = listLinks(links).filter(({ kind }) => kind === 'veth')
  const names = new Set([...listTables(rules), ...veths.map(({ name }) => name)])
  const found = [...names].flatMap((name) => {
    const slot = slotOf(name)
    return slot === undefined ? [] : [{ name, slot }]
  })
  if (found.length === 0) return
  withLeases((take) => {
    for (const { name, slot } of found) if (take(slot)) removeLink(rules, name)
  })
}
