import { clearFileCapabilities, clearFileCapabilitiesBelow } from '../linux/index.ts'
import { FILE_OPTIONS } from './cap-file.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { printable } from './text.ts'

export const capRm: Command = command({
  description:
    'Takes the capabilities of files: of all of them, or, if that fails for one, of none. Prints from which they were taken; ' +
    'a file that had none is left alone. It takes cap_setfcap, which root has.',
  options: FILE_OPTIONS,
  operands: [{ name: 'FILE', repeatable: true }],
  examples: [
    { description: 'one program', command: 'tare cap rm ./server' },
    { description: 'all below a directory', command: 'tare cap rm -r ./rootfs' },
  ],
  run: async ({ options, operands, terminal }) => {
    const cleared = (): readonly string[] => {
      if (options.recursive === true) {
        return clearFileCapabilitiesBelow(operands, { otherFileSystems: options['other-file-systems'] === true })
      }
      const had = clearFileCapabilities(operands)
      return operands.filter((_, index) => had[index])
    }
    terminal.print(
      cleared()
        .map((path) => `${printable(path)}\n`)
        .join(''),
    )
    return 0
  },
})
