import { existsSync, readFileSync } from 'node:fs'
import { getLink } from '../linux/netlink/link.ts'
import { listRoutes } from '../linux/netlink/route.ts'
import { openNetlink } from '../linux/netlink/socket.ts'

const forwards = (link: string): boolean => {
  const path = `/proc/sys/net/ipv4/conf/${link}/forwarding`
  return existsSync(path) && readFileSync(path, 'ascii').trim() !== '0'
}

/**
 * Why containers with a link of their own reach nothing beyond this host; undefined if they do. To forward for itself
 * is the host's own decision, which Tare doesn't take: it makes it a router for whoever is on its networks.
 */
export const forwardingProblem = (): { readonly reason: string; readonly hint: string } | undefined => {
  using links = openNetlink()
  const outside = listRoutes(links)
    .filter(({ family, destination }) => family === 4 && destination === 'default')
    .flatMap(({ nextHops }) => nextHops)
    .flatMap(({ link }) => (link === undefined ? [] : [getLink(links, link).name]))
  if (outside.length === 0) return { reason: 'this host has no default route', hint: 'Connect it to a network.' }
  const deaf = outside.find((link) => !forwards(link))
  if (deaf === undefined) return undefined
  return {
    reason: `this host forwards no packets that come in by ${deaf}`,
    hint: `If it may be a router: sysctl -w net.ipv4.conf.${deaf}.forwarding=1 (or net.ipv4.ip_forward=1).`,
  }
}
