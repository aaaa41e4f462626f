import type { ComparedProcess, NamespaceComparison } from '../index.ts'
import { pidText, userText } from './ns-text.ts'
import type { Cell } from './table.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'

type IdMap = ComparedProcess['uidMap']

const ALL_IDS = 4_294_967_295

const range = (first: number, size: number): string => (size === 1 ? `${first}` : `${first} to ${first + size - 1}`)

/** What the ids of a process are here, a row for each range. */
const idRows = (map: IdMap, what: string): readonly (readonly Cell[])[] => {
  const [only] = map ?? []
  if (map === undefined || (only?.size === ALL_IDS && only.inside === only.outside))
    return [[`  all ${what}s`, 'are the same here']]
  if (only === undefined) return [[`  no ${what}`, 'is mapped']]
  return map.map(({ inside, outside, size }) => [
    `  ${what}${size === 1 ? '' : 's'} ${range(inside, size)}`,
    `${size === 1 ? 'is' : 'are'} ${range(outside, size)} here`,
  ])
}

const who = (name: string, process: ComparedProcess): readonly Cell[] => [
  name,
  `PID ${pidText(process)}`,
  userText(process),
  process.command,
]

const idText = (process: ComparedProcess, { style }: Terminal): string =>
  `${style.bold(`IDS OF PID ${process.pid}`)}\n${formatTable([
    ...idRows(process.uidMap, 'user id'),
    ...idRows(process.gidMap, 'group id'),
  ])}`

/** The second process, by what it stands for. */
const SECOND = { host: 'host', reader: 'this process', process: 'process' } as const

/** A process beside another one, or the host: who they are, kind by kind, and how ids are mapped. */
export const comparisonText = (comparison: NamespaceComparison, terminal: Terminal): string => {
  const { process, other, otherIs, kinds } = comparison
  const { style, lineWidth } = terminal
  const differs = otherIs === 'process' ? 'different' : 'own'
  const rows = kinds.map((each): readonly Cell[] => [
    each.kind,
    each.same ? { text: 'same', style: style.yellow } : { text: differs, style: style.green },
    `${each.process}`,
    `${each.other}`,
    each.isolates,
  ])
  const columns = [
    { title: 'TYPE' },
    { title: '' },
    { title: `PID ${process.pid}` },
    { title: otherIs === 'host' ? 'HOST' : `PID ${other.pid}` },
    { title: 'ISOLATES' },
  ]
  const mapped = [process, ...(otherIs === 'process' ? [other] : [])]
  return [
    formatTable([who('process', process), who(SECOND[otherIs], other)], [], lineWidth),
    formatTable(rows, columns, lineWidth),
    ...mapped.map((each) => idText(each, terminal)),
  ].join('\n')
}
