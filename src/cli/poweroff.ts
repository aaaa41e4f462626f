import { machine } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { seconds } from './seconds.ts'

export const poweroff: Command = command({
  description:
    'Tells the init of a machine to stop its services and switch off, and waits until nothing of it is left. It is told by the signal that its init knows: systemd, busybox and OpenRC have their own, others get SIGPWR.',
  options: [
    {
      long: 'timeout',
      short: 't',
      argument: 'TIME',
      description: 'How long that may take: seconds, or a time with a unit (90s, 2m). By default 2 minutes.',
    },
    {
      long: 'force',
      short: 'f',
      description:
        'Ends it at once when that time is over, as if the power failed; without --timeout right away, without asking it.',
    },
  ],
  operands: [{ name: 'MACHINE' }],
  examples: [
    { description: 'switch a machine off', command: 'tare poweroff box' },
    { description: 'in order, if it does so within 10 seconds', command: 'tare poweroff --timeout=10 --force box' },
  ],
  run: async ({ options, operands }) => {
    const [name = ''] = operands
    const { timeout, force = false } = options
    const found = await machine(name)
    await found.powerOff({ force, ...(timeout === undefined ? {} : { timeout: seconds(timeout) }) })
    return 0
  },
})
