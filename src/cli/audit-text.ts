import type { Audit, Finding, Verdict, Wall } from '../index.ts'
import { WALLS } from '../index.ts'
import type { Style, Terminal } from './terminal.ts'
import { formatTable } from './table.ts'
import { printable, wrap } from './text.ts'

/** How a finding, or a wall with it, is shown; the gravest last. */
const MARKS = ['holds', 'unknown', 'note', 'weak', 'open'] as const

type Mark = (typeof MARKS)[number]

const markOf = ({ state, severity }: Finding): Mark =>
  severity === 'escape'
    ? 'open'
    : severity === 'weakness'
      ? 'weak'
      : severity === 'note'
        ? 'note'
        : state === 'unknown'
          ? 'unknown'
          : 'holds'

const plain = (text: string): string => text

const colour = (mark: Mark, style: Style): ((text: string) => string) =>
  ({ holds: style.green, unknown: style.dim, note: plain, weak: style.yellow, open: style.red })[mark]

/** A wall in one line: what is gravest, and how much more of that there is. What can't be seen counts less than what holds. */
const wallRow = (wall: Wall, findings: readonly Finding[], style: Style) => {
  const order = ['unknown', 'holds', 'note', 'weak', 'open'] as const
  const marks = findings.map(markOf)
  const gravest = order.findLast((mark) => marks.includes(mark)) ?? 'unknown'
  const same = findings.filter((finding) => markOf(finding) === gravest)
  const more = gravest !== 'holds' && same.length > 1 ? `, and ${same.length - 1} more` : ''
  return [wall, { text: gravest, style: colour(gravest, style) }, `${same[0]?.found ?? ''}${more}`]
}

const finding = ({ wall, found, why, remedy }: Finding, { style, columns }: Terminal): string => {
  const lines = [wrap(printable(`${wall}: ${found}`), columns, 2)]
  if (why !== undefined) lines.push(wrap(why, columns, 6))
  if (remedy !== undefined) lines.push(style.dim(wrap(remedy, columns, 6)))
  return lines.join('\n')
}

const TITLES: Readonly<Record<Mark, string>> = {
  open: 'WAYS OUT',
  weak: 'WEAKNESSES',
  note: 'NOTES',
  unknown: "WHAT CAN'T BE SEEN FROM OUTSIDE",
  holds: 'WHAT HOLDS',
}

/** So many findings of a wall are shown in full, unless all are asked for. */
const SHOWN_IN_FULL = 3

const wallSection = (wall: Wall, findings: readonly Finding[], terminal: Terminal, all: boolean): readonly string[] => {
  const full = all || findings.length === SHOWN_IN_FULL + 1 ? findings : findings.slice(0, SHOWN_IN_FULL)
  const rest = findings.slice(full.length).map(({ found }) => found)
  const more =
    rest.length === 0
      ? []
      : [wrap(printable(`${wall}, and ${rest.length} more (-v): ${rest.join(', ')}`), terminal.columns, 2)]
  return [...full.map((each) => finding(each, terminal)), ...more]
}

const section = (mark: Mark, findings: readonly Finding[], terminal: Terminal, all: boolean): string => {
  const some = findings.filter((each) => markOf(each) === mark)
  if (some.length === 0) return ''
  const walls = WALLS.flatMap((wall) =>
    wallSection(
      wall,
      some.filter((each) => each.wall === wall),
      terminal,
      all,
    ),
  )
  return `\n${terminal.style.bold(TITLES[mark])}\n${walls.join('\n')}\n`
}

const count = (number: number, one: string, many: string): readonly string[] =>
  number === 0 ? [] : [`${number} ${number === 1 ? one : many}`]

const VERDICTS: Readonly<Record<Verdict, string>> = {
  contained: 'contained',
  gaps: 'contained, with gaps',
  'not contained': 'not contained',
}

const verdictText = ({ verdict, findings }: Audit, style: Style): string => {
  const marks = findings.map(markOf)
  const number = (mark: Mark): number => marks.filter((each) => each === mark).length
  const counts = [
    ...count(number('open'), 'way out', 'ways out'),
    ...count(number('weak'), 'weakness', 'weaknesses'),
    ...count(number('note'), 'note', 'notes'),
    ...count(number('unknown'), 'thing unknown', 'things unknown'),
  ]
  const paint = { contained: style.green, gaps: style.yellow, 'not contained': style.red }[verdict]
  return `${style.bold('verdict')}: ${paint(VERDICTS[verdict])}${counts.length === 0 ? '' : ` (${counts.join(', ')})`}\n`
}

/** What was promised and what was found, side by side. */
const promisesText = ({ container }: Audit, { style, lineWidth }: Terminal): string => {
  if (container === undefined) return ''
  if (container.promises === undefined) return '\nwhat it was promised is not to be found, or may not be read\n'
  const rows = container.promises.map(({ wall, promised, found, kept }) => {
    const [text, paint] =
      kept === undefined ? ['unknown', style.dim] : kept ? ['kept', style.green] : ['broken', style.red]
    return [wall, { text, style: paint }, promised, found]
  })
  const columns = [{ title: 'WALL' }, { title: 'PROMISE' }, { title: 'PROMISED' }, { title: 'FOUND' }]
  return `\n${formatTable(rows, columns, lineWidth)}`
}

const SHOWN = 60

const header = ({ pid, name, command, container }: Audit): string => {
  const line = printable(command.join(' '))
  const shown = line.length > SHOWN ? `${line.slice(0, SHOWN - 1)}…` : line
  const of =
    container === undefined || container.init === pid
      ? ''
      : `, in the container of Tare that process ${container.init} keeps`
  return `process ${pid}: ${shown === '' ? printable(name) : shown}${of}`
}

/** An audit as a person reads it: wall by wall, then what is open, and the verdict. */
export const auditText = (audit: Audit, terminal: Terminal, verbose: boolean): string => {
  const { style, lineWidth } = terminal
  const { findings } = audit
  const walls = WALLS.filter((wall) => findings.some((each) => each.wall === wall))
  const rows = walls.map((wall) =>
    wallRow(
      wall,
      findings.filter((each) => each.wall === wall),
      style,
    ),
  )
  const columns = [{ title: 'WALL' }, { title: 'STATE' }, { title: 'FOUND' }]
  const shown: readonly Mark[] = verbose ? ['open', 'weak', 'note', 'unknown', 'holds'] : ['open', 'weak']
  const sections = shown.map((mark) => section(mark, findings, terminal, verbose))
  return `${style.bold(header(audit))}\n\n${formatTable(rows, columns, lineWidth)}${sections.join('')}${promisesText(audit, terminal)}\n${verdictText(audit, style)}`
}
