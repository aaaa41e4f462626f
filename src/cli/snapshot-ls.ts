import { findMachine, listSnapshots } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { jsonText } from './json.ts'
import { printable } from './text.ts'

export const snapshotLs: Command = command({
  description: 'Lists the snapshots of a machine, the oldest first.',
  options: [{ long: 'json', description: 'Prints JSON: [{ name, path, created }], the time as ISO 8601 has it.' }],
  operands: [{ name: 'MACHINE' }],
  examples: [{ description: 'the names alone', command: "tare snapshot ls --json ./box | jq -r '.[].name'" }],
  run: async ({ options, operands: [word = ''], terminal }) => {
    const all = listSnapshots(findMachine(word))
    if (options.json === true) terminal.print(jsonText(all))
    else
      for (const { name, created } of all)
        terminal.print(`${created.toISOString().replace(/\.\d+Z$/, 'Z')}  ${printable(name)}\n`)
    return 0
  },
})
