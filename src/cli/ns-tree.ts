import type { HostNamespace } from '../index.ts'
import { heldBy, namespaceName, pidText, userText } from './ns-text.ts'
import type { Cell, Column } from './table.ts'
import { formatTable } from './table.ts'

const columns = (title: string): readonly Column[] => [
  { title },
  { title: 'NPROCS', align: 'right' },
  { title: 'PID' },
  { title: 'USER' },
  { title: 'HELD BY' },
  { title: 'COMMAND' },
]

const row = (branch: string, namespace: HostNamespace): readonly Cell[] => [
  `${branch}${namespaceName(namespace)}`,
  `${namespace.processes}`,
  pidText(namespace.first),
  userText(namespace.first),
  heldBy(namespace),
  namespace.first?.command ?? '',
]

/** What hangs below a namespace, in order. */
type Below = ReadonlyMap<number | undefined, readonly HostNamespace[]>

/** By the inode that `above` names, if that is in the list too; the others are roots, under undefined. */
const groupBelow = (
  namespaces: readonly HostNamespace[],
  above: (namespace: HostNamespace) => number | undefined,
): Below => {
  const known = new Set(namespaces.map(({ inode }) => inode))
  const below = new Map<number | undefined, HostNamespace[]>()
  for (const namespace of namespaces) {
    const inode = above(namespace)
    const key = inode !== undefined && known.has(inode) ? inode : undefined
    const siblings = below.get(key)
    if (siblings === undefined) below.set(key, [namespace])
    else siblings.push(namespace)
  }
  return below
}

const treeRows = (
  below: Below,
  namespace: HostNamespace,
  branch: string,
  indent: string,
): readonly (readonly Cell[])[] => {
  const children = below.get(namespace.inode) ?? []
  return [
    row(branch, namespace),
    ...children.flatMap((child, index) => {
      const isLast = index === children.length - 1
      return treeRows(below, child, `${indent}${isLast ? '└─ ' : '├─ '}`, `${indent}${isLast ? '   ' : '│  '}`)
    }),
  ]
}

const tree = (title: string, below: Below, lineWidth: number | undefined): string => {
  const rows = (below.get(undefined) ?? []).flatMap((root) => treeRows(below, root, '', ''))
  return rows.length === 0 ? '' : formatTable(rows, columns(title), lineWidth)
}

/**
 * Two trees: the user namespaces, below each what it owns and the user namespaces that were made in it; and the pid
 * namespaces, below each those that were made in it. What is above a namespace may be out of sight: then it is a root.
 */
export const namespaceTree = (namespaces: readonly HostNamespace[], lineWidth?: number): string => {
  // What a user namespace owns comes first, then its children.
  const owned = [
    ...namespaces.filter(({ kind }) => kind !== 'user'),
    ...namespaces.filter(({ kind }) => kind === 'user'),
  ]
  const pids = namespaces.filter(({ kind }) => kind === 'pid')
  return [
    tree(
      'BY OWNER',
      groupBelow(owned, ({ owner }) => owner),
      lineWidth,
    ),
    tree(
      'BY PARENT',
      groupBelow(pids, ({ parent }) => parent),
      lineWidth,
    ),
  ]
    .filter((text) => text !== '')
    .join('\n')
}
