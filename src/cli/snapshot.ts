import { findMachine, takeSnapshot } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { copyMethodText } from './copy-text.ts'
import { reportMade } from './made.ts'
import { untilDone } from './until-signal.ts'

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
  run: async ({ options, operands: [word = '', name], terminal }) =>
    untilDone(async (signal) => {
      const taken = await takeSnapshot(findMachine(word), name, { signal })
      reportMade(taken, (each) => `kept ${each.name} ${copyMethodText(each.method)}`, options, terminal)
      return 0
    }),
})
