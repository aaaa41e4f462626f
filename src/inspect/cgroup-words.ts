import { readFileSync } from 'node:fs'
import type { ControlFile } from '../linux/cgroup/index.ts'
import { parsePressure } from '../linux/cgroup/index.ts'
import { parseAmount } from '../linux/cgroup/parse.ts'
import { formatBytes, formatDuration } from '../runtime/units.ts'

/** The text of another file in the same directory. */
export type ReadSibling = (file: string) => string | undefined

/** `/dev/vda` for `254:0`; the numbers where the kernel has no name for them. */
export const deviceName = (numbers: string): string => {
  if (!/^\d+:\d+$/.test(numbers)) return numbers
  try {
    const name = /^DEVNAME=(.+)$/m.exec(readFileSync(`/sys/dev/block/${numbers}/uevent`, 'utf8'))?.[1]
    return name === undefined ? numbers : `/dev/${name}`
  } catch {
    return numbers // a device that is not there any more can still have a limit
  }
}

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')

const amount = (text: string, words: (value: number) => string): string => {
  const value = parseAmount(text)
  return value === undefined ? 'no limit' : words(value)
}

/** Half a processor as `0.5`; undefined without a limit. */
export const cpusOf = (text: string, period: string | undefined): number | undefined => {
  const [quota = '', own] = text.trim().split(' ')
  const value = parseAmount(quota)
  return value === undefined ? undefined : Number((value / Number(own ?? period ?? 100_000)).toPrecision(4))
}

const MOST_PAIRS = 6

const keyed = (text: string): string => {
  const all = lines(text)
  return all.length > MOST_PAIRS ? `${all.length} values` : all.join(', ')
}

const pressure = (text: string): string => {
  const { some, full } = parsePressure(text)
  const part = (name: string, line: typeof some): readonly string[] =>
    line === undefined ? [] : [`${name} ${line.avg10}%`]
  return `${[...part('some', some), ...part('full', full)].join(', ')} of the last 10s`
}

const RATES: Readonly<Record<string, string>> = { rbps: 'read', wbps: 'write', riops: 'read', wiops: 'write' }

/** `254:0 rbps=1048576 wbps=max riops=max wiops=100` → `/dev/vda read 1MiB/s, write 100 operations/s`. */
const ioMaxLine = (line: string): string => {
  const [device = '', ...pairs] = line.split(' ')
  const parts = pairs.flatMap((pair): readonly string[] => {
    const [name = '', text = 'max'] = pair.split('=')
    const value = parseAmount(text)
    if (value === undefined) return []
    return [`${RATES[name] ?? name} ${name.endsWith('bps') ? `${formatBytes(value)}/s` : `${value} operations/s`}`]
  })
  return `${deviceName(device)} ${parts.join(', ')}`
}

const perDevice = (text: string, words: (rest: string) => string): string => {
  const all = lines(text).map((line) => {
    const space = line.indexOf(' ')
    return space < 0 ? line : `${deviceName(line.slice(0, space))} ${words(line.slice(space + 1))}`
  })
  return all.length > MOST_PAIRS ? `${all.length} values` : all.join(', ')
}

const classWords = (text: string): string => {
  const value = parseAmount(text) ?? 0
  if (value === 0) return 'none'
  const hex = (part: number): string => part.toString(16)
  return `${hex(Math.floor(value / 0x10000))}:${hex(value % 0x10000)}`
}

const plain = (text: string): string => {
  const all = lines(text)
  return all.length > 1 ? `${all.length} lines` : (all[0] ?? '')
}

/** What the text of a control file says, in words of one line: sizes, times and rates with units. */
export const controlFileWords = (
  { file, unit }: Pick<ControlFile, 'file' | 'unit'>,
  text: string,
  read: ReadSibling,
): string => {
  const value = text.trim()
  switch (unit) {
    case 'bytes':
      return amount(value, formatBytes)
    case 'count':
      return amount(value, String)
    case 'microseconds':
      return amount(value, (number) => formatDuration(number / 1000))
    case 'nanoseconds':
      return amount(value, (number) => formatDuration(number / 1e6))
    case 'quota': {
      const cpus = cpusOf(value, read('cpu.cfs_period_us'))
      return cpus === undefined ? 'no limit' : `${cpus} processors`
    }
    case 'switch':
      return value === '1' ? 'yes' : value === '0' ? 'no' : value
    case 'device-bytes':
      return perDevice(text, (rest) => `${formatBytes(Number(rest))}/s`)
    case 'device-count':
      return perDevice(text, (rest) => `${rest} operations/s`)
    case 'devices':
      return file === 'io.max' ? lines(text).map(ioMaxLine).join(', ') : perDevice(text, (rest) => rest)
    case 'keyed':
      return keyed(text)
    case 'pressure':
      return pressure(text)
    case 'processes': {
      const count = lines(text).length
      return count === 1 ? '1 of them' : `${count} of them`
    }
    case 'class':
      return classWords(value)
    default:
      return plain(text)
  }
}
