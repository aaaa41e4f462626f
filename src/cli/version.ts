import type { Command } from './command.ts'
import { command } from './command.ts'
import { packageVersion } from './package-version.ts'

export const version: Command = command({
  description: 'Shows the version of tare, as "tare --version" does.',
  options: [{ long: 'json', description: 'Prints JSON, with the versions of Node and of the kernel too.' }],
  operands: [],
  examples: [{ description: 'the version alone', command: 'tare version' }],
  run: async ({ options, terminal }) => {
    const tare = packageVersion()
    if (options.json === true) {
      const { release } = await import('node:os')
      terminal.print(`${JSON.stringify({ tare, node: process.versions.node, kernel: release() })}\n`)
    } else {
      terminal.print(`tare ${tare}\n`)
    }
    return 0
  },
})
