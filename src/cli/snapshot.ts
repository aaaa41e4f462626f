import { findMachine, takeSnapshot } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { copyMethodText } from './copy-text.ts'
import { EXIT_STATUS } from './exit-status.ts'
import { jsonText } from './json.ts'
import { printable } from './text.ts'
import { untilSignal } from './until-signal.ts'

export const snapshot: Command = command({
  description:
    'Keeps the system of a machine as it is now, under NAME, by default the time. The machine must be switched off. Snapshots lie in MACHINE.snapshots beside its directory.\n\n' +
    'On btrfs a subvolume is kept at once; elsewhere the files share their blocks where the file system can (btrfs, xfs), or are copied.',
  options: [
    { long: 'quiet', short: 'q', description: 'Prints nothing if all goes well.' },
    { long: 'json', description: 'Prints JSON: { name, path, method, warnings }.' },
  ],
  operands: [{ name: 'MACHINE' }, { name: 'NAME', optional: true }],
  examples: [
    { description: 'before something that may go wrong', command: 'tare snapshot ./box before-upgrade' },
    { description: 'and back to it', command: 'tare snapshot restore ./box before-upgrade' },
  ],
  exitStatus: [['128+N', 'Signal N ended it; nothing is left.']],
  run: async ({ options, operands: [word = '', name], terminal }) => {
    const wait = untilSignal()
    try {
      const taken = await takeSnapshot(findMachine(word), name, { signal: wait.signal })
      for (const warning of taken.warnings) terminal.warn(`tare: ${printable(warning)}`)
      if (options.json === true) terminal.print(jsonText(taken))
      else if (options.quiet !== true)
        terminal.print(`${printable(`kept ${taken.name} ${copyMethodText(taken.method)}`)}\n`)
      return 0
    } catch (error) {
      if (wait.signal.aborted && error === wait.signal.reason) return wait.status() || EXIT_STATUS.failure
      throw error
    } finally {
      wait.release()
    }
  },
})
