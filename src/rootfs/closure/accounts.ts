import { InputError } from '../../linux/error.ts'
import type { ClosureEntry } from './entry.ts'
import { readTreeText } from './read.ts'
import type { Tree } from './tree.ts'

/** A file that is made for a root: its path and its text. */
export interface MadeFile {
  readonly path: string
  readonly content: string
}

type Fields = readonly string[]

const table = (tree: Tree, path: string): readonly Fields[] =>
  (readTreeText(tree, path) ?? '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'))

const ROOT_ACCOUNT: Fields = ['root', 'x', '0', '0', 'root', '/root', '/bin/sh']
const ROOT_GROUP: Fields = ['root', 'x', '0', '']

const write = (lines: readonly Fields[]): string =>
  lines
    .toSorted((a, b) => Number(a[2]) - Number(b[2]))
    .map((line) => `${line.join(':')}\n`)
    .join('')

/**
 * The least of /etc that programs want which ask for names: accounts and groups (root, nobody, the owners of the root's
 * files, and those that are named), without passwords, and where names are to be looked up. Throws {@link InputError}
 * for an account that the tree's own /etc/passwd doesn't have.
 */
export const makeEtc = (
  tree: Tree,
  names: readonly string[],
  entries: readonly ClosureEntry[],
): readonly MadeFile[] => {
  const accounts = table(tree, '/etc/passwd')
  const groups = table(tree, '/etc/group')
  const unknown = names.find((name) => !accounts.some((account) => account[0] === name))
  if (unknown !== undefined)
    throw new InputError({
      operation: 'add the account',
      target: unknown,
      reason: `${tree.source('/etc/passwd')} has none of that name`,
    })
  const owned = entries.flatMap((entry) => ('uid' in entry ? [entry] : []))
  const uids = new Set(['0', ...owned.map(({ uid }) => String(uid))])
  const kept = accounts.filter(([name = '', , uid = '']) => uids.has(uid) || name === 'nobody' || names.includes(name))
  const gids = new Set(['0', ...owned.map(({ gid }) => String(gid)), ...kept.map((account) => account[3] ?? '')])
  const isKept = (member: string): boolean => kept.some((account) => account[0] === member)
  const keptGroups = groups.flatMap(([name = '', , gid = '', members = '']): readonly Fields[] => {
    const those = members.split(',').filter((member) => member !== '' && isKept(member))
    return gids.has(gid) || those.length > 0 ? [[name, 'x', gid, those.join(',')]] : []
  })
  const withRoot = (lines: readonly Fields[], root: Fields): readonly Fields[] =>
    lines.some((line) => line[2] === '0') ? lines : [root, ...lines]
  const safe = kept.map(([name = '', , ...rest]): Fields => [name, 'x', ...rest])
  return [
    { path: '/etc/passwd', content: write(withRoot(safe, ROOT_ACCOUNT)) },
    { path: '/etc/group', content: write(withRoot(keptGroups, ROOT_GROUP)) },
    { path: '/etc/nsswitch.conf', content: 'passwd: files\ngroup: files\nhosts: files dns\n' },
    { path: '/etc/hosts', content: '127.0.0.1\tlocalhost\n::1\tlocalhost\n' },
  ]
}
