import { Buffer } from 'node:buffer'
import { InputError } from '../linux/error.ts'
import type { Transport } from '../linux/netlink/nft-expression.ts'
import { TRANSPORTS } from '../linux/netlink/nft-expression.ts'
import { syscall, trySyscall } from '../linux/syscall.ts'
import { ipv4Bytes } from './ipv4.ts'

const AF_INET = 2
const SOCK_CLOEXEC = 0o2000000
const SOCKET_TYPES = { tcp: 1, udp: 2 } as const

/** A port of the host behind which a port of the container is. */
export interface PublishedPort {
  /** An IPv4 address of the host; by default all of them. */
  readonly hostAddress?: string
  /** 1 to 65535. */
  readonly hostPort: number
  /** 1 to 65535, in the container. */
  readonly port: number
  /** Default `tcp`. */
  readonly transport?: Transport
}

const OPERATION = 'publish the port'
const HINT = 'Write it as [HOSTIP:]HOSTPORT:PORT[/tcp|udp]: 8080:80, 127.0.0.1:5353:53/udp.'

const checkPort = (port: number, of: string): number => {
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port
  throw new InputError({ operation: OPERATION, target: of, reason: `${port} is no port: it is 1 to 65535`, hint: HINT })
}

/** As in an error. */
export const describePort = ({ hostAddress, hostPort, port, transport = 'tcp' }: PublishedPort): string =>
  `${hostAddress === undefined ? '' : `${hostAddress}:`}${hostPort}:${port}/${transport}`

const isTransport = (text: string): text is Transport => Object.hasOwn(TRANSPORTS, text)

/** Reads `[HOSTIP:]HOSTPORT:PORT[/tcp|udp]`, or checks a port that was given in parts. Throws {@link InputError}. */
export const parsePublishedPort = (given: string | PublishedPort): PublishedPort => {
  if (typeof given === 'object') {
    const text = describePort(given)
    checkPort(given.hostPort, text)
    checkPort(given.port, text)
    if (given.hostAddress !== undefined) ipv4Bytes(given.hostAddress, OPERATION)
    if (!isTransport(given.transport ?? 'tcp'))
      throw new InputError({ operation: OPERATION, target: text, reason: 'it is tcp or udp', hint: HINT })
    return given
  }
  const target = JSON.stringify(given)
  const match = /^(?:(.*):)?(\d+):(\d+)(?:\/(\w+))?$/.exec(given)
  if (match === null)
    throw new InputError({ operation: OPERATION, target, reason: 'it names no two ports', hint: HINT })
  const [, address, hostPort, port, transport = 'tcp'] = match
  if (!isTransport(transport))
    throw new InputError({ operation: OPERATION, target, reason: `${transport} is neither tcp nor udp`, hint: HINT })
  if (address !== undefined) ipv4Bytes(address, OPERATION)
  return {
    ...(address === undefined ? {} : { hostAddress: address }),
    hostPort: checkPort(Number(hostPort), target),
    port: checkPort(Number(port), target),
    transport,
  }
}

/**
 * Binds a port of the host, so that nobody else can have it: nothing is ever received there, as what comes is sent on
 * before. Returns the socket. Throws {@link TareError}.
 */
export const reservePort = (published: PublishedPort): number => {
  const { hostAddress = '0.0.0.0', hostPort, transport = 'tcp' } = published
  const purpose = { operation: OPERATION, target: describePort(published) }
  const fd = syscall(purpose, 'socket', AF_INET, SOCKET_TYPES[transport] | SOCK_CLOEXEC, 0)
  try {
    // struct sockaddr_in (ip(7)): the port and the address in network order.
    const address = Buffer.alloc(16)
    address.writeUInt16LE(AF_INET, 0)
    address.writeUInt16BE(hostPort, 2)
    address.set(ipv4Bytes(hostAddress, OPERATION), 4)
    const hint = `Port ${hostPort} of ${hostAddress} must be free and this host's own: "ss -lntup" shows who has it.`
    syscall({ ...purpose, hint }, 'bind', fd, address, address.length)
    return fd
  } catch (error) {
    trySyscall('close', fd)
    throw error
  }
}
