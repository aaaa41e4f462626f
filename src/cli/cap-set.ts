import { setFileCapabilities } from '../linux/index.ts'
import { parseFileCapabilities, ROOT_ID_OPTION } from './cap-file.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { printable } from './text.ts'

export const capSet: Command = command({
  description:
    'Gives programs capabilities, which whoever executes them gains: to all of the files, or, if that fails for one, to none. ' +
    'What they had before is replaced. It takes cap_setfcap, which root has.\n\n' +
    'The text is that of cap_from_text(3), as setcap(8) takes it: names with commas between them, =, and what of it: p, ' +
    'permitted; i, inheritable, for callers who have it inheritable too; e, in force from the start. A file has e for all of ' +
    'its capabilities or for none. Several of these may follow each other, with spaces between them.\n\n' +
    'Changing what a program holds takes its capabilities away, and so does giving it to another owner.',
  options: [ROOT_ID_OPTION],
  operands: [{ name: 'CAPABILITIES' }, { name: 'FILE', repeatable: true }],
  examples: [
    {
      description: 'a server that may bind to ports below 1024, whoever starts it',
      command: 'tare cap set cap_net_bind_service=ep ./server',
    },
    {
      description: 'one that uses raw sockets when it asks for them, and keeps files readable by all',
      command: "tare cap set 'cap_net_raw=p cap_dac_read_search=ep cap_net_raw+e' ./probe",
    },
    {
      description: 'only in user namespaces whose root is user 100000 here',
      command: 'tare cap set -n 100000 cap_net_raw=ep ./rootfs/usr/bin/ping',
    },
  ],
  run: async ({ options, operands: [text = '', ...files], terminal }) => {
    const doubts = setFileCapabilities(files, parseFileCapabilities(text, options['root-id']))
    for (const { path, reason } of doubts) {
      terminal.warn(`tare: the capabilities of ${printable(path)} will have no effect: ${printable(reason)}`)
    }
    return 0
  },
})
