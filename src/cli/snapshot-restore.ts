import { findMachine, restoreSnapshot } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { copyMethodText } from './copy-text.ts'
import { EXIT_STATUS } from './exit-status.ts'
import { jsonText } from './json.ts'
import { printable } from './text.ts'
import { untilSignal } from './until-signal.ts'

export const snapshotRestore: Command = command({
  description:
    'Makes the system of a machine what it was at a snapshot, its machine id too. What has been changed since is gone; the snapshot stays, and so do the settings. The machine must be switched off. At every moment the old system or the new one is there as a whole.',
  options: [
    { long: 'quiet', short: 'q', description: 'Prints nothing if all goes well.' },
    { long: 'json', description: 'Prints JSON: { name, path, method, warnings }.' },
  ],
  operands: [{ name: 'MACHINE' }, { name: 'NAME' }],
  examples: [{ description: 'back to what it was', command: 'tare snapshot restore ./box before-upgrade' }],
  exitStatus: [['128+N', 'Signal N ended it; the machine is as it was.']],
  run: async ({ options, operands: [word = '', name = ''], terminal }) => {
    const wait = untilSignal()
    try {
      const made = await restoreSnapshot(findMachine(word), name, { signal: wait.signal })
      for (const warning of made.warnings) terminal.warn(`tare: ${printable(warning)}`)
      if (options.json === true) terminal.print(jsonText(made))
      else if (options.quiet !== true)
        terminal.print(`${printable(`${made.path} is as it was at ${made.name}, ${copyMethodText(made.method)}`)}\n`)
      return 0
    } catch (error) {
      if (wait.signal.aborted && error === wait.signal.reason) return wait.status() || EXIT_STATUS.failure
      throw error
    } finally {
      wait.release()
    }
  },
})
