import type { HostItem } from '../index.ts'
import { HOST_GROUPS, hostInfo } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import type { Style, Terminal } from './terminal.ts'
import { formatTable } from './table.ts'
import { wrap } from './text.ts'

const colour = (state: HostItem['state'], style: Style): ((text: string) => string) =>
  ({ yes: style.green, no: style.red, limited: style.yellow })[state]

/** One group: a line for each item, then what to do about those that aren't there. */
const groupText = (title: string, items: readonly HostItem[], { style, columns }: Terminal): string => {
  const rows = items.map(({ name, state, detail }) => [
    `  ${name}`,
    { text: state, style: colour(state, style) },
    detail,
  ])
  const remedies = items
    .filter(({ state }) => state !== 'yes')
    .flatMap(({ name, remedy }) => (remedy === undefined ? [] : [wrap(`${name}: ${remedy}`, columns, 4)]))
  const advice = remedies.length === 0 ? '' : `\n${style.dim(remedies.join('\n'))}\n`
  return `${style.bold(title.toUpperCase())}\n${formatTable(rows)}${advice}`
}

export const info: Command = command({
  description:
    'Shows what this host can do for containers that this user starts: kernel, namespaces, users, control groups, ' +
    'mounts, processes and security, each yes, no or limited, with what to do about what is missing. Changes nothing.\n\n' +
    'What is limited or missing here is refused, with an error that says so, only by a container that asks for it.',
  options: [{ long: 'json', description: 'Prints JSON: a list of { id, name, group, state, detail, remedy }.' }],
  operands: [],
  examples: [
    { description: 'all there is to know', command: 'tare info' },
    { description: 'only what is missing', command: `tare info --json | jq -r '.[] | select(.state == "no").name'` },
  ],
  run: async ({ options, terminal }) => {
    const items = hostInfo()
    if (options.json === true) {
      terminal.print(jsonText(items))
      return 0
    }
    const groups = HOST_GROUPS.map((group) =>
      groupText(
        group,
        items.filter((item) => item.group === group),
        terminal,
      ),
    )
    terminal.print(groups.join('\n'))
    return 0
  },
})
