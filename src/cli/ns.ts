import type { HostNamespaces } from '../index.ts'
import { compareNamespaces, hostNamespaces } from '../index.ts'
import type { NamespaceKind } from '../linux/index.ts'
import { NAMESPACE_KINDS, parseNamespaceId, readNamespaces, TareError } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { comparisonText } from './ns-compare.ts'
import { namespaceDot } from './ns-dot.ts'
import { namespaceText } from './ns-one.ts'
import { namespaceTable } from './ns-table.ts'
import { namespaceTree } from './ns-tree.ts'
import { parsePid } from './pid.ts'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

/** `4026531840` or `net:[4026531840]`. */
const asInode = (word: string): number | undefined =>
  parseNamespaceId(word)?.inode ?? (/^[0-9]{8,10}$/.test(word) ? Number(word) : undefined)

const kindsOf = (words: readonly string[]): ReadonlySet<NamespaceKind> => {
  const kinds = new Set(NAMESPACE_KINDS.filter((kind) => words.length === 0 || words.includes(kind)))
  const own = readNamespaces('self')
  const missing = words.length === 0 ? undefined : [...kinds].find((kind) => own[kind] === undefined)
  if (missing === undefined) return kinds
  throw new TareError({ operation: 'list namespaces of type', target: missing, reason: 'this kernel has none' })
}

/** Of the namespaces that a process is in. */
const inodesOf = (pid: number): ReadonlySet<number> =>
  new Set(compareNamespaces(pid, pid).kinds.map(({ process: inode }) => inode))

/** What of the host's namespaces is asked for: some kinds, or those of one process. */
const select = (all: HostNamespaces, types: readonly string[], task: string | undefined): HostNamespaces => {
  const kinds = kindsOf(types)
  const inodes = task === undefined ? undefined : inodesOf(parsePid(task))
  const namespaces = all.namespaces.filter(({ kind, inode }) => kinds.has(kind) && inodes?.has(inode) !== false)
  const shown = new Set(namespaces.map(({ inode }) => inode))
  const sets = all.sets.filter((set) => Object.values(set.namespaces).some((inode) => shown.has(inode)))
  return { ...all, namespaces, sets }
}

const warnOfUnreadable = ({ unreadable }: HostNamespaces, terminal: Terminal): void => {
  if (unreadable === 0) return
  const [count, theirs] = unreadable === 1 ? ['1 process', 'its'] : [`${unreadable} processes`, 'their']
  const advice = process.geteuid?.() === 0 ? '' : ': as root more is seen'
  terminal.warn(`tare: ${count} can not be looked at, so ${theirs} namespaces may be missing${advice}`)
}

const showOne = (all: HostNamespaces, inode: number, isJson: boolean, terminal: Terminal): void => {
  const namespace = all.namespaces.find((each) => each.inode === inode)
  if (namespace === undefined) {
    const hint = 'It is gone, or nothing that leads to it can be seen: "tare ns" lists what can.'
    throw new TareError({
      operation: 'show namespace',
      target: `${inode}`,
      reason: 'there is none of this number',
      hint,
    })
  }
  const sets = all.sets.filter((set) => set.namespaces[namespace.kind] === inode)
  terminal.print(isJson ? jsonText({ ...namespace, sets }) : namespaceText(all, namespace, terminal))
}

const FORMS = ['tree', 'dot', 'json'] as const

export const ns: Command = command({
  usage: ['[OPTION]...', '[--json] PID [PID]', '[--json] [--sockets] NAMESPACE'],
  description:
    'Lists every namespace of this host that can be found: its number (the inode of its file), its type, how many ' +
    'processes are in it and the first of them, the user namespace that owns it, for user and pid namespaces the ' +
    'parent, and what else holds it: a mount of its file, an open descriptor, a single thread, a process whose ' +
    'children will be born into it, or a namespace below it.\n\n' +
    'With a process id, compares the namespaces of that process with those of the host (PID 1), or with those of a ' +
    'second process: which are the same, and what its user ids are here. With the number of a namespace, shows all ' +
    'about that one. Ids on both sides of a nested namespace stand as 1234 → 1: first here, then inside.\n\n' +
    'Changes nothing. An ordinary user sees the namespaces of own processes only.',
  options: [
    {
      long: 'type',
      short: 't',
      argument: 'TYPE',
      repeatable: true,
      choices: NAMESPACE_KINDS,
      description: 'Lists only namespaces of this type.',
    },
    { long: 'task', short: 'p', argument: 'PID', description: 'Lists only namespaces that this process is in.' },
    {
      long: 'sockets',
      description:
        'Looks at every socket too, for network namespaces that only sockets keep. Takes longer the more there are.',
    },
    {
      long: 'tree',
      description: 'Shows trees: what each user namespace owns, and which pid namespace is nested in which.',
    },
    { long: 'dot', description: 'Prints a graph of who shares what, for dot(1) of graphviz.' },
    {
      long: 'json',
      description:
        'Prints JSON: { namespaces, sets, unreadable }, where sets are the processes that share all their namespaces.',
    },
  ],
  operands: [
    { name: 'PID', isProcess: true, optional: true },
    { name: 'PID', isProcess: true, optional: true },
  ],
  examples: [
    { description: 'all network namespaces, also those that no process is in', command: 'tare ns -t net' },
    { description: 'what this shell shares with the host', command: 'tare ns $$' },
    { description: 'who owns what', command: 'tare ns --tree' },
    { description: 'a picture of who shares what', command: 'tare ns --dot | dot -Tsvg >namespaces.svg' },
  ],
  run: async ({ options, operands, terminal, name }) => {
    const forms = FORMS.filter((form) => options[form] === true)
    const chosen = [
      ...forms,
      ...(options.type.length > 0 ? ['type'] : []),
      ...(options.task === undefined ? [] : ['task']),
    ]
    const refuse = (reason: string): UsageError =>
      new UsageError(`cannot use ${name}: ${reason}`, `See "${name} --help".`)
    if (forms.length > 1) throw refuse(`--${forms[0]} and --${forms[1]} do not go together`)
    const [first, second] = operands
    if (first === undefined) {
      const all = select(hostNamespaces({ sockets: options.sockets }), options.type, options.task)
      if (options.json === true) terminal.print(jsonText(all))
      else if (options.dot === true) terminal.print(namespaceDot(all))
      else if (options.tree === true) terminal.print(namespaceTree(all.namespaces, terminal.lineWidth))
      else terminal.print(namespaceTable(all, terminal))
      if (options.json !== true) warnOfUnreadable(all, terminal)
      return 0
    }
    const other = chosen.find((option) => option !== 'json')
    if (other !== undefined) throw refuse(`--${other} is for the list of all namespaces, not for "${first}"`)
    const inode = second === undefined ? asInode(first) : undefined
    if (inode !== undefined) {
      showOne(hostNamespaces({ sockets: options.sockets }), inode, options.json === true, terminal)
      return 0
    }
    if (options.sockets === true) throw refuse(`--sockets is for namespaces, not for process ${first}`)
    const comparison = compareNamespaces(parsePid(first), second === undefined ? undefined : parsePid(second))
    terminal.print(options.json === true ? jsonText(comparison) : comparisonText(comparison, terminal))
    if (comparison.otherIs === 'reader' && options.json !== true) {
      terminal.warn('tare: PID 1 can not be looked at, so this process stands for the host')
    }
    return 0
  },
})
