import { deletePassword, findMachine, lockPassword, setPassword, unlockPassword } from '../index.ts'
import { isTerminal } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { readPassword } from './password-prompt.ts'
import { printable } from './text.ts'
import { UsageError } from './usage-error.ts'

export const passwd: Command = command({
  usage: ['[--lock | --unlock | --delete] DIR [USER]'],
  description:
    "Sets the password of a user, root by default, in the system that DIR holds. It is typed twice at the terminal, which doesn't show it; where standard input is no terminal, it is the one line there. It is never an argument, which all users of this host could read.\n\n" +
    'The system\'s own chpasswd does it (or busybox, whichever it has), in a container without network in which nothing of the host is in reach. So the hash is of the kind that the system\'s own settings ask for. DIR may be the name of a machine, as for "tare boot".',
  options: [
    { long: 'lock', description: 'Lets no password in for this user, and keeps the one that is set.' },
    { long: 'unlock', description: 'Takes --lock back.' },
    { long: 'delete', description: 'Takes the password away: the user logs in without one.' },
  ],
  operands: [{ name: 'DIR' }, { name: 'USER', optional: true }],
  examples: [
    { description: "root's password in a system", command: 'tare passwd ./box' },
    { description: 'that of a user, from a program that makes it', command: 'pwgen -s 20 1 | tare passwd ./box ann' },
    { description: 'no password at all', command: 'tare passwd --lock ./box' },
  ],
  run: async ({ options, operands, terminal }) => {
    const [word = '', user = 'root'] = operands
    const { lock = false, unlock = false, delete: remove = false } = options
    if ([lock, unlock, remove].filter(Boolean).length > 1)
      throw new UsageError('cannot use --lock, --unlock and --delete together', 'Choose one.')
    const directory = findMachine(word)
    if (lock) await lockPassword(directory, { user })
    else if (unlock) await unlockPassword(directory, { user })
    else if (remove) await deletePassword(directory, { user })
    else {
      await setPassword(directory, () => readPassword(`New password of ${printable(user)}: `), { user })
      if (isTerminal(0)) terminal.warn('The password is set.')
    }
    return 0
  },
})
