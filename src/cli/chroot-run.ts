import type { ChrootOptions } from '../index.ts'
import { chrootLaunch } from '../index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { runInForeground } from './foreground.ts'
import { UsageError } from './usage-error.ts'
import { wrongValue } from './wrong-value.ts'

/** `SOURCE:TARGET`, `SOURCE:TARGET:ro`. */
const parseVolume = (text: string): NonNullable<ChrootOptions['binds']>[number] => {
  const [, source, target, mode] = /^(.+?):(\/[^:]*)(?::(ro|rw))?$/.exec(text) ?? []
  if (source === undefined || target === undefined)
    throw wrongValue('volume', text, 'it is not SOURCE:TARGET or SOURCE:TARGET:ro', 'TARGET is absolute, in the root.')
  return { source, target, readOnly: mode === 'ro' }
}

export const chrootRun: Command = command({
  usage: ['[OPTION]... DIR [--] COMMAND [ARGUMENT...]'],
  description:
    'Runs a command with another directory as its root, and with no other wall: what the command sees as files is what is in the directory. Its processes, network, users, limits and privileges are those of the host, and so are its environment, standard streams and terminal.\n\n' +
    'As root this is chroot(2), which keeps nobody in who is root: that one makes another chroot below, climbs out of it, makes device nodes, kills and traces processes outside. With --pivot (and with what mounts something, which implies it) there is no way back to the root of the host by files alone; the rest stays true. What contains is "tare run --rootfs=DIR".\n\n' +
    'As an ordinary user it happens in a user namespace, in which there is that user and no other.',
  options: [
    {
      long: 'user',
      short: 'u',
      argument: 'USER',
      description:
        'Runs it as this user: NAME, UID, or either with :GROUP. Names are looked up in /etc/passwd of DIR. For an ordinary user that is a name only: its power outside stays its own.',
    },
    { long: 'workdir', short: 'w', argument: 'DIR', description: 'The working directory, in the root. By default /.' },
    {
      long: 'pivot',
      description: 'Makes DIR the root by pivot_root(2), in a mount namespace of its own.',
      group: 'Mounts',
    },
    {
      long: 'proc',
      description: "Mounts the host's /proc at /proc. Root reaches all of the host through it.",
      group: 'Mounts',
    },
    {
      long: 'dev',
      description: 'Mounts a new /dev with null, zero, full, random, urandom and tty at /dev.',
      group: 'Mounts',
    },
    {
      long: 'volume',
      short: 'v',
      argument: 'SOURCE:TARGET[:ro]',
      repeatable: true,
      description: 'Mounts a file or directory of the host at TARGET, which must be there, ro: not to be written to.',
      group: 'Mounts',
    },
  ],
  operands: [{ name: 'DIR' }, { name: 'COMMAND' }, { name: 'ARGUMENT', optional: true, repeatable: true }],
  stopAtOperand: true,
  examples: [
    { description: 'what "tare chroot build nginx -o jail" has built', command: 'tare chroot run jail/ -- nginx -v' },
    { description: 'a shell with devices, which can not get out', command: 'tare chroot run --pivot --dev jail/ bash' },
    {
      description: 'a web server as its own user, with pages from elsewhere',
      command: 'tare chroot run -v ./site:/var/www:ro --dev jail/ nginx',
    },
  ],
  exitStatus: [
    ['N', "The command's own."],
    ['126', 'The command was found, and cannot be executed.'],
    ['127', 'The command was not found; or the loader that it names.'],
    ['128+N', 'Signal N killed it.'],
  ],
  run: async ({ options, operands, name }) => {
    const [root = '', ...rest] = operands
    const words = rest[0] === '--' ? rest.slice(1) : rest
    if (words.length === 0) throw new UsageError(`cannot use ${name}: COMMAND is missing`, `See "${name} --help".`)
    const { user, workdir, pivot, proc, dev, volume } = options
    return runInForeground(
      words,
      chrootLaunch(root, {
        ...(user !== undefined && { user }),
        ...(workdir !== undefined && { workdir }),
        pivot: pivot === true,
        proc: proc === true,
        dev: dev === true,
        binds: volume.map(parseVolume),
      }),
    )
  },
})
