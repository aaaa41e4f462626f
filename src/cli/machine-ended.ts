import { machineEnded } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'

export const machineEndedCommand: Command = command({
  description:
    'What the process that stays beside a machine in the background becomes when that has ended. For tare alone.',
  options: [],
  operands: [{ name: 'MACHINE' }],
  examples: [],
  run: async ({ operands }) => {
    const [name = ''] = operands
    await machineEnded(name)
    return 0
  },
})
