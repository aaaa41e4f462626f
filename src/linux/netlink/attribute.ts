import { InputError } from '../error.ts'
import { formatIpAddress } from './ip-address.ts'
import { align, malformed, viewOf } from './message.ts'

const HEADER = 4
const NLA_F_NESTED = 0x8000
/** Without the two top bits, which say "nested" and "in network order". */
const NLA_TYPE_MASK = 0x3fff

/** One attribute to send: struct nlattr and its value (netlink(7)). */
export interface Attribute {
  readonly type: number
  readonly value: Uint8Array
}

export const bytesAttribute = (type: number, value: Uint8Array): Attribute => ({ type, value })
export const u8Attribute = (type: number, value: number): Attribute => ({ type, value: Uint8Array.of(value) })
export const u16Attribute = (type: number, value: number): Attribute => {
  const bytes = new Uint8Array(2)
  viewOf(bytes).setUint16(0, value, true)
  return { type, value: bytes }
}
/** In network order, as the few fields that come from packets are. */
export const u16beAttribute = (type: number, value: number): Attribute => ({
  type,
  value: Uint8Array.of(value >> 8, value & 0xff),
})
export const u32Attribute = (type: number, value: number): Attribute => {
  const bytes = new Uint8Array(4)
  viewOf(bytes).setUint32(0, value, true)
  return { type, value: bytes }
}
/** In network order, as all numbers of nf_tables are. */
export const u32beAttribute = (type: number, value: number): Attribute => {
  const bytes = new Uint8Array(4)
  viewOf(bytes).setUint32(0, value)
  return { type, value: bytes }
}
/** A string, ended by NUL. */
export const textAttribute = (type: number, value: string): Attribute => ({
  type,
  value: new TextEncoder().encode(`${value}\0`),
})
/** Attributes within an attribute; `header` is what some of them have before the first. */
export const nestedAttribute = (
  type: number,
  attributes: readonly (Attribute | undefined)[],
  header: Uint8Array = new Uint8Array(0),
): Attribute => ({ type: type | NLA_F_NESTED, value: encodePayload(header, attributes) })

/** A fixed header and the attributes that follow it, each padded; undefined ones are left out. */
export const encodePayload = (header: Uint8Array, attributes: readonly (Attribute | undefined)[]): Uint8Array => {
  const present = attributes.filter((attribute) => attribute !== undefined)
  const size = present.reduce((sum, { value }) => sum + align(HEADER + value.length), align(header.length))
  const bytes = new Uint8Array(size)
  const view = viewOf(bytes)
  bytes.set(header)
  let offset = align(header.length)
  for (const { type, value } of present) {
    const length = HEADER + value.length
    if (length > 0xffff) {
      throw new InputError({ operation: 'encode netlink attribute', target: String(type), reason: 'it is too long' })
    }
    view.setUint16(offset, length, true)
    view.setUint16(offset + 2, type, true)
    bytes.set(value, offset + HEADER)
    offset += align(length)
  }
  return bytes
}

/**
 * The attributes of a message. Of several of one type the last counts, as in the kernel. A reader returns undefined
 * for an attribute that isn't there and throws {@link TareError} (`ERR_TARE_NETLINK`) for one that is too short.
 */
export class Attributes {
  readonly #values: ReadonlyMap<number, Uint8Array>

  /** Throws {@link TareError} (`ERR_TARE_NETLINK`) for a length that is wrong. */
  constructor(bytes: Uint8Array) {
    const values = new Map<number, Uint8Array>()
    const view = viewOf(bytes)
    // Fewer bytes than a header are padding: the kernel too lets them pass.
    for (let offset = 0; bytes.length - offset >= HEADER;) {
      const length = view.getUint16(offset, true)
      if (length < HEADER || length > bytes.length - offset) {
        throw malformed('netlink attribute', `its length ${length} at ${offset} is wrong`)
      }
      values.set(view.getUint16(offset + 2, true) & NLA_TYPE_MASK, bytes.subarray(offset + HEADER, offset + length))
      offset += align(length)
    }
    this.#values = values
  }

  get types(): readonly number[] {
    return [...this.#values.keys()]
  }

  bytes(type: number): Uint8Array | undefined {
    return this.#values.get(type)
  }

  /** Attributes within an attribute; none if it isn't there. */
  nested(type: number): Attributes {
    return new Attributes(this.#values.get(type) ?? new Uint8Array(0))
  }

  u8(type: number): number | undefined {
    return this.#sized(type, 1)?.getUint8(0)
  }

  u16(type: number): number | undefined {
    return this.#sized(type, 2)?.getUint16(0, true)
  }

  u32(type: number): number | undefined {
    return this.#sized(type, 4)?.getUint32(0, true)
  }

  text(type: number): string | undefined {
    const value = this.#values.get(type)
    if (value === undefined) return undefined
    const end = value.indexOf(0)
    return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end))
  }

  /** The text of an IP address. */
  ip(type: number): string | undefined {
    const value = this.#values.get(type)
    if (value !== undefined && value.length !== 4 && value.length !== 16) {
      throw malformed('netlink attribute', `${type} has ${value.length} bytes, not 4 or 16`)
    }
    return value === undefined ? undefined : formatIpAddress(value)
  }

  #sized(type: number, size: number): DataView | undefined {
    const value = this.#values.get(type)
    if (value === undefined) return undefined
    if (value.length < size) throw malformed('netlink attribute', `${type} has ${value.length} bytes, not ${size}`)
    return viewOf(value)
  }
}

/** Splits a payload into its fixed header of `size` bytes and its attributes; throws {@link TareError} if it is short. */
export const decodePayload = (
  what: string,
  payload: Uint8Array,
  size: number,
): { readonly header: DataView; readonly attributes: Attributes } => {
  if (payload.length < size) throw malformed(what, `it has ${payload.length} bytes, not ${size}`)
  return { header: viewOf(payload.subarray(0, size)), attributes: new Attributes(payload.subarray(align(size))) }
}
