import { setCgroup } from '../index.ts'
import { GROUP_NAMES, SETTINGS, SETTINGS_TEXT } from './cgroup-text.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'

export const cgroupSet: Command = command({
  description:
    'Changes settings of a control group; those not named stay as they are. All or none: if the kernel refuses one, those before it are taken back.\n\n' +
    `${GROUP_NAMES}\n\n${SETTINGS_TEXT}`,
  options: [],
  operands: [{ name: 'GROUP' }, { name: 'KEY=VALUE', repeatable: true }],
  lists: [SETTINGS],
  examples: [
    { description: 'half a processor and 64 MiB of memory', command: 'tare cgroup set /web cpus=0.5 memory=64MiB' },
    { description: 'no limit on processes any more', command: 'tare cgroup set /web pids=max' },
    {
      description: 'writes slowed down, on the disk that /var is on',
      command: 'tare cgroup set /web write-bps=/var:1MiB',
    },
    {
      description: 'no devices but the usual ones and fuse',
      command: 'tare cgroup set /web devices=standard,/dev/fuse:rw',
    },
    { description: "by the kernel's own name, on version 2", command: 'tare cgroup set /web memory.high=48MiB' },
  ],
  run: async ({ operands }) => {
    const [name = '', ...settings] = operands
    setCgroup(name, settings)
    return 0
  },
})
