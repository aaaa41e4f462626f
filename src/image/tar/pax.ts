import { TareError } from '../../linux/error.ts'

/** Records of a PAX extended header by keyword; values are bytes, each character one (pax(1), "pax Extended Header"). */
export type PaxRecords = ReadonlyMap<string, string>

const wrong = (reason: string): TareError =>
  new TareError({ operation: 'read the archive', code: 'ERR_TARE_ARCHIVE', reason })

/** `LENGTH KEYWORD=VALUE\n`, where the length counts itself. */
const encodeRecord = (keyword: string, value: string): string => {
  const rest = ` ${keyword}=${value}\n`
  let length = rest.length
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length
  return `${length}${rest}`
}

/** The body of an extended header. */
export const encodePax = (records: PaxRecords): Uint8Array =>
  Buffer.from([...records].map(([keyword, value]) => encodeRecord(keyword, value)).join(''), 'latin1')

/** Reads the body of an extended header. Throws {@link TareError} for what is none. */
export const parsePax = (bytes: Uint8Array): PaxRecords => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const records = new Map<string, string>()
  for (let at = 0; at < text.length;) {
    const [head = '', digits = ''] = /^([1-9]\d{0,9}) /.exec(text.slice(at, at + 11)) ?? []
    const end = at + Number(digits)
    const equals = text.indexOf('=', at + head.length)
    if (digits === '' || end > text.length || text[end - 1] !== '\n' || equals < 0 || equals >= end)
      throw wrong('an extended header of it is damaged')
    records.set(text.slice(at + head.length, equals), text.slice(equals + 1, end - 1))
    at = end
  }
  return records
}

/** Nanoseconds since 1970 as seconds with a fraction. */
export const formatPaxTime = (time: bigint): string => {
  const [sign, size] = time < 0n ? ['-', -time] : ['', time]
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${sign}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`
}

/** Seconds with a fraction as nanoseconds since 1970; what is finer is cut off. Throws {@link TareError}. */
export const parsePaxTime = (text: string): bigint => {
  const [, sign, seconds, fraction = ''] = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(text) ?? []
  if (seconds === undefined) throw wrong(`${JSON.stringify(text)} is no time`)
  const size = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  return sign === '-' ? -size : size
}

/** A whole number that a file can have as its size, its owner or an offset. Throws {@link TareError}. */
export const parsePaxNumber = (text: string): number => {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  throw wrong(`${JSON.stringify(text)} is no number`)
}
