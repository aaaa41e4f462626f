import { removeCgroup } from '../index.ts'
import { findCgroup, readCgroupLayout } from '../linux/index.ts'
import { GROUP_NAMES } from './cgroup-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'

export const cgroupRm: Command = command({
  description:
    'Removes control groups. One that still has processes, or groups below it, is left alone, with an error that names them; unless the options say otherwise.\n\n' +
    GROUP_NAMES,
  options: [
    { long: 'recursive', short: 'r', description: 'Removes the groups below it, too.' },
    { long: 'kill', short: 'k', description: 'Kills the processes in it first.' },
  ],
  operands: [{ name: 'GROUP', repeatable: true }],
  examples: [
    { description: 'a group without processes', command: 'tare cgroup rm /web' },
    { description: 'whatever is in it', command: 'tare cgroup rm -r --kill /shop' },
  ],
  run: async ({ options, operands }) => {
    const recursive = options.recursive === true
    const kill = options.kill === true
    const layout = readCgroupLayout()
    // All of them are there before the first goes.
    for (const name of operands) findCgroup(layout, name)
    for (const name of operands) await removeCgroup(name, { recursive, kill })
    return 0
  },
})
