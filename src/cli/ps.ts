import { setFlagsFromString } from 'node:v8'
import type { FoundContainer, ProcessNode } from '../index.ts'
import { findContainers, processTree } from '../index.ts'
import { suggest } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { parsePid } from './pid.ts'
import type { Line, PsColumn } from './ps-columns.ts'
import { DEFAULT_COLUMNS, PS_COLUMNS, rowOf, TREE_COLUMNS } from './ps-columns.ts'
import { groupedText, treeText } from './ps-text.ts'
import { formatTable } from './table.ts'
import { wrongValue } from './wrong-value.ts'

const columnsOf = (list: string): readonly PsColumn[] =>
  list.split(',').map((word) => {
    const column = PS_COLUMNS.find(({ name }) => name === word.trim())
    if (column !== undefined) return column
    const names = PS_COLUMNS.map(({ name }) => name)
    const meant = suggest(word, names)
    const hint = meant === undefined ? `There are ${names.join(', ')}.` : `Did you mean ${meant}?`
    throw wrongValue('columns', list, `there is no column "${word}"`, hint)
  })

const linesOf = (container: FoundContainer): readonly Line[] =>
  container.processes.map((process) => ({ process, container }))

type Compare = NonNullable<PsColumn['compare']>

/** Each container's processes, its first ones first; then the containers by their first. */
const sorted = (groups: readonly (readonly Line[])[], compare: Compare | undefined): readonly (readonly Line[])[] => {
  if (compare === undefined) return groups
  const first = ([line]: readonly Line[]): Line | undefined => line
  return groups
    .map((lines) => lines.toSorted(compare))
    .toSorted((a, b) => {
      const [left, right] = [first(a), first(b)]
      return left === undefined || right === undefined ? 0 : compare(left, right)
    })
}

/** JSON in which a key without a value is null, so that all are there. */
interface JsonNode {
  readonly process: ProcessNode['process']
  readonly container: number | undefined
  readonly children: readonly JsonNode[]
}

/** A container is told by its first process: in full it would stand there many times. */
const jsonNode = ({ process, container, children }: ProcessNode): JsonNode => ({
  process,
  container: container?.leader,
  children: children.map(jsonNode),
})

/**
 * V8 compiles what runs often for speed, in a thread beside this one. Of a command that is over in a moment that is never
 * worth it, and here it would take the processor from the thread that helps to read /proc. Of Node only; in the process
 * of a program that imports the library it is that program's to say.
 */
const skipOptimizing = (): void => {
  if (process.versions['bun'] === undefined) setFlagsFromString('--no-opt')
}

const SORTS = PS_COLUMNS.flatMap(({ name, compare }) => (compare === undefined ? [] : [name]))

export const ps: Command = command({
  description:
    'Shows the processes of containers, whoever made them: Tare, docker, podman, systemd-nspawn, bwrap, unshare. Each ' +
    'with its ids and its user on both sides: "4711 → 7 → 1" is process 4711 of this host, which its own pid namespace ' +
    'calls 1 and the one around that 7; "alice → 0" is root inside and alice outside.\n\n' +
    'What counts is what the kernel says: a container is every process that is in another namespace than PID 1 of ' +
    "the host. Those belong together that share a namespace which isn't the host's: their pid namespace, or if that is " +
    "the host's, their mnt, user, net, ipc, uts, cgroup or time namespace, the first that differs. One that entered a " +
    'container without its pid namespace is shown with it.\n\n' +
    'Services of the system that have some namespaces of their own (PrivateTmp= and the like of systemd.exec(5)) are ' +
    'left out, and so are threads of the kernel, unless asked for. Who made a container, and what it is called, is a ' +
    'guess by its control group and the process that started it. An ordinary user sees of the containers of others ' +
    'only those with a pid namespace of their own.',
  options: [
    { long: 'all', short: 'a', description: "Shows the host's own processes too, and services." },
    {
      long: 'services',
      description: 'Shows services of the system and threads of the kernel in namespaces of their own too.',
    },
    { long: 'tree', short: 't', description: 'Shows who started whom, from PID 1 of the host on.' },
    {
      long: 'columns',
      short: 'o',
      argument: 'LIST',
      description: `Prints a plain table of these columns, one line for a process; with --tree they stand before the tree. ${PS_COLUMNS.map(({ name, meaning }) => `${name}: ${meaning}`).join('; ')}.`,
    },
    {
      long: 'sort',
      argument: 'COLUMN',
      choices: SORTS,
      description: 'Sorts by a column: numbers from the largest down, by pid and text upwards.',
    },
    {
      long: 'json',
      description:
        'Prints JSON: a list of containers, each with its processes; with --tree the processes by who started whom.',
    },
  ],
  operands: [{ name: 'PID', isProcess: true, optional: true, repeatable: true }],
  usage: ['[OPTION]...', '[OPTION]... PID...'],
  examples: [
    { description: 'all containers on this host', command: 'tare ps' },
    { description: 'the container that a process is in', command: 'tare ps 4711' },
    { description: 'what uses most memory', command: 'tare ps --sort=memory -o memory,container,maker,pid,command' },
    { description: 'how they were started', command: 'tare ps --tree' },
    {
      description: 'the host ids of all that runs in podman',
      command: `tare ps --json | jq '.[] | select(.madeBy == "podman").processes[].pid'`,
    },
  ],
  run: async ({ options, operands, terminal }) => {
    const { all = false, services = false, tree = false, json: asJson = false, columns: list, sort } = options
    const columns = columnsOf(list ?? (tree ? TREE_COLUMNS : DEFAULT_COLUMNS))
    if (tree && sort !== undefined)
      throw wrongValue('sort', sort, 'a tree has an order of its own', 'Leave out --sort or --tree.')
    const pids = operands.length === 0 ? undefined : operands.map((word) => parsePid(word))
    skipOptimizing()
    const cgroups = asJson || columns.some(({ name }) => name === 'cgroup')
    const found = findContainers({ services: true, host: all, pids, cgroups })
    const shown = all || services || pids !== undefined ? found : found.filter(({ kind }) => kind === 'container')
    if (asJson) {
      terminal.print(jsonText(tree ? processTree(shown).map(jsonNode) : shown))
      return 0
    }
    const hidden =
      found.filter(({ kind }) => kind === 'service').length - shown.filter(({ kind }) => kind === 'service').length
    if (terminal.interactive && hidden > 0) {
      const what = hidden === 1 ? '1 service of the system is' : `${hidden} services of the system are`
      terminal.warn(terminal.style.dim(`${what} not shown (--services).`))
    }
    if (shown.length === 0) {
      terminal.warn('No process is in a container.')
      return 0
    }
    if (tree) {
      const before = columns.filter(({ name }) => name !== 'command')
      terminal.print(treeText(processTree(shown), before, terminal))
      return 0
    }
    const compare = PS_COLUMNS.find(({ name }) => name === sort)?.compare
    const groups = sorted(shown.map(linesOf), compare)
    if (list === undefined) terminal.print(groupedText(groups, columns, terminal))
    else {
      const lines = compare === undefined ? groups.flat() : groups.flat().toSorted(compare)
      terminal.print(
        formatTable(
          lines.map((line) => rowOf(line, columns)),
          columns,
          terminal.lineWidth,
        ),
      )
    }
    return 0
  },
})
