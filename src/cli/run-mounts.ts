import type { BindMount, MountOption, TmpfsMount } from '../index.ts'
import { wrongValue } from './wrong-value.ts'

type Propagation = NonNullable<BindMount['propagation']>

const PROPAGATION: ReadonlyMap<string, Propagation> = new Map<string, Propagation>([
  ['private', 'private'],
  ['rprivate', 'private'],
  ['slave', 'slave'],
  ['rslave', 'slave'],
  ['shared', 'shared'],
  ['rshared', 'shared'],
  ['unbindable', 'unbindable'],
  ['runbindable', 'unbindable'],
])

/** What each option of a volume means; an empty meaning is what holds anyway. */
const BIND_OPTIONS: ReadonlyMap<string, Partial<BindMount>> = new Map<string, Partial<BindMount>>([
  ['ro', { readOnly: true }],
  ['readonly', { readOnly: true }],
  ['rw', { readOnly: false }],
  ['noexec', { noExec: true }],
  ['exec', { noExec: false }],
  ['nosuid', {}],
  ['nodev', {}],
  ['bind', { recursive: false }],
  ['rbind', { recursive: true }],
  ['idmap', { idmap: true }],
  ['noidmap', { idmap: false }],
])

const TMPFS_OPTIONS: ReadonlyMap<string, Partial<TmpfsMount>> = new Map<string, Partial<TmpfsMount>>([
  ['ro', { readOnly: true }],
  ['readonly', { readOnly: true }],
  ['rw', { readOnly: false }],
  ['exec', { exec: true }],
  ['noexec', { exec: false }],
  ['nosuid', {}],
  ['nodev', {}],
])

const isPath = (source: string): boolean => source.includes('/') || source === '.' || source === '..'

const bindOption = (option: string, value: string, word: string): Partial<BindMount> => {
  const meaning = BIND_OPTIONS.get(word)
  if (meaning !== undefined) return meaning
  const propagation = PROPAGATION.get(word)
  if (propagation !== undefined) return { propagation }
  if (word === 'z' || word === 'Z')
    throw wrongValue(option, value, `"${word}" relabels files for SELinux, which is not there yet`, 'Leave it out.')
  const known = [...BIND_OPTIONS.keys(), ...PROPAGATION.keys()].join(', ')
  throw wrongValue(option, value, `there is no option "${word}"`, `There is ${known}.`)
}

/** `SOURCE:TARGET[:OPTIONS]` of --volume. Throws {@link UsageError}. */
export const parseVolume = (value: string): BindMount => {
  const [source = '', target, options = '', ...rest] = value.split(':')
  const form = 'Write --volume=SOURCE:TARGET or --volume=SOURCE:TARGET:ro.'
  if (target === undefined)
    throw wrongValue('volume', value, 'it has no target', `${form} An empty directory is --tmpfs=${value}.`)
  if (source === '' || target === '' || rest.length > 0)
    throw wrongValue('volume', value, 'it is not SOURCE:TARGET[:OPTIONS]', form)
  if (!isPath(source))
    throw wrongValue(
      'volume',
      value,
      `"${source}" is a name, and there are no volumes by name yet`,
      `Write ./${source}.`,
    )
  const words = options.split(',').filter((word) => word !== '')
  return words.reduce<BindMount>((mount, word) => ({ ...mount, ...bindOption('volume', value, word) }), {
    source,
    target,
  })
}

const octal = (option: string, value: string, text: string): number => {
  if (/^[0-7]{1,5}$/.test(text)) return Number.parseInt(text, 8)
  throw wrongValue(option, value, `"${text}" is no octal mode`, 'Write it as 1777 or 0755.')
}

const tmpfsOption = (value: string, word: string): Partial<TmpfsMount> => {
  const equals = word.indexOf('=')
  const [key, text] = equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)]
  if (key === 'size' && text !== '') return { size: text }
  if (key === 'mode' && text !== '') return { mode: octal('tmpfs', value, text) }
  const meaning = TMPFS_OPTIONS.get(word)
  if (meaning !== undefined) return meaning
  const known = ['size=SIZE', 'mode=MODE', ...TMPFS_OPTIONS.keys()].join(', ')
  throw wrongValue('tmpfs', value, `there is no option "${word}"`, `There is ${known}.`)
}

/** `TARGET[:OPTIONS]` of --tmpfs. Throws {@link UsageError}. */
export const parseTmpfs = (value: string): TmpfsMount => {
  const [target = '', options = '', ...rest] = value.split(':')
  if (target === '' || rest.length > 0) throw wrongValue('tmpfs', value, 'it is not TARGET[:OPTIONS]')
  const words = options.split(',').filter((word) => word !== '')
  return words.reduce<TmpfsMount>((mount, word) => ({ ...mount, ...tmpfsOption(value, word) }), {
    type: 'tmpfs',
    target,
  })
}

