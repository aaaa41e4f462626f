import { doTreeWork, readTreeWork, serveTreeWork } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'

/** What tare calls itself for, in a user namespace of its own: its files are worked on by root of them. */
export const treeWork: Command = command({
  description: 'Does what tare needs a process of its own for. It is no command for people.',
  options: [],
  operands: [{ name: 'WORK' }],
  examples: [],
  run: async ({ operands: [text = ''], terminal }) => {
    const say = (line: string): void => terminal.warn(line)
    const onLeftOut = (what: string, path: string): void => say(`left-out ${JSON.stringify([what, path])}`)
    const work = readTreeWork(JSON.parse(text))
    return serveTreeWork(doTreeWork(work, work.kind === 'unpack' ? process.stdin : undefined, { onLeftOut }), say)
  },
})
