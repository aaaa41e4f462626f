import type { Cgroup } from '../linux/index.ts'
import { findCgroup, readCgroupLayout } from '../linux/index.ts'
import { GROUP_NAMES } from './cgroup-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'

/** All of the groups, before something is done to the first. */
const groupsOf = (names: readonly string[]): readonly Cgroup[] => {
  const layout = readCgroupLayout()
  return names.map((name) => findCgroup(layout, name))
}

const GROUPS = [{ name: 'GROUP', repeatable: true }] as const

export const cgroupFreeze: Command = command({
  description:
    'Stops all processes of a control group and of those below it, and returns when they are stopped. They notice nothing of it and can not refuse it, as they could refuse SIGTSTP. "tare cgroup thaw" lets them go on. Those that do not stop within five seconds, since they wait for something uninterruptibly, are let go on, with an error.\n\n' +
    GROUP_NAMES,
  options: [],
  operands: GROUPS,
  examples: [{ description: 'stop a group', command: 'tare cgroup freeze /web' }],
  run: async ({ operands }) => {
    for (const cgroup of groupsOf(operands)) await cgroup.freeze()
    return 0
  },
})

export const cgroupThaw: Command = command({
  description: `Lets the processes of a control group go on that "tare cgroup freeze" has stopped.\n\n${GROUP_NAMES}`,
  options: [],
  operands: GROUPS,
  examples: [{ description: 'let a group go on', command: 'tare cgroup thaw /web' }],
  run: async ({ operands }) => {
    for (const cgroup of groupsOf(operands)) cgroup.thaw()
    return 0
  },
})

export const cgroupKill: Command = command({
  description:
    'Kills all processes of a control group and of those below it, frozen ones and those that fork meanwhile too, and returns when they are gone. The group stays; "tare cgroup rm --kill" removes it as well.\n\n' +
    GROUP_NAMES,
  options: [],
  operands: GROUPS,
  examples: [{ description: 'end all of a group', command: 'tare cgroup kill /web' }],
  run: async ({ operands }) => {
    for (const cgroup of groupsOf(operands)) await cgroup.kill()
    return 0
  },
})
