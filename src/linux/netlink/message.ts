import { TareError } from '../error.ts'

/** Flags of a message (netlink(7)); some numbers mean one thing in a get, another in a new, a third in an answer. */
export const NLM_F_REQUEST = 0x1
export const NLM_F_ACK = 0x4
/** In an answer to a dump: what was listed changed meanwhile, so that entries may be missing. */
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_DUMP = 0x300
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
/** In an acknowledgement: of the request only the header is repeated. */
const NLM_F_CAPPED = 0x100
/** In an acknowledgement: attributes follow. */
const NLM_F_ACK_TLVS = 0x200

export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

const HEADER = 16

/** One message: struct nlmsghdr and what follows it (netlink(7)). */
export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** The port of the socket that the message is for; 0 is the kernel. */
  readonly port: number
  readonly payload: Uint8Array
}

/** A view of bytes, to read and write numbers in: both architectures are little-endian, as netlink then is. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Netlink pads to a multiple of four. */
export const align = (length: number): number => (length + 3) & ~3

/** What is thrown when the kernel's bytes make no sense; its code is `ERR_TARE_NETLINK`. */
export const malformed = (target: string, reason: string): TareError =>
  new TareError({ operation: 'decode', target, reason, code: 'ERR_TARE_NETLINK' })

/** Encodes a message, padded. */
export const encodeMessage = (message: NetlinkMessage): Uint8Array => {
  const length = HEADER + message.payload.length
  const bytes = new Uint8Array(align(length))
  const view = viewOf(bytes)
  view.setUint32(0, length, true)
  view.setUint16(4, message.type, true)
  view.setUint16(6, message.flags, true)
  view.setUint32(8, message.sequence, true)
  view.setUint32(12, message.port, true)
  bytes.set(message.payload, HEADER)
  return bytes
}

/** Decodes all messages of one datagram. Throws {@link TareError} (`ERR_TARE_NETLINK`) for a length that is wrong. */
export const decodeMessages = (bytes: Uint8Array): readonly NetlinkMessage[] => {
  const view = viewOf(bytes)
  const messages: NetlinkMessage[] = []
  for (let offset = 0; offset < bytes.length;) {
    const rest = bytes.length - offset
    if (rest < HEADER) throw malformed('netlink message', `${rest} bytes at ${offset} are no header`)
    const length = view.getUint32(offset, true)
    if (length < HEADER || length > rest) {
      throw malformed('netlink message', `its length ${length} at ${offset} is not within ${HEADER} to ${rest}`)
    }
    messages.push({
      type: view.getUint16(offset + 4, true),
      flags: view.getUint16(offset + 6, true),
      sequence: view.getUint32(offset + 8, true),
      port: view.getUint32(offset + 12, true),
      payload: bytes.subarray(offset + HEADER, offset + length),
    })
    offset += align(length)
  }
  return messages
}

/** The payload of an acknowledgement (NLMSG_ERROR) or of a dump's end (NLMSG_DONE). */
export interface Acknowledgement {
  /** 0, or the positive errno. */
  readonly errno: number
  /** Where the extended attributes start in the payload; the payload's length if there are none. */
  readonly attributes: number
}

/** Reads struct nlmsgerr, or the number that ends a dump. Throws {@link TareError} when it is too short. */
export const decodeAcknowledgement = (message: NetlinkMessage): Acknowledgement => {
  const { payload, type, flags } = message
  // The end of a dump needs no number; where there is none, all went well.
  if (payload.length < 4 && type === NLMSG_DONE) return { errno: 0, attributes: payload.length }
  const least = type === NLMSG_DONE ? 4 : 4 + HEADER
  if (payload.length < least) throw malformed('netlink acknowledgement', `it has ${payload.length} bytes`)
  const view = viewOf(payload)
  const error = view.getInt32(0, true)
  if (error > 0 || error < -4095) throw malformed('netlink acknowledgement', `${error} is no error number`)
  const repeated = type === NLMSG_DONE || flags & NLM_F_CAPPED ? 0 : align(view.getUint32(4, true)) - HEADER
  const start = least + repeated
  const attributes = flags & NLM_F_ACK_TLVS ? start : payload.length
  if (attributes < least || attributes > payload.length) {
    throw malformed('netlink acknowledgement', `the request that it repeats has a wrong length`)
  }
  return { errno: error === 0 ? 0 : -error, attributes }
}
