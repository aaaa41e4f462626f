import type { Cgroup, CgroupFileWrite, GroupFile } from '../linux/cgroup/index.ts'
import { blockDeviceOf, requireSettableFile } from '../linux/cgroup/index.ts'
import { InputError } from '../linux/error.ts'
import { parseBytes, parseDuration } from '../runtime/units.ts'

const refuse = (file: string, value: string, reason: string, hint: string): InputError =>
  new InputError({ operation: 'set', target: `${file} to ${JSON.stringify(value)}`, reason, hint })

/** `/dev/sda` or `8:0` as the kernel has it. */
const device = (text: string): string => {
  if (/^\d+:\d+$/.test(text)) return text
  const { major, minor } = blockDeviceOf(text)
  return `${major}:${minor}`
}

const bytes = (value: string, file: string): string =>
  /^(-1|max|\d+)$/.test(value) ? value : String(parseBytes(value, file))

/** `8:0 1MiB` → `8:0 1048576`; `8:0 rbps=1MiB riops=100` likewise. */
const deviceLine = (value: string, file: string, sizes: boolean): string => {
  const [first = '', ...rest] = value.trim().split(/\s+/)
  if (first === 'default') return value
  const words = rest.map((word) => {
    const [name = '', text] = word.split('=', 2)
    if (text === undefined) return sizes ? bytes(word, file) : word
    return name.endsWith('bps') ? `${name}=${bytes(text, file)}` : word
  })
  if (words.length === 0) {
    const example = file === 'io.max' ? '8:0 rbps=1MiB' : '8:0 1MiB'
    throw refuse(
      file,
      value,
      'it is not a device and a limit',
      `Write ${file}='${example}', or the device by its path.`,
    )
  }
  return [device(first), ...words].join(' ')
}

/** The value that is written to a file for what a person has written; refused here if its form can't be right. */
const kernelValue = ({ file, version, known }: GroupFile, value: string): string => {
  const none = (text: string): string => (text === 'max' && version === 1 ? '-1' : text)
  switch (known?.unit) {
    case 'bytes':
      return none(bytes(value, file))
    case 'count':
      if (/^(-1|max|\d+)$/.test(value)) return none(value)
      throw refuse(file, value, 'it is not a whole number', `Write ${file}=100, or ${file}=max.`)
    case 'number':
      if (/^-?\d+(\.\d+)?$|^max$/.test(value)) return value
      throw refuse(file, value, 'it is not a number', known.description)
    case 'microseconds':
      if (/^-?\d+$/.test(value)) return value
      return String(Math.round(parseDuration(value, file) * 1000))
    case 'switch':
      if (value === '0' || value === '1') return value
      throw refuse(file, value, 'it is either 0 or 1', known.description)
    case 'device-bytes':
      return deviceLine(value, file, true)
    case 'device-count':
    case 'devices':
      return deviceLine(value, file, false)
    default:
      return value === '' ? '\n' : value
  }
}

/**
 * What is written for settings that name the kernel's own files; sizes and times may have units, devices a path. Has the
 * controller given to the group where it isn't yet. Throws {@link InputError} for a file that the group doesn't have.
 */
export const rawWrites = (
  cgroup: Cgroup,
  files: readonly { readonly file: string; readonly value: string }[],
): readonly CgroupFileWrite[] =>
  files.map(({ file, value }): CgroupFileWrite => {
    const [, controller = ''] = /^([a-z_]+)\./.exec(file) ?? []
    if (controller !== 'cgroup') cgroup.enable(controller)
    const found = requireSettableFile(cgroup, file)
    const written = kernelValue(found, value)
    const from = found.controller === 'cgroup' ? 'unified' : found.controller
    return { kind: 'file', controller: from, file, value: written, what: `set ${file} to ${value}` }
  })
