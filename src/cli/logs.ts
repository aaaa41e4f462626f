import { once } from 'node:events'
import { machine } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { wrongValue } from './wrong-value.ts'

const lineCount = (text: string | undefined): number | undefined => {
  if (text === undefined || text === 'all') return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw wrongValue('tail', text, 'it is neither a whole number nor "all"')
}

export const logs: Command = command({
  description:
    'Shows what the console of a machine in the background has said, since it was first booted: the last megabyte is kept, as long as the machine is there. It is shown as it came, with what a terminal makes of it.\n\n' +
    'What its services write is in its own journal: "tare exec MACHINE journalctl".',
  options: [
    { long: 'follow', short: 'f', description: 'Goes on with what it says from now on, until it has ended.' },
    {
      long: 'tail',
      short: 'n',
      argument: 'LINES',
      description: 'Shows only so many of the last lines; "all" is the default.',
    },
  ],
  operands: [{ name: 'MACHINE' }],
  examples: [
    { description: 'how a machine comes up', command: 'tare logs -f box' },
    { description: 'what it said last', command: 'tare logs -n 20 box' },
  ],
  run: async ({ options, operands }) => {
    const [name = ''] = operands
    const lines = lineCount(options.tail)
    const found = await machine(name)
    const written = found.logs({ follow: options.follow === true, ...(lines === undefined ? {} : { lines }) })
    for await (const bytes of written) if (!process.stdout.write(bytes)) await once(process.stdout, 'drain')
    return 0
  },
})
