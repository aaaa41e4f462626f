import { InputError } from '../linux/error.ts'

/** Checks a value of unknown type, which stands at this place of a JSON document, and returns it typed. */
export type Read<T> = (value: unknown, at: string) => T

/** An integer of 64 bits: a bigint where a number couldn't hold it. */
export type Integer = number | bigint

/** Throws the {@link InputError} for what stands at a place: `cannot use config.json: root.path: "" is empty`. */
export const refuse = (at: string, reason: string, hint?: string): never => {
  throw new InputError({ operation: 'use', target: at.replace(/:$/, ''), reason, hint })
}

/** A value as it is quoted in an error. */
export const show = (value: unknown): string => {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return JSON.stringify(value) ?? String(value)
}

const IDENTIFIER = /^[A-Za-z_]\w*$/

/** The place of a property: `linux.resources.memory`, `linux.sysctl["net.ipv4.ip_forward"]`. A document ends in `:`. */
export const placeOf = (at: string, key: string): string => {
  if (!IDENTIFIER.test(key))
    return at.endsWith(':') ? `${at} [${JSON.stringify(key)}]` : `${at}[${JSON.stringify(key)}]`
  return at.endsWith(':') ? `${at} ${key}` : `${at}.${key}`
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The properties of an object. What isn't asked for is ignored, as the specification wants it (Extensibility). */
export class Fields {
  readonly at: string
  readonly #record: Readonly<Record<string, unknown>>

  constructor(value: unknown, at: string) {
    this.at = at
    this.#record = isRecord(value) ? value : refuse(at, `${show(value)} is no object`)
  }

  /** Undefined where it is absent, or null, which is how Go writes a list or an object that there isn't. */
  optional<T>(key: string, read: Read<T>): T | undefined {
    const value = Object.hasOwn(this.#record, key) ? this.#record[key] : undefined
    return value === undefined || value === null ? undefined : read(value, placeOf(this.at, key))
  }

  required<T>(key: string, read: Read<T>): T {
    return this.optional(key, read) ?? refuse(placeOf(this.at, key), 'it is required, and missing')
  }
}

/** A string without NUL, at which the kernel would end it. */
export const string: Read<string> = (value, at) => {
  if (typeof value !== 'string') return refuse(at, `${show(value)} is no string`)
  return value.includes('\0') ? refuse(at, `${show(value)} has a NUL in it`) : value
}

export const nonEmpty: Read<string> = (value, at) => {
  const text = string(value, at)
  return text === '' ? refuse(at, 'it is empty') : text
}

export const absolutePath: Read<string> = (value, at) => {
  const path = nonEmpty(value, at)
  return path.startsWith('/') ? path : refuse(at, `${show(path)} is no absolute path`)
}

/** A string that becomes one line of a file of the kernel. */
export const line: Read<string> = (value, at) => {
  const text = nonEmpty(value, at)
  return text.includes('\n') ? refuse(at, `${show(text)} has more than one line`) : text
}

export const boolean: Read<boolean> = (value, at) =>
  typeof value === 'boolean' ? value : refuse(at, `${show(value)} is neither true nor false`)

/** An integer within these bounds, which are included. */
export const integer =
  (least: number, most: number): Read<number> =>
  (value, at) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? value
      : refuse(at, `${show(value)} is no integer from ${least} to ${most}`)

export const uint16: Read<number> = integer(0, 0xffff)
export const uint32: Read<number> = integer(0, 0xffff_ffff)
export const int32: Read<number> = integer(-(2 ** 31), 2 ** 31 - 1)

const wide =
  (least: bigint, most: bigint): Read<Integer> =>
  (value, at) => {
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      return refuse(at, `${value} has lost bits as a number`, 'Give an integer from 2^53 up as a bigint.')
    }
    if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) {
      if (value >= least && value <= most) return value
    }
    return refuse(at, `${show(value)} is no integer from ${least} to ${most}`)
  }

export const int64: Read<Integer> = wide(-(2n ** 63n), 2n ** 63n - 1n)
export const uint64: Read<Integer> = wide(0n, 2n ** 64n - 1n)

/** A value of 64 bits of which the negative one, -1, stands for "no limit". */
export const limit: Read<Integer> = wide(-1n, 2n ** 63n - 1n)

export const oneOf =
  <T extends string>(choices: readonly T[]): Read<T> =>
  (value, at) =>
    choices.find((choice) => choice === value) ?? refuse(at, `${show(value)} is not one of ${choices.join(', ')}`)

export const arrayOf =
  <T>(read: Read<T>): Read<readonly T[]> =>
  (value, at) =>
    Array.isArray(value)
      ? value.map((each, index) => read(each, `${at}[${index}]`))
      : refuse(at, `${show(value)} is no array`)

/** An object whose keys are not names of properties but data. */
export const mapOf =
  <T>(read: Read<T>): Read<Readonly<Record<string, T>>> =>
  (value, at) =>
    isRecord(value)
      ? Object.fromEntries(Object.entries(value).map(([key, each]) => [string(key, at), read(each, placeOf(at, key))]))
      : refuse(at, `${show(value)} is no object`)

/** Refuses a list in which two entries have the same key. */
export const refuseTwice = <T>(list: readonly T[], at: string, keyOf: (entry: T) => string): void => {
  const seen = new Set<string>()
  for (const [index, entry] of list.entries()) {
    const key = keyOf(entry)
    if (seen.has(key)) refuse(`${at}[${index}]`, `${key} is there twice`)
    seen.add(key)
  }
}
