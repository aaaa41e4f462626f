import { findMachine, removeSnapshot } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'

export const snapshotRm: Command = command({
  description: 'Removes snapshots of a machine. The machine may run meanwhile.',
  options: [],
  operands: [{ name: 'MACHINE' }, { name: 'NAME' }, { name: 'NAME', optional: true, repeatable: true }],
  examples: [{ description: 'one of them', command: 'tare snapshot rm ./box before-upgrade' }],
  run: async ({ operands: [word = '', ...names] }) => {
    const directory = findMachine(word)
    for (const name of names) await removeSnapshot(directory, name)
    return 0
  },
})
