import { CONTROL_FILES_V1 } from './control-files-v1.ts'
import { CONTROL_FILES_V2 } from './control-files-v2.ts'

const UNITS = [
  'bytes',
  'count',
  'number',
  'microseconds',
  'nanoseconds',
  'quota',
  'switch',
  'list',
  'device-bytes',
  'device-count',
  'devices',
  'keyed',
  'pressure',
  'processes',
  'class',
  'text',
] as const

/**
 * What a control file holds. `quota`: microseconds of processor time in a period. `list`: `0-3,8`. `device-bytes`,
 * `device-count`: a line for each block device, with a number; `devices`: with more than that. `keyed`: names and
 * numbers. `class`: a tag for packets. `text`: something else.
 */
export type ControlUnit = (typeof UNITS)[number]

/** A file that the kernel puts into a group's directory. */
export interface ControlFile {
  readonly file: string
  /** By version 2's name; `cgroup` for what is there without any. */
  readonly controller: string
  readonly unit: ControlUnit
  /** What it is, in a sentence. */
  readonly description: string
  /** The short name by which Tare sets it and shows it: `memory`, `cpus`. */
  readonly key: string | undefined
  /**
   * For files that set something: what they hold as long as nobody has. `max` stands for every way to say no limit,
   * `parent` for what the group above has.
   */
  readonly unset: string | undefined
}

/** The controller that a file belongs to, by version 2's name, from the file's own: `blkio.weight` → `io`. */
export const controllerOfFile = (file: string): string => {
  const word = /^([a-z_]+)\./.exec(file)?.[1]
  if (word === undefined) return 'cgroup'
  return word === 'blkio' ? 'io' : word
}

const parseLine = (line: string): ControlFile => {
  const [file = '', unitName, key = '', unset = '', description = ''] = line.split('|').map((part) => part.trim())
  const unit = UNITS.find((known) => known === unitName)
  if (unit === undefined) throw new RangeError(`no unit in ${line}`)
  return {
    file,
    controller: controllerOfFile(file),
    unit,
    description,
    key: key === '' ? undefined : key,
    unset: unset === '' ? undefined : unset === "''" ? '' : unset,
  }
}

/** All files that are described, of one version. A `*` in a name stands for a size of huge pages. */
export const controlFiles = (version: 1 | 2): readonly ControlFile[] =>
  (version === 1 ? CONTROL_FILES_V1 : CONTROL_FILES_V2).trim().split('\n').map(parseLine)

const PAGE_SIZE = /^hugetlb\.(\d+[KMG]B)\./

/**
 * Says what a file of a group is, by its name; undefined for one that is not known. Makes the table once, so that
 * describing many is cheap.
 */
export const controlFileDescriber = (version: 1 | 2): ((file: string) => ControlFile | undefined) => {
  const table = new Map(controlFiles(version).map((known) => [known.file, known]))
  return (file) => {
    const size = PAGE_SIZE.exec(file)?.[1]
    if (size === undefined) return table.get(file)
    const known = table.get(file.replace(size, '*'))
    if (known === undefined) return undefined
    const key = known.key === undefined ? undefined : `${known.key}-${size}`
    return { ...known, file, key, description: known.description.replace('huge pages', `huge pages of ${size}`) }
  }
}
