import type { Amount, CgroupLimits, IoDeviceLimits } from '../linux/cgroup/index.ts'
import { blockDeviceOf, controlFiles } from '../linux/cgroup/index.ts'
import { InputError } from '../linux/error.ts'
import { suggest } from '../linux/suggest.ts'
import { parseBytes, parseCpus, parseDuration } from '../runtime/units.ts'
import { parseDeviceRules } from './cgroup-devices.ts'

const refuse = (key: string, value: string, reason: string, hint: string): InputError =>
  new InputError({ operation: 'set', target: `${key} to ${JSON.stringify(value)}`, reason, hint })

const isMax = (value: string): boolean => value === 'max' || value === 'unlimited'

/** A size, or no limit. */
const size = (value: string, key: string): Amount => (isMax(value) ? 'max' : parseBytes(value, key))

const whole = (value: string, key: string, example: string): number => {
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw refuse(key, value, 'it is not a whole number', `Write ${key}=${example}.`)
}

const yes = (value: string, key: string): boolean => {
  if (['on', 'yes', 'true', '1'].includes(value)) return true
  if (['off', 'no', 'false', '0'].includes(value)) return false
  throw refuse(key, value, 'it is either on or off', `Write ${key}=on or ${key}=off.`)
}

/** Each `DEVICE:VALUE` of a list; a device is a path, or its numbers, which have a colon in them too. */
const perDevice = (
  value: string,
  key: string,
  example: string,
  limit: (text: string) => Omit<IoDeviceLimits, 'major' | 'minor'>,
): readonly IoDeviceLimits[] =>
  value.split(',').map((part) => {
    const colon = part.lastIndexOf(':')
    const [device, text] = [part.slice(0, Math.max(0, colon)), part.slice(colon + 1)]
    if (device === '' || text === '')
      throw refuse(key, value, 'it is not DEVICE:VALUE', `Write ${key}=${example}, or the device as 8:0.`)
    const numbers = /^(\d+):(\d+)$/.exec(device)
    const found = numbers === null ? blockDeviceOf(device) : { major: Number(numbers[1]), minor: Number(numbers[2]) }
    return { ...found, ...limit(text) }
  })

const rate = (text: string, key: string): Amount => (isMax(text) ? 'max' : parseBytes(text.replace(/\/s$/, ''), key))

const operations = (text: string, key: string): Amount =>
  isMax(text) ? 'max' : whole(text.replace(/\/s$/, ''), key, '/dev/sda:100')

/** `200`, or `/dev/sda:200` for one device. */
const ioWeight = (value: string, key: string): CgroupLimits['io'] => {
  const example = '/dev/sda:200'
  const [all, ...some] = value.split(',').toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
  const weight = all === undefined || all.includes(':') ? undefined : whole(all, key, '200')
  const listed = weight === undefined ? value : some.join(',')
  const devices =
    listed === '' ? [] : perDevice(listed, key, example, (text) => ({ weight: whole(text, key, example) }))
  return { weight, devices }
}

/** `10:1`, major and minor handle in hexadecimal as in tc(8), or the number `0x00100001`. */
const netClass = (value: string, key: string): number => {
  const handle = /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(value)
  if (handle !== null) return Number.parseInt(handle[1] ?? '', 16) * 0x10000 + Number.parseInt(handle[2] ?? '', 16)
  const number = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(value) ? Number(value) : Number.NaN
  if (number < 2 ** 32) return number
  throw refuse(key, value, 'it is no class', `Write ${key}=10:1 (both hexadecimal, as tc has it) or ${key}=0x100001.`)
}

const netPriorities = (value: string, key: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    value.split(',').map((part): readonly [string, number] => {
      const match = /^([^\s:/]+):(\d{1,9})$/.exec(part)
      if (match === null) throw refuse(key, value, 'it is not INTERFACE:PRIORITY', `Write ${key}=eth0:5.`)
      return [match[1] ?? '', Number(match[2])]
    }),
  )

/** A setting by its short name. */
interface Setting {
  readonly key: string
  readonly example: string
  readonly description: string
  readonly parse: (value: string, key: string) => CgroupLimits
}

