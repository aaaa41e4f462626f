import type { HostNamespace, NamespaceHolder, NamespaceProcess } from '../index.ts'

/** `user 4026531837`: how a namespace is named in text. */
export const namespaceName = ({ kind, inode }: Pick<HostNamespace, 'kind' | 'inode'>): string => `${kind} ${inode}`

/** `1234 → 7 → 1`: its number in the pid namespace of this process, and in each one that is nested. */
export const pidText = (process: NamespaceProcess | undefined): string => process?.pids.join(' → ') ?? ''

/** `root`; or `100000 → 0` where it is another user in its own user namespace, `root → ?` where it has no id there. */
export const userText = (process: NamespaceProcess | undefined): string => {
  if (process === undefined) return ''
  const { uid, user, uidInside } = process
  const name = user ?? `${uid}`
  return uidInside === uid ? name : `${name} → ${uidInside ?? '?'}`
}

/** `1234 (nginx)`; a process that has ended meanwhile has no name. */
const taskText = ({ pid, command }: { readonly pid: number; readonly command: string }): string =>
  command === '' ? `${pid}` : `${pid} (${command})`

/** `fd 5 of 1234 (nginx)`: what holds a namespace, in few words. */
export const holderText = (holder: NamespaceHolder): string => {
  switch (holder.by) {
    case 'mount': {
      const more = holder.mountNamespaces.length - 1
      return `mount ${holder.path}${more === 0 ? '' : ` (and in ${more} more mnt)`}`
    }
    case 'socket':
    case 'descriptor': {
      const [fd, ...more] = holder.fds
      return `${holder.by === 'socket' ? 'socket' : 'fd'} ${fd}${more.length === 0 ? '' : ` and ${more.length} more`} of ${taskText(holder)}`
    }
    case 'thread':
      return `thread ${holder.tid} of ${taskText(holder)}`
    case 'children':
      return `children of ${taskText(holder)}`
    case 'child':
      return `its child ${namespaceName(holder)}`
    case 'owned':
      return `owning ${namespaceName(holder)}`
  }
}

const SHOWN = 2

/** What holds a namespace besides processes: the first few of it. A namespace that nothing holds that can be seen: `?`. */
export const heldBy = ({ processes, holders }: HostNamespace): string => {
  if (holders.length === 0) return processes === 0 ? '?' : ''
  const rest = holders.length - SHOWN
  return [...holders.slice(0, SHOWN).map(holderText), ...(rest > 0 ? [`${rest} more`] : [])].join(', ')
}
