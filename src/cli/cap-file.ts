import type { FileCapabilities } from '../linux/index.ts'
import { parseCapabilityText, toFileCapabilities } from '../linux/index.ts'
import { wrongValue } from './wrong-value.ts'

/** For commands that look for files with capabilities. */
export const FILE_OPTIONS = [
  { long: 'recursive', short: 'r', description: 'Goes through directories. Symbolic links are not followed.' },
  {
    long: 'other-file-systems',
    description: 'With --recursive: also goes through what is mounted below.',
  },
] as const

/** For commands that take capabilities of a file. */
export const ROOT_ID_OPTION = {
  long: 'root-id',
  short: 'n',
  argument: 'UID',
  description:
    'The capabilities count only in user namespaces whose root is this user (revision 3). By default in the one that the file system belongs to, and those below it.',
} as const

const parseRootId = (value: string): number => {
  const id = /^[1-9][0-9]{0,9}$/.test(value) ? Number(value) : Number.NaN
  if (id < 0xffffffff) return id
  throw wrongValue(ROOT_ID_OPTION.long, value, 'it is no user id from 1 to 4294967294')
}

/** What a file is to have, by its text form and the option. */
export const parseFileCapabilities = (text: string, rootId: string | undefined): FileCapabilities => {
  const capabilities = toFileCapabilities(parseCapabilityText(text))
  return rootId === undefined ? capabilities : { ...capabilities, rootId: parseRootId(rootId) }
}
