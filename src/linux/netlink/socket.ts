import { Buffer } from 'node:buffer'
import { ERRNO, errnoName, errnoText } from '../errno.ts'
import { TareError } from '../error.ts'
import { syscall, trySyscall } from '../syscall.ts'
import { Attributes } from './attribute.ts'
import type { NetlinkMessage } from './message.ts'
import {
  decodeAcknowledgement,
  decodeMessages,
  encodeMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  viewOf,
} from './message.ts'

const AF_NETLINK = 16
const PROTOCOLS = { route: 0, netfilter: 12 } as const
const SOCK_RAW_CLOEXEC = 0x80003
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SO_RCVTIMEO = 20
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NLMSGERR_ATTR_MSG = 1
const MSG_PEEK_TRUNC = 0x22
const CLONE_NEWNET = 0x40000000
const O_RDONLY_CLOEXEC = 0x80000
const AT_FDCWD = -100

const RECEIVE_BUFFER = 1 << 20
/** The kernel answers while it takes the request, so that this only ends a wait for what never comes. */
const TIMEOUT_SECONDS = 5n
/** The kernel fills datagrams of a dump up to 32 KiB, if we have once shown such a buffer. */
const DATAGRAM = 32768
const DUMP_TRIES = 10

/** What is asked of the kernel, ready to be sent: pure data, which the stage can send as well as we can. */
export interface NetlinkRequest {
  /** What an error says was being done: `add address`. */
  readonly operation: string
  /** What to: `10.0.0.1/24 to eth0`. */
  readonly target: string
  /** What to do about an error, by the name of its errno. */
  readonly hints?: Readonly<Record<string, string>>
  readonly type: number
  /** Without NLM_F_REQUEST, NLM_F_ACK and NLM_F_DUMP. */
  readonly flags: number
  readonly payload: Uint8Array
}

/** A netlink socket. It stays in the network namespace that it was opened in, whatever its thread does later. */
export interface Netlink extends Disposable {
  readonly fd: number
  /**
   * Sends a request and waits for its acknowledgement. Returns what the kernel sent before that. Throws
   * {@link TareError} with the kernel's own explanation, where it has one (NETLINK_EXT_ACK).
   */
  request(request: NetlinkRequest): readonly NetlinkMessage[]
  /**
   * Sends a request for a list and returns it whole: a list that changed while it was read is read again. Throws
   * {@link TareError}.
   */
  dump(request: NetlinkRequest): readonly NetlinkMessage[]
  /**
   * Sends requests of nf_tables that are carried out all or none. Throws {@link TareError} for the first that the kernel
   * refuses.
   */
  transaction(requests: readonly NetlinkRequest[]): void
  close(): void
}

/** The bytes of a request that asks for an acknowledgement, for who sends it without a {@link Netlink}. */
export const encodeRequest = (request: NetlinkRequest, sequence: number): Uint8Array =>
  encodeMessage({ ...request, flags: request.flags | NLM_F_REQUEST | NLM_F_ACK, sequence, port: 0 })

const NFNL_MSG_BATCH = { begin: 0x10, end: 0x11 } as const
const NFNL_SUBSYS_NFTABLES = 10

/** Where a transaction begins or ends: an empty message with struct nfgenmsg, which names nf_tables in network order. */
const batchMark = (which: keyof typeof NFNL_MSG_BATCH, sequence: number): Uint8Array =>
  encodeMessage({
    type: NFNL_MSG_BATCH[which],
    flags: NLM_F_REQUEST,
    sequence,
    port: 0,
    payload: Uint8Array.of(0, 0, 0, NFNL_SUBSYS_NFTABLES),
  })

const NO_RIGHT = 'Changing a network needs CAP_NET_ADMIN in the user namespace that owns the network namespace.'

/** The error of a request, with the kernel's explanation (an extended acknowledgement) if it gave one. */
const refusal = (request: NetlinkRequest, errno: number, explanation?: string): TareError => {
  const { operation, target, hints = {} } = request
  const name = errnoName(errno)
  return new TareError({
    operation,
    target,
    errno,
    syscall: 'sendto',
    reason: explanation === undefined ? undefined : `${errnoText(errno)}: the kernel says "${explanation}"`,
    hint: hints[name] ?? (name === 'EPERM' ? NO_RIGHT : undefined),
  })
}

