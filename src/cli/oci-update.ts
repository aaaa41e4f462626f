import { readFileSync } from 'node:fs'
import type { OciResources } from '../index.ts'
import { parseResources, updateContainer } from '../index.ts'
import type { OciVerb } from './oci-globals.ts'
import { ociVerb, warner } from './oci-globals.ts'
import { UsageError } from './usage-error.ts'

const NUMBERS = [
  ['memory', 'memory', 'limit', 'Bytes of memory, -1 for no limit.'],
  ['memory-reservation', 'memory', 'reservation', 'Bytes that are left to it when memory is short.'],
  ['memory-swap', 'memory', 'swap', 'Bytes of memory and swap together.'],
  ['cpu-period', 'cpu', 'period', 'Microseconds of a period.'],
  ['cpu-quota', 'cpu', 'quota', 'Microseconds of processor time in each period.'],
  ['cpu-burst', 'cpu', 'burst', 'Microseconds of unused quota that may be saved up.'],
  ['cpu-share', 'cpu', 'shares', 'Its share where processors are contended, 1024 by default.'],
  ['cpu-idle', 'cpu', 'idle', '1: run only when nothing else wants to.'],
  ['pids-limit', 'pids', 'limit', 'Processes and threads.'],
  ['blkio-weight', 'blockIO', 'weight', '10 to 1000.'],
] as const

const read = (path: string): string => {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new UsageError(`cannot read ${path} as resources: ${code}`)
  }
}

const parseNumber = (option: string, text: string): number => {
  const value = /^-?\d{1,18}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(value)) return value
  throw new UsageError(`cannot use --${option}=${text}: it is no number`)
}

/** What the options ask for, as config.json would have it. */
const fromOptions = (options: Readonly<Record<string, string | undefined>>): OciResources => {
  const sections: Record<string, Record<string, number | string>> = {}
  const set = (section: string, key: string, value: number | string): void => {
    sections[section] = { ...sections[section], [key]: value }
  }
  for (const [option, section, key] of NUMBERS) {
    const text = options[option]
    if (text !== undefined) set(section, key, parseNumber(option, text))
  }
  for (const key of ['cpus', 'mems'] as const) {
    const text = options[`cpuset-${key}`]
    if (text !== undefined) set('cpu', key, text)
  }
  return parseResources(JSON.stringify(sections), 'the options')
}

export const ociUpdate: OciVerb = ociVerb({
  description:
    'Changes limits of a container. What is not given stays as it is, and so do the rules for devices, whatever --resources says of them.',
  options: [
    {
      long: 'resources',
      short: 'r',
      argument: 'FILE',
      description:
        'A JSON file, - for standard input: linux.resources as in config.json. Other options are ignored then.',
    },
    ...NUMBERS.map(([long, , , description]) => ({ long, argument: 'N', description })),
    { long: 'cpuset-cpus', argument: 'LIST', description: 'Processors: 0-3,7.' },
    { long: 'cpuset-mems', argument: 'LIST', description: 'Memory nodes.' },
  ],
  operands: [{ name: 'ID' }],
  examples: [
    { description: 'less memory', command: 'tare oci update --memory 67108864 box' },
    { description: 'as an engine calls it', command: 'tare oci update --resources - box' },
  ],
  run: ({ options, operands: [id = ''], terminal }, globals) => {
    const { resources: file } = options
    const resources = file === undefined ? fromOptions(options) : parseResources(read(file), file)
    updateContainer(globals.root, id, resources, warner(globals, terminal))
    return 0
  },
})
