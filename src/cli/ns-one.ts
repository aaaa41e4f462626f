import type { HostNamespace, HostNamespaces } from '../index.ts'
import { NAMESPACES } from '../linux/index.ts'
import { holderText, namespaceName, pidText } from './ns-text.ts'
import type { Cell } from './table.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'

const SHOWN_PIDS = 10

const pidList = (pids: readonly number[]): string => {
  const rest = pids.length - SHOWN_PIDS
  return `${pids.slice(0, SHOWN_PIDS).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** Rows of one heading, which stands in the first of them; none where there is nothing to list. */
const list = (heading: string, texts: readonly string[]): readonly (readonly Cell[])[] =>
  texts.map((text, index) => [index === 0 ? heading : '', text])

/** All about one of the namespaces: what it isolates, its relations, who is in it and what else holds it. */
export const namespaceText = (
  { namespaces, sets }: Pick<HostNamespaces, 'namespaces' | 'sets'>,
  namespace: HostNamespace,
  { style, lineWidth }: Pick<Terminal, 'style' | 'lineWidth'>,
): string => {
  const { kind, inode, owner, parent, children, creator, holders, processes } = namespace
  const named = (wanted: number | undefined): string => {
    const found = namespaces.find((each) => each.inode === wanted)
    return found === undefined ? 'none, or out of sight' : namespaceName(found)
  }
  const isNested = kind === 'user' || kind === 'pid'
  const owned = namespaces.filter((each) => each.owner === inode && each.kind !== 'user')
  const inIt = sets
    .filter((set) => set.namespaces[kind] === inode)
    .map(({ pids, first }) => `${pids.length === 1 ? pidText(first) : pidList(pids)}   ${first?.command ?? ''}`)
  const rows = [
    ...list('isolates', [NAMESPACES[kind].isolates]),
    ...list('owner', [named(owner)]),
    ...list('parent', isNested ? [named(parent)] : []),
    ...list('made by user', creator === undefined ? [] : [`${creator}`]),
    ...list('children', children.map(named)),
    ...list('owns', owned.map(namespaceName)),
    ...list('processes', processes === 0 ? ['none'] : inIt),
    ...list('held by', holders.length > 0 || processes > 0 ? holders.map(holderText) : ['nothing that can be seen']),
  ]
  return `${style.bold(namespaceName(namespace))}\n${formatTable(rows, [], lineWidth)}`
}
