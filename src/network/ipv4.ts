import { InputError } from '../linux/error.ts'
import { formatIpAddress, parseIpAddress } from '../linux/netlink/ip-address.ts'

/** The bytes of an IPv4 address in dotted form. Throws {@link InputError}. */
export const ipv4Bytes = (text: string, operation: string): Uint8Array => {
  const { family, bytes } = parseIpAddress(text)
  if (family === 4) return bytes
  throw new InputError({ operation, target: text, reason: 'it is no IPv4 address' })
}

/** An IPv4 address as a number. */
export const ipv4Number = (bytes: Uint8Array): number => bytes.reduce((number, byte) => number * 256 + byte, 0)

/** The text of an IPv4 address that is a number. */
export const ipv4Text = (number: number): string =>
  formatIpAddress(Uint8Array.of(number >>> 24, (number >>> 16) & 0xff, (number >>> 8) & 0xff, number & 0xff))
