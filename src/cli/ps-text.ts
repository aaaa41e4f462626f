import type { FoundContainer, ProcessNode } from '../index.ts'
import type { Line, PsColumn } from './ps-columns.ts'
import { commandText, labelOf } from './ps-columns.ts'
import type { Cell } from './table.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'
import { cutTo, displayWidth, printable } from './text.ts'

/** The line above a container's processes: what it is called, who made it, what it has of its own, and where it is. */
const heading = (
  container: FoundContainer,
  inside: FoundContainer | undefined,
  { style, lineWidth }: Terminal,
): string => {
  const { kind, madeBy, namespaces, cgroup } = container
  const label = printable(labelOf(container))
  const rest = [
    kind === 'service' ? 'a service' : kind === 'kernel' ? 'of the kernel' : '',
    madeBy === undefined || kind !== 'container' ? '' : `by ${madeBy}`,
    inside === undefined ? '' : `inside ${labelOf(inside)}`,
    namespaces.length === 0 ? '' : namespaces.map(({ kind: each }) => each).join(' '),
    cgroup === '/' ? '' : cgroup,
  ].filter((part) => part !== '')
  const text = printable(rest.map((part) => `   ${part}`).join(''))
  const room = lineWidth === undefined ? Number.POSITIVE_INFINITY : Math.max(0, lineWidth - displayWidth(label))
  return `${style.bold(label)}${style.dim(cutTo(text, room))}\n`
}

const INDENT = '  '

/** The processes below a line about their container. */
export const groupedText = (
  groups: readonly (readonly Line[])[],
  columns: readonly PsColumn[],
  terminal: Terminal,
): string => {
  const titles = columns.map((column, index) => (index === 0 ? { ...column, title: INDENT + column.title } : column))
  const rows = groups.flat().map((line) => {
    const [first = '', ...rest] = columns.map(({ cell }) => cell(line))
    return [INDENT + first, ...rest]
  })
  const [title = '', ...texts] = formatTable(rows, titles, terminal.lineWidth).split('\n')
  const containers = groups.flatMap(([line]) => (line?.container === undefined ? [] : [line.container]))
  const byLeader = new Map(containers.map((container) => [container.leader, container]))
  let at = 0
  const parts = groups.map((lines) => {
    const container = lines[0]?.container
    const inside = container?.parent === undefined ? undefined : byLeader.get(container.parent)
    const above = container === undefined ? '' : heading(container, inside, terminal)
    const body = texts.slice(at, at + lines.length).join('\n')
    at += lines.length
    return `${above}${body}\n`
  })
  return `${terminal.style.bold(title)}\n${parts.join('\n')}`
}

/** The lines of a tree, each with what is drawn before its command. */
const treeRows = (
  nodes: readonly ProcessNode[],
  columns: readonly PsColumn[],
  terminal: Terminal,
): readonly (readonly Cell[])[] => {
  const rows: (readonly Cell[])[] = []
  // By hand rather than by recursion: who starts a process from a process ten thousand times is not to break this.
  const left = nodes.map((node) => ({ node, branch: '', below: '' })).toReversed()
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { node, branch, below } = next
    const row = [...columns.map(({ cell }) => cell(node)), branch + commandText(node.process)]
    // What is only on the way to a container stands back.
    rows.push(node.container === undefined ? row.map((text) => ({ text, style: terminal.style.dim })) : row)
    const children = node.children.toReversed()
    for (const [index, child] of children.entries()) {
      const isLast = index === 0
      left.push({ node: child, branch: `${below}${isLast ? '└ ' : '├ '}`, below: `${below}${isLast ? '  ' : '│ '}` })
    }
  }
  return rows
}

/** Who started whom: the columns, and behind them the commands as a tree. */
export const treeText = (nodes: readonly ProcessNode[], columns: readonly PsColumn[], terminal: Terminal): string =>
  formatTable(treeRows(nodes, columns, terminal), [...columns, { title: 'COMMAND' }], terminal.lineWidth)
