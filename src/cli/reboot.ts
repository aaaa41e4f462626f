import { machine } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { seconds } from './seconds.ts'

export const reboot: Command = command({
  description:
    'Tells the init of a machine to stop its services and boot anew, and waits until it is started again. It keeps its name, its directory and what it was booted with; memory and control groups are new.',
  options: [
    {
      long: 'timeout',
      short: 't',
      argument: 'TIME',
      description: 'How long that may take: seconds, or a time with a unit (90s, 2m). By default 2 minutes.',
    },
  ],
  operands: [{ name: 'MACHINE' }],
  examples: [{ description: 'boot a machine anew', command: 'tare reboot box' }],
  run: async ({ options, operands }) => {
    const [name = ''] = operands
    const { timeout } = options
    const found = await machine(name)
    await found.reboot(timeout === undefined ? {} : { timeout: seconds(timeout) })
    return 0
  },
})
