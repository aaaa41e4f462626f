import type { HostNamespace, HostNamespaces, NamespaceHolder, NamespaceSet } from '../index.ts'
import { holderText, namespaceName, pidText } from './ns-text.ts'
import { cutTo, printable } from './text.ts'

/** A text as a quoted string of the language; in a label, `\n` stands for the end of a line, and lines are given apart. */
const quote = (...lines: readonly string[]): string =>
  `"${lines.map((line) => printable(line).replace(/["\\]/g, String.raw`\$&`)).join(String.raw`\n`)}"`

const COLOURS: Readonly<Record<HostNamespace['kind'], string>> = {
  cgroup: '#fff2cc',
  ipc: '#ffe0cc',
  mnt: '#dae8fc',
  net: '#d5e8d4',
  pid: '#f8cecc',
  time: '#eeeeee',
  user: '#e1d5e7',
  uts: '#fbe3f0',
}

const WIDEST = 40

const namespaceNode = (namespace: HostNamespace): string =>
  `  ${quote(namespaceName(namespace))} [label=${quote(namespace.kind, `${namespace.inode}`)}, fillcolor="${COLOURS[namespace.kind]}"]`

const setName = ({ pids }: NamespaceSet): string => `processes ${pids[0]}`

const setNode = (set: NamespaceSet): string => {
  const { pids, first } = set
  const count = pids.length === 1 ? '' : `and ${pids.length - 1} more`
  const lines = [`PID ${pidText(first) || pids[0]}`, cutTo(first?.command ?? '', WIDEST), count]
  return `  ${quote(setName(set))} [shape=ellipse, label=${quote(...lines.filter((line) => line !== ''))}]`
}

const edge = (from: string, to: string, attributes = ''): string => `  ${quote(from)} -> ${quote(to)}${attributes}`

/** Other namespaces that hold this one have edges of their own. */
const isOutside = ({ by }: NamespaceHolder): boolean => by !== 'child' && by !== 'owned'

/**
 * A graph in the language of graphviz: the processes, one node for all that share every namespace, point to the
 * namespaces that they are in; what else holds one does so dotted. A namespace points to its owner, dashed, and a user
 * or pid namespace to its parent.
 */
export const namespaceDot = ({ namespaces, sets }: Pick<HostNamespaces, 'namespaces' | 'sets'>): string => {
  const known = new Set(namespaces.map(({ inode }) => inode))
  const byInode = new Map(namespaces.map((namespace) => [namespace.inode, namespace]))
  const related = (from: HostNamespace, inode: number | undefined, attributes: string): readonly string[] => {
    const to = inode === undefined ? undefined : byInode.get(inode)
    return to === undefined ? [] : [edge(namespaceName(from), namespaceName(to), attributes)]
  }
  const shownSets = sets.filter((set) => Object.values(set.namespaces).some((inode) => known.has(inode)))
  const members = shownSets.flatMap((set) =>
    Object.values(set.namespaces).flatMap((inode) => {
      const namespace = byInode.get(inode)
      return namespace === undefined ? [] : [edge(setName(set), namespaceName(namespace))]
    }),
  )
  const holders = namespaces.flatMap((namespace) =>
    namespace.holders
      .filter(isOutside)
      .map((holder) => edge(holderText(holder), namespaceName(namespace), ' [style=dotted]')),
  )
  const holderNodes = [...new Set(namespaces.flatMap((each) => each.holders.filter(isOutside).map(holderText)))]
  const relations = namespaces.flatMap((namespace) => [
    ...related(namespace, namespace.parent, ' [label="child of"]'),
    ...(namespace.kind === 'user' ? [] : related(namespace, namespace.owner, ' [style=dashed, label="owned by"]')),
  ])
  const lines = [
    'digraph namespaces {',
    '  rankdir=LR',
    '  node [shape=box, style=filled, fillcolor=white, fontsize=10]',
    '  edge [fontsize=8]',
    ...namespaces.map(namespaceNode),
    ...shownSets.map(setNode),
    ...holderNodes.map((text) => `  ${quote(text)} [shape=note]`),
    ...members,
    ...holders,
    ...relations,
    '}',
  ]
  return `${lines.join('\n')}\n`
}
