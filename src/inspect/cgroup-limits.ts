import { dirname } from 'node:path'
import type { Cgroup, ControlFile } from '../linux/cgroup/index.ts'
import { controlFiles, hugetlbPageSizes } from '../linux/cgroup/index.ts'
import { readIfThere } from '../linux/cgroup/file.ts'
import { parseAmount } from '../linux/cgroup/parse.ts'
import { formatBytes, formatDuration } from '../runtime/units.ts'
import { cpusOf, deviceName } from './cgroup-words.ts'

/** A limit that is set, in the form in which `setCgroup` takes it: `memory` and `64MiB`. */
export interface CgroupLimit {
  /** Tare's short name, or the kernel's own of the file. */
  readonly key: string
  readonly value: string
  /** Where it stands. */
  readonly file: string
}

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')

const isUnset = ({ unset }: ControlFile, text: string, parent: () => string | undefined): boolean => {
  const value = text.trim()
  if (unset === 'max') return parseAmount(value.split(' ')[0] ?? '') === undefined
  return unset === 'parent' ? value === parent()?.trim() : value === unset
}

/** Exact where a unit is: what is no round number of them stays a number of bytes. */
const bytes = (value: number): string => {
  const words = formatBytes(value)
  const [, number = '', unit = ''] = /^([\d.]+)(\D+)$/.exec(words) ?? []
  const exact = Number(number) * 1024 ** Math.max(0, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'].indexOf(unit))
  return exact === value ? words : String(value)
}

const IO_KEYS: Readonly<Record<string, string>> = {
  rbps: 'read-bps',
  wbps: 'write-bps',
  riops: 'read-iops',
  wiops: 'write-iops',
}

/** `254:0 rbps=1048576 …` of version 2's io.max, limit by limit. */
const ioLimits = (text: string, file: string): readonly CgroupLimit[] => {
  const found = new Map<string, string[]>()
  for (const line of lines(text)) {
    const [device = '', ...pairs] = line.split(' ')
    for (const pair of pairs) {
      const [name = '', limit = 'max'] = pair.split('=')
      const value = parseAmount(limit)
      const key = IO_KEYS[name]
      if (value === undefined || key === undefined) continue
      const entry = `${deviceName(device)}:${name.endsWith('bps') ? bytes(value) : value}`
      found.set(key, [...(found.get(key) ?? []), entry])
    }
  }
  return [...found].map(([key, values]) => ({ key, value: values.join(','), file }))
}

const deviceLimit = (text: string, words: (value: number) => string): string =>
  lines(text)
    .map((line) => {
      const [device = '', value = ''] = line.split(' ')
      return `${deviceName(device)}:${words(Number(value))}`
    })
    .join(',')

/** `default 200` and `8:0 50` → `200,8:0:50`. */
const weights = (text: string): string =>
  lines(text)
    .map((line) =>
      line.replace(/^default /, '').replace(/^(\d+:\d+) /, (_, device: string) => `${deviceName(device)}:`),
    )
    .join(',')

const settingValue = (
  { file, unit, key }: ControlFile,
  text: string,
  read: (name: string) => string | undefined,
): string => {
  const value = text.trim()
  const number = parseAmount(value)
  switch (unit) {
    case 'bytes':
      return number === undefined ? 'max' : bytes(number)
    case 'microseconds':
      return number === undefined ? value : formatDuration(number / 1000)
    case 'quota':
      return String(cpusOf(value, read('cpu.cfs_period_us')) ?? 'max')
    case 'switch':
      return key === undefined ? value : value === '1' ? 'on' : 'off'
    case 'device-bytes':
      return deviceLimit(text, bytes)
    case 'device-count':
      return deviceLimit(text, String)
    case 'class': {
      const tag = number ?? 0
      return `${Math.floor(tag / 0x10000).toString(16)}:${(tag % 0x10000).toString(16)}`
    }
    default:
      if (key === 'io-weight') return weights(text)
      return file === 'devices.list' ? lines(text).join(',') || 'none' : lines(text).join(',')
  }
}

const withPageSizes = (files: readonly ControlFile[], sizes: readonly string[]): readonly ControlFile[] =>
  files.flatMap((known) =>
    known.file.includes('*')
      ? sizes.map((size) => ({
          ...known,
          file: known.file.replace('*', size),
          key: known.key === undefined ? undefined : `${known.key}-${size}`,
        }))
      : [known],
  )

/** Reads which limits are set in groups. Keeps the tables that this takes, so it is made once for many groups. */
export const limitReader = (): ((cgroup: Cgroup) => readonly CgroupLimit[]) => {
  const sizes = hugetlbPageSizes()
  const settable = (version: 1 | 2): readonly ControlFile[] =>
    withPageSizes(
      controlFiles(version).filter(({ unset }) => unset !== undefined),
      sizes,
    )
  const tables = { 1: settable(1), 2: settable(2) }
  return ({ directories }) =>
    directories.flatMap(({ hierarchy: { version, controllers, mountPoint }, directory }): readonly CgroupLimit[] => {
      if (directory === mountPoint) return [] // the root has no limits, and on version 1 files that look like some
      const own = version === 1 ? controllers.map((name) => (name === 'blkio' ? 'io' : name)) : undefined
      const read = (name: string): string | undefined => readIfThere(`${directory}/${name}`)
      return tables[version]
        .filter(({ controller }) => own === undefined || own.includes(controller))
        .flatMap((known): readonly CgroupLimit[] => {
          const { file, key = file } = known
          const text = read(file)
          if (text === undefined) return []
          if (isUnset(known, text, () => readIfThere(`${dirname(directory)}/${file}`))) return []
          if (file === 'io.max') return ioLimits(text, file)
          return [{ key, value: settingValue(known, text, read), file }]
        })
    })
}
