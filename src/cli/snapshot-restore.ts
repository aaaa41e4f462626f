import { findMachine, restoreSnapshot } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { copyMethodText } from './copy-text.ts'
import { reportMade } from './made.ts'
import { untilDone } from './until-signal.ts'

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
  run: async ({ options, operands: [word = '', name = ''], terminal }) =>
    untilDone(async (signal) => {
      const restored = await restoreSnapshot(findMachine(word), name, { signal })
      const text = ({ path, name: from, method }: typeof restored): string =>
        `${path} is as it was at ${from}, ${copyMethodText(method)}`
      reportMade(restored, text, options, terminal)
      return 0
    }),
})
