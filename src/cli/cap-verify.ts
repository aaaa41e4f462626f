import type { FileCapabilityPart } from '../linux/index.ts'
import { verifyFileCapabilities } from '../linux/index.ts'
import { parseFileCapabilities, ROOT_ID_OPTION } from './cap-file.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { formatTable } from './table.ts'

const WORDS: Readonly<Record<FileCapabilityPart, string>> = {
  effective: 'effective',
  inheritable: 'inheritable',
  permitted: 'permitted',
  rootId: 'root id',
}

export const capVerify: Command = command({
  description:
    'Says whether files have exactly these capabilities, in the text form that "tare cap set" takes, or in what theirs differ. ' +
    'A file that has none has the same as "=".',
  options: [ROOT_ID_OPTION, { long: 'json', description: 'Prints JSON: a list of { path, same, differs }.' }],
  operands: [{ name: 'CAPABILITIES' }, { name: 'FILE', repeatable: true }],
  examples: [
    {
      description: 'a check in a script',
      command: 'tare cap verify cap_net_raw=ep /usr/bin/ping && echo as it should be',
    },
  ],
  exitStatus: [['1', 'Those of a file differ.']],
  run: async ({ options, operands: [text = '', ...files], terminal }) => {
    const wanted = parseFileCapabilities(text, options['root-id'])
    const results = files.map((path) => ({ path, differs: verifyFileCapabilities(path, wanted) }))
    if (options.json === true) {
      const list = results.map(({ path, differs }) => ({ path, same: differs.length === 0, differs }))
      terminal.print(jsonText(list))
    } else {
      const { green, red } = terminal.style
      const rows = results.map(({ path, differs }) =>
        differs.length === 0
          ? [path, { text: 'same', style: green }]
          : [path, { text: `differs: ${differs.map((part) => WORDS[part]).join(', ')}`, style: red }],
      )
      terminal.print(formatTable(rows))
    }
    return results.every(({ differs }) => differs.length === 0) ? 0 : 1
  },
})
