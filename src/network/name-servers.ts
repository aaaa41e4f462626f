import { readFileSync } from 'node:fs'

const RESOLV_CONF = '/etc/resolv.conf'
/** What systemd-resolved itself asks, where /etc/resolv.conf leads to its own address (systemd-resolved(8)). */
const UPSTREAM = '/run/systemd/resolve/resolv.conf'

const linesOf = (path: string): readonly string[] => {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return []
  }
}

const serverOf = (line: string): string | undefined => /^\s*nameserver\s+(\S+)/.exec(line)?.[1]

/** An address that means another host, or none, in the container: a loopback, or one with a zone. */
const isOwn = (address: string): boolean => /^127\.|^::1$|^0\.0\.0\.0$|^::$|%/.test(address)

/**
 * The text of a resolv.conf(5) for a network of its own: the host's, without name servers on the host's loopback, which
 * the container has another of. `dns`: these name servers instead, and the host's search list and options.
 */
export const nameServerFile = (dns: readonly string[], read: (path: string) => readonly string[] = linesOf): string => {
  const lines = read(RESOLV_CONF)
  const serversIn = (all: readonly string[]): readonly string[] =>
    all
      .map(serverOf)
      .filter((server) => server !== undefined && !isOwn(server))
      .map((server) => `nameserver ${server}`)
  const own = serversIn(lines)
  const servers =
    dns.length > 0 ? dns.map((server) => `nameserver ${server}`) : own.length > 0 ? own : serversIn(read(UPSTREAM))
  const rest = lines.filter((line) => /^\s*(?:search|domain|options|sortlist)\s/.test(line))
  return [...servers, ...rest, ''].join('\n')
}
