import { InputError } from '../linux/error.ts'
import { suggest } from '../linux/suggest.ts'
import type { SystemTree } from '../rootfs/system-tree.ts'
import { parseAccounts } from './resolve-user.ts'

/** An account of a system, as its /etc/passwd has it (passwd(5)). */
export interface Login {
  readonly name: string
  readonly home: string
  /** Absolute path in the tree. */
  readonly shell: string
  /** What stands where once the password was: `x` says that it is in /etc/shadow. */
  readonly password: string
}

/** Who root is where nothing says it. */
const ROOT: Login = { name: 'root', home: '/root', shell: '/bin/sh', password: '' }

/** The account of a name or an id, by the tree's own /etc/passwd. Throws {@link InputError} for one that it hasn't. */
export const findAccount = (tree: SystemTree, user: string): Login => {
  const accounts = parseAccounts(tree.read('/etc/passwd') ?? '')
  const isId = /^\d{1,10}$/.test(user)
  const found = accounts.find(({ name, id }) => (isId ? id === Number(user) : name === user))
  if (found !== undefined) {
    const [name = '', password = '', , , , home = '', shell = ''] = found.fields
    return { name, home: home || '/', shell: shell || '/bin/sh', password }
  }
  const names = accounts.map(({ name }) => name)
  const meant = suggest(user, names)
  throw new InputError({
    operation: 'use user',
    target: JSON.stringify(user),
    reason: `/etc/passwd of ${tree.path} has no such user`,
    hint: meant === undefined ? 'Make it in there first, with useradd or adduser.' : `Did you mean ${meant}?`,
  })
}

/** As {@link findAccount}; root needs no line there, nor does an id. */
export const findLogin = (tree: SystemTree, user: string): Login => {
  try {
    return findAccount(tree, user)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    if (user === 'root' || user === '0') return ROOT
    if (/^\d+$/.test(user)) return { ...ROOT, name: user, home: '/' }
    throw error
  }
}
