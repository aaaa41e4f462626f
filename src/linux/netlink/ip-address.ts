import { InputError } from '../error.ts'

/** An IP address as the kernel takes it: 4 or 16 bytes in network order. */
export interface IpAddress {
  readonly family: 4 | 6
  readonly bytes: Uint8Array
}

/** An IP address and how many of its leading bits name the network. */
export interface IpPrefix extends IpAddress {
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly length: number
}

const parseIpv4 = (text: string): Uint8Array | undefined => {
  const parts = text.split('.')
  // No leading zeros: some readers take 010 for octal, and what is checked must be what is meant.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) {
    return undefined
  }
  return Uint8Array.from(parts, Number)
}

const parseGroups = (text: string): readonly number[] | undefined => {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    const ipv4 = index === parts.length - 1 && part.includes('.') ? parseIpv4(part) : undefined
    if (ipv4 !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = ipv4
      groups.push(a * 256 + b, c * 256 + d)
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else {
      return undefined
    }
  }
  return groups
}

const parseIpv6 = (text: string): Uint8Array | undefined => {
  const halves = text.split('::')
  const [head, tail] = halves.map(parseGroups)
  if (halves.length > 2 || head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  // The dotted form stands at the very end only, so not before a "::".
  if (halves.length === 2 && halves[0]?.includes('.')) return undefined
  const known = head.length + (tail?.length ?? 0)
  if (halves.length === 2 ? known > 7 : known !== 8) return undefined
  const groups = [...head, ...Array.from({ length: 8 - known }, () => 0), ...(tail ?? [])]
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

/**
 * Reads an IPv4 address in dotted form or an IPv6 address (RFC 4291, section 2.2), without a zone. Throws
 * {@link InputError} for anything else.
 */
export const parseIpAddress = (text: string): IpAddress => {
  const ipv4 = parseIpv4(text)
  if (ipv4 !== undefined) return { family: 4, bytes: ipv4 }
  const ipv6 = parseIpv6(text)
  if (ipv6 !== undefined) return { family: 6, bytes: ipv6 }
  throw new InputError({
    operation: 'read IP address',
    target: JSON.stringify(text),
    reason: 'it is neither an IPv4 nor an IPv6 address',
    hint: 'Write it as 10.0.0.1 or fd00::1, without a zone.',
  })
}

/** Reads `10.0.0.1/24` or `fd00::1/64`; without a slash, all bits. Throws {@link InputError}. */
export const parseIpPrefix = (text: string): IpPrefix => {
  const slash = text.indexOf('/')
  const address = parseIpAddress(slash < 0 ? text : text.slice(0, slash))
  const bits = address.bytes.length * 8
  const digits = slash < 0 ? String(bits) : text.slice(slash + 1)
  if (!/^(0|[1-9]\d{0,2})$/.test(digits) || Number(digits) > bits) {
    throw new InputError({
      operation: 'read IP prefix',
      target: JSON.stringify(text),
      reason: `its length is no number from 0 to ${bits}`,
    })
  }
  return { ...address, length: Number(digits) }
}

/** The longest run of two or more zero groups, the first of equals: [start, length], or length 0. */
const longestZeros = (groups: readonly number[]): readonly [start: number, length: number] => {
  let best: readonly [number, number] = [0, 0]
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > 1 && length > best[1]) best = [start, length]
  }
  return best
}

/** The text of 4 or 16 bytes: dotted, or as RFC 5952 has it. Throws {@link InputError} for another length. */
export const formatIpAddress = (bytes: Uint8Array): string => {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) {
    throw new InputError({
      operation: 'write IP address',
      reason: `it has ${bytes.length} bytes instead of 4 or 16`,
    })
  }
  const groups = Array.from({ length: 8 }, (_, index) => (bytes[index * 2] ?? 0) * 256 + (bytes[index * 2 + 1] ?? 0))
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (mapped) return `::ffff:${bytes.subarray(12).join('.')}`
  const words = groups.map((group) => group.toString(16))
  const [start, length] = longestZeros(groups)
  if (length === 0) return words.join(':')
  return `${words.slice(0, start).join(':')}::${words.slice(start + length).join(':')}`
}