const SETTINGS: readonly Setting[] = [
  {
    key: 'memory',
    example: '64MiB',
    description: 'the most memory: what needs more is killed',
    parse: (value, key) => ({ memory: { max: size(value, key) } }),
  },
  {
    key: 'memory-high',
    example: '48MiB',
    description: 'above it processes are slowed down (version 2)',
    parse: (value, key) => ({ memory: { high: size(value, key) } }),
  },
  {
    key: 'memory-low',
    example: '32MiB',
    description: 'memory that is taken away last (version 2)',
    parse: (value, key) => ({ memory: { low: size(value, key) } }),
  },
  {
    key: 'memory-min',
    example: '16MiB',
    description: 'memory that is never taken away (version 2)',
    parse: (value, key) => ({ memory: { min: size(value, key) } }),
  },
  {
    key: 'memory-soft',
    example: '32MiB',
    description: 'what is left to it when the host runs short of memory; memory-low on version 2',
    parse: (value, key) => ({ memory: { soft: size(value, key) } }),
  },
  {
    key: 'memory-tcp',
    example: '8MiB',
    description: 'the most memory for buffers of TCP sockets (version 1)',
    parse: (value, key) => ({ memory: { kernelTcp: size(value, key) } }),
  },
  {
    key: 'swap',
    example: '128MiB',
    description: 'the most swap space, memory not included',
    parse: (value, key) => ({ memory: { swap: size(value, key) } }),
  },
  {
    key: 'swappiness',
    example: '60',
    description: 'how readily memory goes to swap space, 0 to 100 (version 1)',
    parse: (value, key) => ({ memory: { swappiness: whole(value, key, '60') } }),
  },
  {
    key: 'oom-group',
    example: 'on',
    description: 'out of memory kills the whole group (version 2)',
    parse: (value, key) => ({ memory: { oomGroup: yes(value, key) } }),
  },
  {
    key: 'oom-kill',
    example: 'off',
    description: 'out of memory makes processes wait rather than killing one (version 1)',
    parse: (value, key) => ({ memory: { oomKillDisable: !yes(value, key) } }),
  },
  {
    key: 'cpus',
    example: '0.5',
    description: 'processor time: that of so many processors at most',
    parse: (value, key) => ({ cpu: isMax(value) ? { quota: 'max' } : parseCpus(value, key) }),
  },
  {
    key: 'cpu-weight',
    example: '50',
    description: 'share of processor time when there is not enough for all, 1 to 10000, by default 100',
    parse: (value, key) => ({ cpu: { weight: whole(value, key, '50') } }),
  },
  {
    key: 'cpu-shares',
    example: '512',
    description: 'the same on the scale of version 1, 2 to 262144, by default 1024',
    parse: (value, key) => ({ cpu: { shares: whole(value, key, '512') } }),
  },
  {
    key: 'cpu-burst',
    example: '20ms',
    description: 'how much unused processor time may be saved up',
    parse: (value, key) => ({ cpu: { burst: Math.round(parseDuration(value, key) * 1000) } }),
  },
  {
    key: 'cpu-idle',
    example: 'on',
    description: 'run only when nothing else wants to',
    parse: (value, key) => ({ cpu: { idle: yes(value, key) } }),
  },
  {
    key: 'cpuset-cpus',
    example: '0-1',
    description: 'the processors it may run on',
    parse: (value) => ({ cpuset: { cpus: value } }),
  },
  {
    key: 'cpuset-mems',
    example: '0',
    description: 'the memory nodes it may use',
    parse: (value) => ({ cpuset: { mems: value } }),
  },
  {
    key: 'pids',
    example: '100',
    description: 'the most processes and threads',
    parse: (value, key) => ({ pids: isMax(value) ? 'max' : whole(value, key, '100') }),
  },
  {
    key: 'read-bps',
    example: '/dev/sda:10MiB',
    description: 'the most bytes read a second from the disk; any path on it will do',
    parse: (value, key) => ({
      io: { devices: perDevice(value, key, '/dev/sda:10MiB', (text) => ({ readBytes: rate(text, key) })) },
    }),
  },
  {
    key: 'write-bps',
    example: '/dev/sda:10MiB',
    description: 'the most bytes written a second',
    parse: (value, key) => ({
      io: { devices: perDevice(value, key, '/dev/sda:10MiB', (text) => ({ writeBytes: rate(text, key) })) },
    }),
  },
  {
    key: 'read-iops',
    example: '/dev/sda:100',
    description: 'the most read operations a second',
    parse: (value, key) => ({
      io: { devices: perDevice(value, key, '/dev/sda:100', (text) => ({ readOps: operations(text, key) })) },
    }),
  },
  {
    key: 'write-iops',
    example: '/dev/sda:100',
    description: 'the most write operations a second',
    parse: (value, key) => ({
      io: { devices: perDevice(value, key, '/dev/sda:100', (text) => ({ writeOps: operations(text, key) })) },
    }),
  },
  {
    key: 'io-weight',
    example: '200',
    description: 'share of block I/O, 1 to 10000, by default 100; or by device: /dev/sda:200',
    parse: (value, key) => ({ io: ioWeight(value, key) }),
  },
  {
    key: 'devices',
    example: 'standard,/dev/fuse:rw',
    description: 'the devices it may use, all others it may not; "all", "none", and ! for exceptions',
    parse: (value) => ({ devices: parseDeviceRules(value) }),
  },
  {
    key: 'net-class',
    example: '10:1',
    description: 'the class its packets are tagged with (version 1)',
    parse: (value, key) => ({ netClass: netClass(value, key) }),
  },
  {
    key: 'net-priority',
    example: 'eth0:5',
    description: 'the priority of its packets by interface (version 1)',
    parse: (value, key) => ({ netPriorities: netPriorities(value, key) }),
  },
  {
    key: 'hugetlb-2MB',
    example: '64MiB',
    description: 'the most huge pages of a size',
    parse: (value, key) => ({
      hugetlb: [{ pageSize: key.slice('hugetlb-'.length), max: size(value, key) }],
    }),
  },
]

