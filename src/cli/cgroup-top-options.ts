import type { CgroupPart } from '../linux/index.ts'
import { CGROUP_PARTS } from '../linux/index.ts'
import type { SortKey } from './cgroup-top-table.ts'
import { SORT_KEYS } from './cgroup-top-table.ts'
import { wrongValue } from './wrong-value.ts'

/** What was asked for, checked. */
export interface TopOptions {
  readonly group: string
  readonly depth: number
  /** Undefined: all that there are. */
  readonly parts: readonly CgroupPart[] | undefined
  /** Milliseconds. */
  readonly delay: number
  /** How many samples; undefined: until the person leaves. */
  readonly count: number | undefined
  readonly sort: SortKey
}

export const DEFAULT_DEPTH = 2
const MOST_SECONDS = 86_400

const delayOf = (text: string): number => {
  const seconds = Number(text)
  if (/^\d*\.?\d+$/.test(text) && seconds >= 0.1 && seconds <= MOST_SECONDS) return 1000 * seconds
  throw wrongValue('delay', text, `it is not a number of seconds from 0.1 to ${MOST_SECONDS}`)
}

const numberOf = (option: string, text: string, least: number): number => {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= least && Number.isSafeInteger(number)) return number
  throw wrongValue(option, text, `it is not a whole number from ${least} up`)
}

const isPart = (word: string): word is CgroupPart => CGROUP_PARTS.some((part) => part === word)

const partsOf = (text: string): readonly CgroupPart[] => {
  const words = text.split(',')
  const parts = words.filter(isPart)
  if (parts.length === words.length) return parts
  throw wrongValue('show', text, `it is not a list of ${CGROUP_PARTS.join(', ')}`, 'Write them like cpu,memory.')
}

const sortOf = (text: string | undefined, parts: readonly CgroupPart[]): SortKey => {
  if (text === undefined) return parts[0] ?? 'name'
  const key = SORT_KEYS.find((known) => known === text)
  if (key !== undefined && (key === 'name' || parts.includes(key))) return key
  throw wrongValue('sort', text, '--show leaves that out')
}

/** The command line's values as they were written. */
export interface TopWords {
  readonly group?: string | undefined
  readonly depth?: string | undefined
  readonly show?: string | undefined
  readonly delay?: string | undefined
  readonly iterations?: string | undefined
  readonly sort?: string | undefined
}

/** Checks them, and fills in what is left out. Throws `UsageError`. */
export const toTopOptions = ({ group = '/', depth, show, delay = '2', iterations, sort }: TopWords): TopOptions => {
  const parts = show === undefined ? undefined : partsOf(show)
  return {
    group,
    depth: depth === undefined ? DEFAULT_DEPTH : numberOf('depth', depth, 0),
    parts,
    delay: delayOf(delay),
    count: iterations === undefined ? undefined : numberOf('iterations', iterations, 1),
    sort: sortOf(sort, parts ?? CGROUP_PARTS),
  }
}
