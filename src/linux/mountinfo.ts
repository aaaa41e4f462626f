import { InputError } from './error.ts'
import type { ProcId } from './proc.ts'
import { readProc } from './proc.ts'

/** One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export interface MountInfo {
  /** Reused when the mount is gone. */
  readonly id: number
  /** Id of the mount that this one lies on; its own for the top of the tree. */
  readonly parent: number
  readonly major: number
  readonly minor: number
  /** The directory of the file system that is mounted, `/` if it is the whole. */
  readonly root: string
  /** Where, as seen from the process's root directory. */
  readonly mountPoint: string
  /** Options of this mount: `rw`, `nosuid`. */
  readonly options: readonly string[]
  /** The peer group with which mounts are shared, if there is one. */
  readonly shared?: number | undefined
  /** The peer group whose mounts this one receives. */
  readonly master?: number | undefined
  /** The nearest such group that is in sight, where the master isn't. */
  readonly propagateFrom?: number | undefined
  readonly unbindable: boolean
  /** File system, with its subtype if it has one: `fuse.sshfs`. */
  readonly type: string
  readonly source: string
  /** Options of the file system: `size=65536k`. */
  readonly superOptions: readonly string[]
}

/** Replaces the octal escapes (`\040` for a space) that the kernel writes in the tables of mounts. */
export const unescapeMountPath = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

/** The reverse: escapes space, tab, newline, backslash and `#`. */
export const escapeMountPath = (text: string): string =>
  text.replace(/[ \t\n\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)

/** At commas, but for those behind a backslash, which belong to a value (overlay's directories). */
const splitOptions = (text: string): readonly string[] => text.split(/(?<!\\134),/).map(unescapeMountPath)

/** The kernel escapes spaces, tabs and line feeds in what users name, and no other white space. */
const LINE = /^([0-9]+) ([0-9]+) ([0-9]+):([0-9]+) ([^ ]+) ([^ ]+) ([^ ]*) ((?:[^ ]+ )*?)- ([^ ]+) ([^ ]*) (.*)$/s

const group = (fields: readonly string[], tag: string): number | undefined => {
  const field = fields.find((each) => each.startsWith(`${tag}:`))
  return field === undefined ? undefined : Number(field.slice(tag.length + 1))
}

/** Reads one line; throws {@link InputError} for one that isn't of this form. */
export const parseMountinfoLine = (line: string): MountInfo => {
  const match = LINE.exec(line)
  if (match === null) {
    throw new InputError({ operation: 'read the table of mounts', reason: `${JSON.stringify(line)} is no line of it` })
  }
  const [, id, parent, major, minor, root = '', mountPoint = '', options = '', optional = ''] = match
  const fields = optional.split(' ')
  return {
    id: Number(id),
    parent: Number(parent),
    major: Number(major),
    minor: Number(minor),
    root: unescapeMountPath(root),
    mountPoint: unescapeMountPath(mountPoint),
    options: splitOptions(options),
    shared: group(fields, 'shared'),
    master: group(fields, 'master'),
    propagateFrom: group(fields, 'propagate_from'),
    unbindable: fields.includes('unbindable'),
    type: unescapeMountPath(match[9] ?? ''),
    source: unescapeMountPath(match[10] ?? ''),
    superOptions: splitOptions(match[11] ?? ''),
  }
}

/** The mounts in the text of /proc/PID/mountinfo, in the order of the file. */
export const parseMountinfo = (text: string): readonly MountInfo[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseMountinfoLine)

/** The mounts that a process sees. Throws if there is no such process. */
export const readMountinfo = (pid: ProcId = 'self'): readonly MountInfo[] =>
  parseMountinfo(readProc('read the mounts of', pid, 'mountinfo'))