/** The short names of settings, each with a value for example and what it sets: for help and completions. */
export const CGROUP_SETTINGS: readonly Pick<Setting, 'key' | 'example' | 'description'>[] = SETTINGS.map(
  ({ key, example, description }) => ({ key, example, description }),
)

const settingOf = (key: string): Setting => {
  const name = /^hugetlb-\d+[KMG]B$/.test(key) ? 'hugetlb-2MB' : key
  const setting = SETTINGS.find((known) => known.key === name)
  if (setting !== undefined) return setting
  const meant = suggest(
    key,
    SETTINGS.map((known) => known.key),
  )
  throw new InputError({
    operation: 'set',
    target: JSON.stringify(key),
    reason: 'there is no such setting',
    hint:
      meant === undefined
        ? `There are ${SETTINGS.map((known) => known.key).join(', ')}, and the names of the kernel's files.`
        : `Did you mean ${meant}?`,
  })
}

const merge = (a: CgroupLimits, b: CgroupLimits): CgroupLimits => ({
  ...a,
  ...b,
  ...(a.cpu && b.cpu ? { cpu: { ...a.cpu, ...b.cpu } } : {}),
  ...(a.cpuset && b.cpuset ? { cpuset: { ...a.cpuset, ...b.cpuset } } : {}),
  ...(a.memory && b.memory ? { memory: { ...a.memory, ...b.memory } } : {}),
  ...(a.hugetlb && b.hugetlb ? { hugetlb: [...a.hugetlb, ...b.hugetlb] } : {}),
  ...(a.io && b.io
    ? {
        io: {
          weight: b.io.weight ?? a.io.weight,
          devices: [...(a.io.devices ?? []), ...(b.io.devices ?? [])],
        },
      }
    : {}),
})

/** Settings as people write them, taken apart. */
export interface CgroupSettings {
  readonly limits: CgroupLimits
  /** The kernel's own files, with values as they were written; set after the limits, in order. */
  readonly files: readonly { readonly file: string; readonly value: string }[]
}

/** Short names in kebab-case have no dot, the kernel's names of files have one: `memory.soft` is neither. */
const isFile = (key: string): boolean => {
  if (!key.includes('.')) return false
  const name = key.replaceAll('.', '-')
  const known = ([1, 2] as const).some((version) => controlFiles(version).some(({ file }) => file === key))
  if (known || !SETTINGS.some((setting) => setting.key === name)) return true
  const reason = 'the kernel has no file of this name'
  throw new InputError({ operation: 'set', target: key, reason, hint: `Did you mean ${name}?` })
}

/**
 * Reads settings such as `memory=64MiB`, `cpus=0.5`, `write-bps=/var:1MiB`, or with the kernel's own names
 * `memory.high=48MiB`. Throws {@link InputError} for one that isn't known, is given twice, or has a value in a form that
 * it doesn't take; it says which form it does.
 */
export const parseCgroupSettings = (words: readonly string[]): CgroupSettings => {
  const seen = new Set<string>()
  let limits: CgroupLimits = {}
  const files: { file: string; value: string }[] = []
  for (const word of words) {
    const equals = word.indexOf('=')
    if (equals <= 0) {
      const hint = "Write a setting as memory=64MiB, or with the name of the kernel's file: pids.max=100."
      throw new InputError({ operation: 'set', target: JSON.stringify(word), reason: 'it is not KEY=VALUE', hint })
    }
    const [key, value] = [word.slice(0, equals), word.slice(equals + 1)]
    if (seen.has(key)) {
      const hint = /-(bps|iops)$/.test(key) ? `Write ${key}=/dev/sda:1MiB,/dev/sdb:2MiB.` : 'Which of them is meant?'
      throw new InputError({ operation: 'set', target: key, reason: 'it is given more than once', hint })
    }
    seen.add(key)
    if (isFile(key)) {
      files.push({ file: key, value })
      continue
    }
    const { parse, example } = settingOf(key)
    if (value === '') throw refuse(key, value, 'its value is missing', `Write ${key}=${example}.`)
    limits = merge(limits, parse(value, key))
  }
  return { limits, files }
}
