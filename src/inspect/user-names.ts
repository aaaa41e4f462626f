import { readFileSync } from 'node:fs'

import { fromNodeError } from '../linux/proc.ts'

/** The names in the text of passwd(5), by user id; of several names for one id the first. Pure. */
export const parseUserNames = (text: string): ReadonlyMap<number, string> => {
  const names = new Map<number, string>()
  for (const line of text.split('\n')) {
    const [name = '', , id = ''] = line.split(':')
    if (name !== '' && /^\d+$/.test(id) && !names.has(Number(id))) names.set(Number(id), name)
  }
  return names
}

/** The names of this host's users, by id, from /etc/passwd; none where it is missing. */
export const userNames = (): ReadonlyMap<number, string> => {
  const path = '/etc/passwd'
  try {
    return parseUserNames(readFileSync(path, 'utf8'))
  } catch (error) {
    const worded = fromNodeError(error, 'read the names of users from', path)
    if (worded.code === 'ENOENT') return new Map()
    throw worded
  }
}