/** Throws what an acknowledgement, or the end of a dump, says went wrong. */
const checkAcknowledgement = (request: NetlinkRequest, message: NetlinkMessage): void => {
  const { errno, attributes } = decodeAcknowledgement(message)
  if (errno === 0) return
  throw refusal(request, errno, new Attributes(message.payload.subarray(attributes)).text(NLMSGERR_ATTR_MSG))
}

class NetlinkSocket implements Netlink {
  readonly fd: number
  #sequence = 0
  #open = true
  #buffer = new Uint8Array(DATAGRAM)

  constructor(fd: number) {
    this.fd = fd
  }

  request(request: NetlinkRequest): readonly NetlinkMessage[] {
    const sequence = this.#send(request, NLM_F_REQUEST | NLM_F_ACK)
    const answers: NetlinkMessage[] = []
    for (;;) {
      for (const message of this.#receive(request)) {
        if (message.sequence !== sequence) continue
        if (message.type !== NLMSG_ERROR) answers.push(message)
        else {
          checkAcknowledgement(request, message)
          return answers
        }
      }
    }
  }

  dump(request: NetlinkRequest): readonly NetlinkMessage[] {
    for (let tries = 0; tries < DUMP_TRIES; tries++) {
      const list = this.#dumpOnce(request)
      if (list !== undefined) return list
    }
    const reason = 'it changed each time while it was read'
    throw new TareError({ operation: request.operation, target: request.target, reason, code: 'EINTR' })
  }

  transaction(requests: readonly NetlinkRequest[]): void {
    const first = this.#next()
    const sequences = requests.map(() => this.#next())
    const [request] = requests
    if (request === undefined) return
    const messages = requests.map((each, index) => encodeRequest(each, sequences[index] ?? 0))
    this.#sendBytes(request, Buffer.concat([batchMark('begin', first), ...messages, batchMark('end', this.#next())]))
    const waiting = new Set(sequences)
    let refused: (() => void) | undefined
    while (waiting.size > 0) {
      for (const message of this.#receive(request)) {
        if (message.type !== NLMSG_ERROR) continue
        // What is refused as a whole is answered by the number of its beginning, and then nothing else may come.
        if (message.sequence === first) checkAcknowledgement(request, message)
        const index = sequences.indexOf(message.sequence)
        const of = requests[index]
        if (of === undefined) continue
        waiting.delete(message.sequence)
        if (decodeAcknowledgement(message).errno !== 0) refused ??= () => checkAcknowledgement(of, message)
      }
    }
    refused?.()
  }

  close(): void {
    if (this.#open) trySyscall('close', this.fd)
    this.#open = false
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** The list, or undefined if it changed meanwhile. It is read to its end in any case: a socket does one at a time. */
  #dumpOnce(request: NetlinkRequest): readonly NetlinkMessage[] | undefined {
    const sequence = this.#send(request, NLM_F_REQUEST | NLM_F_DUMP)
    const list: NetlinkMessage[] = []
    let whole = true
    for (;;) {
      for (const message of this.#receive(request)) {
        if (message.sequence !== sequence) continue
        if (message.flags & NLM_F_DUMP_INTR) whole = false
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          checkAcknowledgement(request, message)
          return whole ? list : undefined
        }
        list.push(message)
      }
    }
  }

  #next(): number {
    this.#sequence = (this.#sequence % 0xffffffff) + 1
    return this.#sequence
  }

  #send(request: NetlinkRequest, flags: number): number {
    const { type, payload } = request
    const sequence = this.#next()
    this.#sendBytes(request, encodeMessage({ type, flags: request.flags | flags, sequence, port: 0, payload }))
    return sequence
  }

  #sendBytes(request: NetlinkRequest, bytes: Uint8Array): void {
    if (!this.#open) throw new TareError({ operation: 'use netlink socket', reason: 'it is closed' })
    for (;;) {
      // Without an address it goes to the kernel.
      const result = trySyscall('sendto', this.fd, bytes, bytes.length, 0, null, 0)
      if (result >= 0) return
      if (result !== -(ERRNO['EINTR'] ?? 0)) throw refusal(request, -result)
    }
  }

  /** One datagram of the kernel's. Bytes that it returns are its own: the buffer is used again. */
  #receive(request: NetlinkRequest): readonly NetlinkMessage[] {
    for (;;) {
      const size = this.#take(request, this.#buffer, MSG_PEEK_TRUNC)
      if (size > this.#buffer.length) this.#buffer = new Uint8Array(size)
      const from = address()
      const length = this.#take(request, this.#buffer, 0, from)
      // Only the kernel speaks from port 0; a process with CAP_NET_ADMIN could send us something, too.
      if (viewOf(from).getUint32(4, true) === 0) return decodeMessages(this.#buffer.slice(0, length))
    }
  }

  #take(request: NetlinkRequest, buffer: Uint8Array, flags: number, from: Uint8Array = address()): number {
    const length = Uint32Array.of(from.length)
    for (;;) {
      const result = trySyscall('recvfrom', this.fd, buffer, buffer.length, flags, from, length)
      if (result >= 0) return result
      // With a time limit on the socket a signal ends the call, even with SA_RESTART (signal(7)).
      if (result === -(ERRNO['EINTR'] ?? 0)) continue
      const { operation, target } = request
      if (result === -(ERRNO['EAGAIN'] ?? 0)) {
        throw new TareError({ operation, target, reason: 'the kernel did not answer', code: 'ETIMEDOUT' })
      }
      throw new TareError({ operation, target, syscall: 'recvfrom', errno: -result })
    }
  }
}

