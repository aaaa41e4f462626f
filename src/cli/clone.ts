import { cloneSystem, findMachine } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { copyMethodText } from './copy-text.ts'
import { reportMade, tookText } from './made.ts'
import { machineOutput } from './machine-output.ts'
import { untilDone } from './until-signal.ts'

export const clone: Command = command({
  usage: ['[OPTION]... MACHINE DIR', '[OPTION]... --name=NAME MACHINE'],
  description:
    'Makes DIR a machine like another one: its system, and its settings but the host name. The machine must be switched off. The new one makes itself a machine id when it is first booted; keys that its services have made for themselves, such as those of an SSH server, are those of the other one until you have them made anew.\n\n' +
    'On btrfs a subvolume becomes a snapshot, at once; elsewhere the files share their blocks with those of the other machine where the file system can (btrfs, xfs), or are copied, with all that they have. There is all of it or nothing.',
  options: [
    { long: 'name', argument: 'NAME', description: 'Makes a machine of this name, instead of DIR.' },
    { long: 'quiet', short: 'q', description: 'Prints nothing if all goes well.' },
    { long: 'json', description: 'Prints JSON: { path, method, warnings }.' },
  ],
  operands: [{ name: 'MACHINE' }, { name: 'DIR', optional: true }],
  examples: [
    { description: 'one more like it', command: 'tare clone ./box ./other' },
    { description: 'a machine with a name, from another', command: 'tare clone --name web2 web' },
  ],
  exitStatus: [['128+N', 'Signal N ended it; nothing is left.']],
  run: async ({ options, operands: [word = '', directory], terminal, name }) => {
    const source = findMachine(word)
    const output = machineOutput(name, directory, options.name)
    const began = performance.now()
    return untilDone(async (signal) => {
      const cloned = await cloneSystem(source, { output, signal })
      const text = ({ path, method }: typeof cloned): string =>
        `made ${path} ${copyMethodText(method)} in ${tookText(performance.now() - began)}`
      reportMade(cloned, text, options, terminal)
      return 0
    })
  },
})
