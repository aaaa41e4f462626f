import { dirname } from 'node:path'
import type { Cgroup, GroupFile } from '../linux/cgroup/index.ts'
import { findCgroup, groupFiles, readCgroupLayout, requireGroupFile } from '../linux/cgroup/index.ts'
import { readIfThere, tryReadFile } from '../linux/cgroup/file.ts'
import { InputError, TareError } from '../linux/error.ts'
import { suggest } from '../linux/suggest.ts'
import { controlFileWords } from './cgroup-words.ts'

/** One file of a group, and what it says. */
export interface CgroupValue {
  readonly file: string
  /** The short name for it, if there is one. */
  readonly key: string | undefined
  /** By version 2's name; `cgroup` for what every group has. */
  readonly controller: string
  readonly path: string
  readonly writable: boolean
  /** As the kernel has it; undefined if it can't be read. */
  readonly text: string | undefined
  /** The same in words of one line, with units. */
  readonly words: string
  /** What the file is, in a sentence; undefined for one that Tare doesn't know. */
  readonly description: string | undefined
}

/** Short names for the same thing, of which a layout has one. */
const SAME: Readonly<Record<string, string>> = {
  'cpu-weight': 'cpu-shares',
  'cpu-shares': 'cpu-weight',
  'read-bps': 'io',
  'write-bps': 'io',
  'read-iops': 'io',
  'write-iops': 'io',
}

const fileOf = (cgroup: Cgroup, files: readonly GroupFile[], key: string): GroupFile => {
  if (key.includes('.') || key === 'tasks') return requireGroupFile(cgroup, key, `get ${key} of`)
  const found =
    files.find(({ known }) => known?.key === key) ?? files.find(({ known }) => known?.key === (SAME[key] ?? key))
  if (found !== undefined) return found
  const keys = [...new Set(files.flatMap(({ known }) => known?.key ?? []))]
  const meant = suggest(key, keys)
  throw new InputError({
    operation: `get ${key} of`,
    target: cgroup.name,
    reason: 'the group has no such setting here',
    hint: meant === undefined ? `It has ${keys.join(', ')}, and the kernel's files.` : `Did you mean ${meant}?`,
  })
}

const valueOf = ({ file, controller, path, writable, readable, known }: GroupFile, wanted: boolean): CgroupValue => {
  const text = readable ? tryReadFile(path) : undefined
  // Some files can be read only after something was set in them; of one that was asked for, that is worth an error.
  if (wanted && typeof text === 'number')
    throw new TareError({ operation: 'read', target: path, syscall: 'read', errno: -text })
  const shown = typeof text === 'string' ? text : undefined
  const described = known ?? { file, unit: 'text' }
  const words =
    shown === undefined ? '' : controlFileWords(described, shown, (name) => readIfThere(`${dirname(path)}/${name}`))
  return {
    file,
    key: known?.key,
    controller,
    path,
    writable,
    text: shown?.replace(/\n$/, ''),
    words,
    description: known?.description,
  }
}

/**
 * Reads files of a group: those of the keys (Tare's short names such as `memory`, or the kernel's own such as
 * `memory.stat`), or all there are. Throws {@link InputError} for a group or a key that isn't there, {@link TareError} for
 * a file that was asked for and can't be read.
 */
export const getCgroup = (name: string, keys: readonly string[] = []): readonly CgroupValue[] => {
  const cgroup = findCgroup(readCgroupLayout(), name)
  const files = groupFiles(cgroup)
  if (keys.length === 0) return files.map((file) => valueOf(file, false))
  return keys.map((key) => valueOf(fileOf(cgroup, files, key), true))
}