/** struct sockaddr_nl of the kernel: port 0, no multicast groups. */
const address = (): Uint8Array => {
  const bytes = new Uint8Array(12)
  viewOf(bytes).setUint16(0, AF_NETLINK, true)
  return bytes
}

const openHere = (protocol: NetlinkProtocol): number => {
  const purpose = {
    operation: `open a netlink socket for ${protocol}`,
    hint: protocol === 'netfilter' ? 'This kernel has no netfilter sockets (CONFIG_NETFILTER_NETLINK).' : undefined,
  }
  const fd = syscall(purpose, 'socket', AF_NETLINK, SOCK_RAW_CLOEXEC, PROTOCOLS[protocol])
  const set = (level: number, option: number, value: NodeJS.ArrayBufferView): number =>
    syscall(purpose, 'setsockopt', fd, level, option, value, value.byteLength)
  try {
    set(SOL_SOCKET, SO_RCVBUF, Int32Array.of(RECEIVE_BUFFER))
    set(SOL_SOCKET, SO_RCVTIMEO, BigInt64Array.of(TIMEOUT_SECONDS, 0n))
    set(SOL_NETLINK, NETLINK_CAP_ACK, Int32Array.of(1))
    set(SOL_NETLINK, NETLINK_EXT_ACK, Int32Array.of(1))
    const own = address()
    syscall(purpose, 'bind', fd, own, own.length)
    return fd
  } catch (error) {
    trySyscall('close', fd)
    throw error
  }
}

const openThere = (namespace: number, protocol: NetlinkProtocol): number => {
  const back = '/proc/thread-self/ns/net'
  const own = syscall({ operation: 'open', target: back }, 'openat', AT_FDCWD, back, O_RDONLY_CLOEXEC, 0)
  const hint = 'Entering a network namespace needs CAP_SYS_ADMIN here and in the user namespace that owns it.'
  try {
    syscall({ operation: 'enter network namespace', hint }, 'setns', namespace, CLONE_NEWNET)
    try {
      return openHere(protocol)
    } finally {
      // What let us leave lets us come back, so this fails only if the kernel is out of memory.
      syscall({ operation: 'return to own network namespace' }, 'setns', own, CLONE_NEWNET)
    }
  } finally {
    trySyscall('close', own)
  }
}

/**
 * Takes over an rtnetlink socket that is open, and closes it in the end: one that came from a process in another
 * user namespace, say. Its options stay as they are.
 */
export const adoptNetlink = (fd: number): Netlink => new NetlinkSocket(fd)

/** What a netlink socket talks to: links, addresses and routes (rtnetlink(7)), or the rules for packets (nf_tables). */
export type NetlinkProtocol = keyof typeof PROTOCOLS

/**
 * Opens a netlink socket, by default an rtnetlink socket (rtnetlink(7)), in the network namespace of the calling thread, or in that of a descriptor
 * (`/proc/PID/ns/net`, opened). A socket belongs to the namespace that it was opened in, so this thread enters that
 * namespace, opens, and returns, in one go: nothing else of this program can run on the thread meanwhile. Throws
 * {@link TareError}.
 */
export const openNetlink = (
  options: { readonly namespace?: number | undefined; readonly protocol?: NetlinkProtocol } = {},
): Netlink => {
  const { namespace, protocol = 'route' } = options
  return adoptNetlink(namespace === undefined ? openHere(protocol) : openThere(namespace, protocol))
}
