import { findCgroup, readCgroupLayout } from '../linux/index.ts'
import { GROUP_NAMES } from './cgroup-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { parsePid } from './pid.ts'

export const cgroupMove: Command = command({
  description:
    'Moves processes into a control group, each with all its threads: in all hierarchies that the group is in. What they have used so far stays accounted to where they were. Children that they start from then on are in the group, too. All or none: if one can not be moved, those before it go back.\n\n' +
    GROUP_NAMES,
  options: [
    {
      long: 'threads',
      short: 't',
      description:
        'Moves single threads, given by their ids. On cgroup version 2 that takes groups of the type threaded; side by side with version 1 it is done on version 1 alone.',
    },
  ],
  operands: [{ name: 'GROUP' }, { name: 'PID', isProcess: true, repeatable: true }],
  examples: [
    { description: 'this shell, and so all that is started from it', command: 'tare cgroup move /web $$' },
    { description: 'by name', command: 'tare cgroup move /web $(pgrep nginx)' },
    { description: 'back to where all began', command: 'tare cgroup move / $$' },
  ],
  run: async ({ options, operands }) => {
    const [name = '', ...words] = operands
    const ids = words.map((word) => parsePid(word, 'pgrep(1) and "tare ps" find ids by names.'))
    const cgroup = findCgroup(readCgroupLayout(), name)
    if (options.threads === true) cgroup.addThreads(...ids)
    else cgroup.add(...ids)
    return 0
  },
})
