import { Buffer } from 'node:buffer'
import type { Purpose } from './syscall.ts'
import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import { addressOf, syscall, trySyscall } from './syscall.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET = 5
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
const MSG_DONTWAIT = 0x40
const CMSG_HEADER = 16
const { EAGAIN = 11, ECONNRESET = 104 } = ERRNO

/** Two connected sockets that keep the bounds of messages and carry descriptors (socketpair(2), unix(7)). */
export const packetSocketPair = (): readonly [number, number] => {
  const pair = new Int32Array(2)
  syscall({ operation: 'make a pair of sockets' }, 'socketpair', AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)
  return [pair[0] ?? -1, pair[1] ?? -1]
}

/** A `struct msghdr` (recvmsg(2)), and all that it points to. */
interface Message {
  readonly header: Buffer
  readonly control: Buffer
  readonly body: Buffer
  readonly vector: Buffer
}

const message = (body: Buffer, control: Buffer): Message => {
  const vector = Buffer.alloc(16)
  vector.writeBigUInt64LE(addressOf(body), 0)
  vector.writeBigUInt64LE(BigInt(body.length), 8)
  const header = Buffer.alloc(56)
  header.writeBigUInt64LE(addressOf(vector), 16)
  header.writeBigUInt64LE(1n, 24)
  if (control.length > 0) {
    header.writeBigUInt64LE(addressOf(control), 32)
    header.writeBigUInt64LE(BigInt(control.length), 40)
  }
  return { header, control, body, vector }
}

/**
 * What was last sent or received, by size. It is kept for that what a header points to be reachable as long as it is in
 * use: what no code names any more may be collected, in the midst of the call too.
 */
const kept: { sent?: Message; readonly received: Map<number, Message> } = { received: new Map() }

const receiver = (size: number): Message => {
  const known = kept.received.get(size)
  if (known !== undefined) {
    known.header.writeBigUInt64LE(BigInt(known.control.length), 40)
    return known
  }
  const made = message(Buffer.alloc(size), Buffer.alloc(CMSG_HEADER + 8 * 4))
  kept.received.set(size, made)
  return made
}

/** Sends bytes and descriptors (SCM_RIGHTS, unix(7)) over a Unix socket. At most 253 descriptors. */
export const sendDescriptors = (socket: number, bytes: Uint8Array, fds: readonly number[], purpose: Purpose): void => {
  const length = CMSG_HEADER + fds.length * 4
  const control = Buffer.alloc(fds.length === 0 ? 0 : Math.ceil(length / 8) * 8)
  if (fds.length > 0) {
    control.writeBigUInt64LE(BigInt(length), 0)
    control.writeInt32LE(SOL_SOCKET, 8)
    control.writeInt32LE(SCM_RIGHTS, 12)
    fds.forEach((fd, index) => control.writeInt32LE(fd, CMSG_HEADER + index * 4))
  }
  kept.sent = message(Buffer.from(bytes), control)
  syscall(purpose, 'sendmsg', socket, kept.sent.header, MSG_NOSIGNAL)
}

export interface Received {
  readonly bytes: Uint8Array
  /** Descriptors that came along, close-on-exec; the caller closes them. */
  readonly fds: readonly number[]
}

/** Receives a message of at most `size` bytes and its descriptors, without waiting; undefined if there is none. */
export const receiveDescriptors = (socket: number, size: number, purpose: Purpose): Received | undefined => {
  const { header, body, control } = receiver(size)
  let length = trySyscall('recvmsg', socket, header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)
  // Said once, by an other end that was closed before it had read all: what it sent itself is still there.
  if (length === -ECONNRESET) length = trySyscall('recvmsg', socket, header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)
  if (length === -EAGAIN) return undefined
  if (length < 0) throw new TareError({ ...purpose, syscall: 'recvmsg', errno: -length })
  const fds: number[] = []
  const controlLength = Number(header.readBigUInt64LE(40))
  if (controlLength >= CMSG_HEADER && control.readInt32LE(12) === SCM_RIGHTS) {
    const end = Number(control.readBigUInt64LE(0))
    for (let at = CMSG_HEADER; at + 4 <= end; at += 4) fds.push(control.readInt32LE(at))
  }
  return { bytes: Uint8Array.from(body.subarray(0, length)), fds }
}
