import { readFileSync } from 'node:fs'

import { InputError } from './error.ts'
import type { ProcId } from './proc.ts'
import { fromNodeError, readProc } from './proc.ts'

/** One line of /proc/PID/uid_map or gid_map: so many ids of a user namespace, and what they are outside of it. */
export interface IdMapping {
  /** First id inside of the namespace. */
  readonly inside: number
  /** First id outside: in the parent namespace, or in the reader's. */
  readonly outside: number
  readonly size: number
}

/** Most lines that the kernel takes (user_namespaces(7)). */
export const ID_MAP_MAX_LINES = 340

/** What is written in one go must be shorter than a page. */
export const ID_MAP_MAX_BYTES = 4095

/** The id that stands for "no id". */
const NO_ID = 0xffffffff

const refuse = (reason: string, hint?: string): InputError => new InputError({ operation: 'map ids', reason, hint })

const range = (first: number, size: number): string => (size === 1 ? `${first}` : `${first} to ${first + size - 1}`)

const checkMapping = ({ inside, outside, size }: IdMapping): void => {
  for (const [value, what] of [
    [inside, 'inside'],
    [outside, 'outside'],
    [size, 'size'],
  ] as const) {
    if (!Number.isInteger(value) || value < 0 || value > NO_ID) throw refuse(`${value} is no id (${what})`)
  }
  if (size === 0) throw refuse(`the mapping of ${inside} has the size 0`)
  if (inside + size > NO_ID || outside + size > NO_ID) {
    throw refuse(
      `${inside} and ${size - 1} more, or ${outside} and ${size - 1} more, go beyond the last id, 4294967294`,
    )
  }
}

const checkOverlap = (mappings: readonly IdMapping[], side: 'inside' | 'outside'): void => {
  const sorted = mappings.toSorted((a, b) => a[side] - b[side])
  for (const [index, mapping] of sorted.entries()) {
    const next = sorted[index + 1]
    if (next === undefined || mapping[side] + mapping.size <= next[side]) continue
    throw refuse(`${range(next[side], next.size)} ${side} of the namespace is mapped twice`)
  }
}

/** `0 1000 1\n`, a line for each mapping: what is written to uid_map. Not checked: see {@link checkIdMap}. */
export const formatIdMap = (mappings: readonly IdMapping[]): string =>
  mappings.map(({ inside, outside, size }) => `${inside} ${outside} ${size}\n`).join('')

/**
 * Throws {@link InputError} for a map that the kernel would refuse with a bare EINVAL: empty, too long, beyond 32
 * bits, or with an id mapped twice. user_namespaces(7)
 */
export const checkIdMap = (mappings: readonly IdMapping[]): void => {
  if (mappings.length === 0) throw refuse('there is no mapping')
  if (mappings.length > ID_MAP_MAX_LINES) {
    throw refuse(`${mappings.length} mappings are more than ${ID_MAP_MAX_LINES}`, 'Join neighbouring ranges.')
  }
  mappings.forEach(checkMapping)
  checkOverlap(mappings, 'inside')
  checkOverlap(mappings, 'outside')
  if (formatIdMap(mappings).length > ID_MAP_MAX_BYTES) {
    throw refuse(`the text of ${mappings.length} mappings is longer than a page`, 'Join neighbouring ranges.')
  }
}

/** Reads the text of uid_map or gid_map; throws {@link InputError} for lines that aren't three numbers. */
export const parseIdMap = (text: string): readonly IdMapping[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const match = /^\s*([0-9]{1,10})\s+([0-9]{1,10})\s+([0-9]{1,10})\s*$/.exec(line)
      if (match === null) throw refuse(`${JSON.stringify(line)} is not three numbers`)
      return { inside: Number(match[1]), outside: Number(match[2]), size: Number(match[3]) }
    })

/** The map of a process's user namespace; empty where none has been written. */
export const readIdMap = (pid: ProcId, which: 'uid' | 'gid'): readonly IdMapping[] =>
  parseIdMap(readProc(`read the ${which} map of`, pid, `${which}_map`))

/** What an id of the namespace is outside; undefined where it isn't mapped. */
export const idOutside = (mappings: readonly IdMapping[], id: number): number | undefined => {
  const found = mappings.find(({ inside, size }) => id >= inside && id < inside + size)
  return found === undefined ? undefined : found.outside + (id - found.inside)
}

/** What an id from outside is in the namespace; undefined where it isn't mapped (it shows as the overflow id). */
export const idInside = (mappings: readonly IdMapping[], id: number): number | undefined => {
  const found = mappings.find(({ outside, size }) => id >= outside && id < outside + size)
  return found === undefined ? undefined : found.inside + (id - found.outside)
}

/** A range of ids that a user may map (subuid(5)). */
export interface SubidRange {
  readonly first: number
  readonly size: number
}

/** Whose ranges are wanted: the files name a user by name or by number. */
export interface SubidOwner {
  readonly name?: string | undefined
  readonly uid: number
}

/**
 * The ranges of a user in the text of /etc/subuid or /etc/subgid (both name users), in the order of the file.
 * As for newuidmap(1), lines that aren't of the form OWNER:FIRST:SIZE count for nothing.
 */
export const parseSubids = (text: string, owner: SubidOwner): readonly SubidRange[] => {
  const owners = [owner.name, `${owner.uid}`]
  const ranges: SubidRange[] = []
  for (const line of text.split('\n')) {
    const match = /^([^:#]+):([0-9]{1,10}):([0-9]{1,10})$/.exec(line.trim())
    if (match === null || !owners.includes(match[1])) continue
    const [first, size] = [Number(match[2]), Number(match[3])]
    if (size > 0 && first + size <= NO_ID) ranges.push({ first, size })
  }
  return ranges
}

/** The ranges of a user on this host; none where the file is missing. */
export const readSubids = (which: 'uid' | 'gid', owner: SubidOwner): readonly SubidRange[] => {
  const path = `/etc/sub${which}`
  try {
    return parseSubids(readFileSync(path, 'utf8'), owner)
  } catch (error) {
    const worded = fromNodeError(error, 'read', path)
    if (worded.code === 'ENOENT') return []
    throw worded
  }
}
