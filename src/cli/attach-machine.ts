import { machine } from '../index.ts'
import { isTerminal } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { Console, consoleSize } from './console.ts'

/** How much of what was said before is shown: mostly that is the login's question. */
const LINES = 5

export const attachMachine: Command = command({
  description:
    'Connects this terminal with the console of a machine in the background: what it says from now on, with a few lines from before, and what is typed here. Several may be attached at once, up to eight, and see the same.\n\n' +
    "Every key is for the machine. ^] three times within a second leaves it, and so does a signal to tare; the machine goes on. The window's size is that of whoever attached, or changed it, last.",
  options: [{ long: 'no-stdin', description: 'Shows only what it says; nothing is typed.' }],
  operands: [{ name: 'MACHINE' }],
  examples: [{ description: 'the console of a machine', command: 'tare attach box' }],
  run: async ({ options, operands, terminal }) => {
    const [name = ''] = operands
    const found = await machine(name)
    const side = found.attach()
    const leave = (): void => side.close()
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, leave)
    const console = new Console({ escaped: leave, lost: leave })
    try {
      for await (const bytes of found.logs({ lines: LINES })) process.stdout.write(bytes)
      const size = consoleSize()
      if (size !== undefined) side.resize(size.columns, size.rows)
      await console.show({
        stdin: options['no-stdin'] === true ? undefined : side.stdin,
        stdout: side.stdout,
        resize: (columns, rows) => side.resize(columns, rows),
      })
    } finally {
      side.close()
      console.close()
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.off(signal, leave)
      if (isTerminal(0)) terminal.warn('')
    }
    return 0
  },
})
