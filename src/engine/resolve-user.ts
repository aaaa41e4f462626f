import { InputError } from '../linux/error.ts'
import { withTree } from '../rootfs/system-tree.ts'

export interface ResolvedUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly home: string
}

interface Account {
  readonly name: string
  readonly id: number
  readonly fields: readonly string[]
}

/** Reads /etc/passwd or /etc/group of a root; links in it lead nowhere else. Empty where there is none. */
const readAccounts = (root: string, file: 'passwd' | 'group'): readonly Account[] =>
  withTree(root, (tree) => parseAccounts(tree.read(`/etc/${file}`) ?? ''))

/** The lines of passwd(5) or group(5). Pure. */
export const parseAccounts = (text: string): readonly Account[] =>
  text.split('\n').flatMap((line): readonly Account[] => {
    const fields = line.split(':')
    const [name = '', , id = ''] = fields
    return name !== '' && /^\d+$/.test(id) ? [{ name, id: Number(id), fields }] : []
  })

const isId = (word: string): boolean => /^\d{1,10}$/.test(word) && Number(word) < 0xffffffff

const findGroup = (word: string, groups: () => readonly Account[]): number => {
  if (isId(word)) return Number(word)
  const found = groups().find(({ name }) => name === word)
  if (found !== undefined) return found.id
  throw new InputError({
    operation: 'use group',
    target: word,
    reason: 'the root has no group of that name',
    hint: 'Give its number.',
  })
}

const lazily = <T>(make: () => T): (() => T) => {
  let value: T | undefined
  return () => (value ??= make())
}

/**
 * Finds a user and its groups. Names are looked up in the root's own /etc/passwd and /etc/group; `root` is its path on
 * the host. A number needs no entry, and is its own group 0 where it has none.
 */
export const resolveUser = (user: string | number, extra: readonly (string | number)[], root: string): ResolvedUser => {
  const [name = '', group, ...rest] = String(user).split(':')
  if (name === '' || rest.length > 0 || group === '')
    throw new InputError({
      operation: 'use user',
      target: JSON.stringify(user),
      reason: 'it is not NAME, UID, NAME:GROUP or UID:GID',
    })
  const passwd = lazily(() => readAccounts(root, 'passwd'))
  const groups = lazily(() => readAccounts(root, 'group'))
  const known =
    name === '0' || name === 'root'
      ? undefined
      : passwd().find((account) => (isId(name) ? account.id === Number(name) : account.name === name))
  if (known === undefined && !isId(name) && name !== 'root')
    throw new InputError({
      operation: 'use user',
      target: name,
      reason: 'the root has no user of that name',
      hint: 'Give a number.',
    })
  const uid = known?.id ?? (isId(name) ? Number(name) : 0)
  const gid = group === undefined ? Number(known?.fields[3] ?? 0) : findGroup(group, groups)
  const member =
    group === undefined && known !== undefined
      ? groups()
          .filter(({ fields }) => fields[3]?.split(',').includes(known.name))
          .map(({ id }) => id)
      : []
  return {
    name: known?.name ?? (uid === 0 ? 'root' : `user${uid}`),
    uid,
    gid,
    groups: [...new Set([...member, ...extra.map((word) => findGroup(String(word), groups))])],
    home: known?.fields[5] || (uid === 0 ? '/root' : '/home'),
  }
}