/** The fields of a line of comma-separated values; one in double quotes may have commas, and "" for a quote. */
export const splitFields = (text: string): readonly string[] => {
  const fields: string[] = []
  for (let at = 0; at <= text.length;) {
    if (text[at] === '"') {
      const quoted = /^"((?:[^"]|"")*)"(?=,|$)/.exec(text.slice(at))
      if (quoted === null) throw wrongValue('mount', text, 'a double quote is not closed before the next comma')
      fields.push((quoted[1] ?? '').replaceAll('""', '"'))
      at += quoted[0].length + 1
      continue
    }
    const comma = text.indexOf(',', at)
    const end = comma < 0 ? text.length : comma
    fields.push(text.slice(at, end))
    at = end + 1
  }
  return fields
}

const KEYS: ReadonlyMap<string, string> = new Map<string, string>([
  ['src', 'source'],
  ['dst', 'target'],
  ['destination', 'target'],
  ['ro', 'readonly'],
  ['tmpfs-size', 'size'],
  ['tmpfs-mode', 'mode'],
  ['bind-propagation', 'propagation'],
  ['bind-recursive', 'recursive'],
])

const TAKES: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ['bind', ['source', 'target', 'readonly', 'noexec', 'propagation', 'recursive', 'idmap']],
  ['tmpfs', ['target', 'readonly', 'size', 'mode', 'exec']],
  ['overlay', ['lower', 'target', 'readonly', 'keep']],
])

const flag = (value: string, key: string, text: string | undefined): boolean | undefined => {
  if (text === undefined) return undefined
  if (text === '' || text === 'true' || text === '1' || text === 'enabled') return true
  if (text === 'false' || text === '0' || text === 'disabled') return false
  throw wrongValue('mount', value, `"${key}=${text}" is neither true nor false`)
}

const propagationOf = (value: string, text: string): Propagation => {
  const found = PROPAGATION.get(text)
  if (found !== undefined) return found
  throw wrongValue(
    'mount',
    value,
    `there is no propagation "${text}"`,
    `There is ${[...PROPAGATION.keys()].join(', ')}.`,
  )
}

/** `type=bind,source=DIR,target=DIR,…` of --mount; the type is bind unless it is given. Throws {@link UsageError}. */
export const parseMount = (value: string): MountOption => {
  const fields = new Map<string, string>()
  for (const field of splitFields(value)) {
    const equals = field.indexOf('=')
    const word = equals < 0 ? field : field.slice(0, equals)
    const key = KEYS.get(word) ?? word
    if (fields.has(key)) throw wrongValue('mount', value, `"${key}" is given more than once`)
    fields.set(key, equals < 0 ? '' : field.slice(equals + 1))
  }
  const type = fields.get('type') ?? 'bind'
  fields.delete('type')
  const takes = TAKES.get(type)
  if (takes === undefined)
    throw wrongValue('mount', value, `there is no type "${type}"`, 'There is bind, tmpfs and overlay.')
  for (const key of fields.keys())
    if (!takes.includes(key))
      throw wrongValue('mount', value, `a mount of type ${type} has no "${key}"`, `It has ${takes.join(', ')}.`)
  const need = (key: string): string => {
    const text = fields.get(key) ?? ''
    if (text === '') throw wrongValue('mount', value, `${key} is missing`)
    return text
  }
  const target = need('target')
  const readOnly = flag(value, 'readonly', fields.get('readonly'))
  const common = readOnly === undefined ? { target } : { target, readOnly }
  if (type === 'tmpfs') {
    const [size, mode] = [fields.get('size'), fields.get('mode')]
    const exec = flag(value, 'exec', fields.get('exec'))
    return {
      type,
      ...common,
      ...(size === undefined ? {} : { size }),
      ...(mode === undefined ? {} : { mode: octal('mount', value, mode) }),
      ...(exec === undefined ? {} : { exec }),
    }
  }
  if (type === 'overlay') {
    const keep = fields.get('keep')
    return { type, ...common, lower: need('lower').split(':'), ...(keep === undefined ? {} : { keep }) }
  }
  const noExec = flag(value, 'noexec', fields.get('noexec'))
  const recursive = flag(value, 'recursive', fields.get('recursive'))
  const idmap = flag(value, 'idmap', fields.get('idmap'))
  const propagation = fields.get('propagation')
  return {
    type: 'bind',
    source: need('source'),
    ...common,
    ...(noExec === undefined ? {} : { noExec }),
    ...(recursive === undefined ? {} : { recursive }),
    ...(idmap === undefined ? {} : { idmap }),
    ...(propagation === undefined ? {} : { propagation: propagationOf(value, propagation) }),
  }
}
