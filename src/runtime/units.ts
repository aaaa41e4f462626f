import { InputError } from '../linux/error.ts'

const refuse = (value: string | number, what: string, reason: string, hint: string): InputError =>
  new InputError({ operation: 'use', target: `${JSON.stringify(value)} as ${what}`, reason, hint })

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

const BYTES_HINT = 'Write a number of bytes, or one with a unit: 64m, 256MiB, 1.5g.'

/**
 * A size in bytes: a number, or text as docker takes it. Each unit is a power of 1024, whichever way it is written:
 * `64m`, `64mb`, `64M` and `64MiB` are all 67108864. Units are b, k, m, g, t, p; a fraction of a byte is cut off.
 *
 * @param what the option it is for, which the error names: `--memory`
 * @throws InputError if it isn't a size, or is 2^53 or more.
 */
export const parseBytes = (value: string | number, what: string): number => {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return value
    throw refuse(value, what, 'a size is a whole number of bytes, not negative', BYTES_HINT)
  }
  const match = /^(\d+(?:\.\d*)?|\.\d+) ?(?:b|([kmgtp])(?:i?b)?)?$/i.exec(value.trim())
  if (match === null) throw refuse(value, what, 'it is not a size', BYTES_HINT)
  const power = match[2] === undefined ? 0 : 'kmgtp'.indexOf(match[2].toLowerCase()) + 1
  const bytes = Math.trunc(Number(match[1]) * 1024 ** power)
  if (!Number.isSafeInteger(bytes)) throw refuse(value, what, 'it is too large', 'The largest size is below 8 PiB.')
  return bytes
}

/** A size for people to read, rounded to four digits: `0B`, `1000B`, `1.5MiB`, `1023GiB`. */
export const formatBytes = (bytes: number): string => {
  let power = 0
  let value = bytes
  // What would be rounded up to 1024 belongs to the next unit.
  while (Number(value.toPrecision(4)) >= 1024 && power < BYTE_UNITS.length - 1) {
    value /= 1024
    power++
  }
  return `${Number(value.toPrecision(4))}${BYTE_UNITS[power]}`
}

/** Each unit in ms. */
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

const DURATION_PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g
const DURATION = new RegExp(`^(?:${DURATION_PART.source})+$`)

const DURATION_HINT = 'Write numbers with units: 500ms, 5s, 1m30s, 2h.'

/**
 * A length of time in milliseconds: a number of them, or text of numbers with units (ns, us, ms, s, m, h), as docker
 * takes it: `1m30s`, `1.5s`. Text without a unit is refused, unless it is `0`: the unit would be a guess.
 *
 * @param what the option it is for, which the error names: `--timeout`
 * @throws InputError if it isn't a length of time, or is negative.
 */
export const parseDuration = (value: string | number, what: string): number => {
  if (typeof value === 'number') {
    if (Number.isFinite(value) && value >= 0) return value
    throw refuse(value, what, 'a length of time is a number of milliseconds, not negative', DURATION_HINT)
  }
  const text = value.trim()
  if (text === '0') return 0
  if (!DURATION.test(text)) {
    const reason = /^[\d.]+$/.test(text) ? 'it has no unit' : 'it is not a length of time'
    throw refuse(value, what, reason, DURATION_HINT)
  }
  let total = 0
  for (const [, number, unit] of text.matchAll(DURATION_PART)) {
    total += Number(number) * (DURATION_UNITS[unit ?? ''] ?? Number.NaN)
  }
  if (!Number.isFinite(total)) throw refuse(value, what, 'it is too long', DURATION_HINT)
  // 30.001 × 1000 is not quite 30001.
  const whole = Math.round(total)
  return Math.abs(whole - total) <= Math.max(5e-7, total * 2 ** -50) ? whole : total
}

/** A length of time in ms for people to read; exact for whole ms: `0s`, `500ms`, `1.5s`, `1m30s`, `26h0m1s`. */
export const formatDuration = (ms: number): string => {
  if (ms > 0 && ms < 1000) return `${Number(ms.toPrecision(4))}ms`
  const rounded = Math.round(ms)
  const hours = Math.floor(rounded / 3_600_000)
  const minutes = Math.floor((rounded % 3_600_000) / 60_000)
  const seconds = `${(rounded % 60_000) / 1000}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}

/** A share of processor time: so much of each period, both in µs (cgroup-v2(7), cpu.max). */
export interface CpuBandwidth {
  readonly quota: number
  readonly period: number
}

/** The kernel's own default, in µs; docker's too. */
const CPU_PERIOD = 100_000
/** The bounds that the kernel sets to a quota, in µs (kernel/sched/core.c). */
const CPU_QUOTA_MIN = 1000
const CPU_QUOTA_MAX = 2 ** 44 - 1

/**
 * A number of processors, a fraction too, as the quota that gives it: `0.5` is 50000 µs of every 100000 µs.
 *
 * @param what the option it is for, which the error names: `--cpus`
 * @throws InputError if it isn't a number, or is less than 0.01, the least that the kernel takes.
 */
export const parseCpus = (value: string | number, what: string): CpuBandwidth => {
  const text = String(value).trim()
  const cpus = typeof value === 'number' ? value : /^(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : Number.NaN
  const hint = 'Write how many processors it may use: 0.5, 2.'
  if (!Number.isFinite(cpus)) throw refuse(value, what, 'it is not a number of processors', hint)
  const quota = Math.round(cpus * CPU_PERIOD)
  if (quota < CPU_QUOTA_MIN) throw refuse(value, what, 'the least is 0.01', hint)
  if (quota > CPU_QUOTA_MAX) throw refuse(value, what, 'the kernel takes no quota as large as that', hint)
  return { quota, period: CPU_PERIOD }
}
