import { findMachine, shell as runShell } from '../index.ts'
import { isTerminal } from '../linux/index.ts'
import { streamOptions } from './attach.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { followProgram } from './follow-program.ts'
import { noteReach } from './network-notice.ts'
import { openReport } from './run-report.ts'
import { HOST_SOURCE } from './run-source.ts'
import { SHELL_OPTIONS } from './shell-options.ts'
import { toRunOptions } from './to-run-options.ts'
import { UsageError } from './usage-error.ts'

/** Options of `tare run` that `tare shell` has not. */
const ABSENT = {
  interactive: undefined,
  tty: undefined,
  rm: undefined,
  rootfs: undefined,
  overlay: undefined,
  keep: undefined,
  detach: undefined,
  privileged: undefined,
  net: undefined,
} as const

/** The words of the command. One that begins with a dash is an option in the wrong place, unless `--` stands before it. */
const commandOf = (words: readonly string[], name: string): readonly string[] => {
  const [first] = words
  if (first === '--') return words.slice(1)
  if (first?.startsWith('-') !== true) return words
  throw new UsageError(
    `cannot use ${first} of ${name} behind DIR: what stands there is the command to be run`,
    'Options come before DIR.',
  )
}

export const shell: Command = command({
  usage: ['[OPTION]... DIR [[--] COMMAND [ARGUMENT...]]'],
  description:
    "Runs root's login shell, or a command, in the system that DIR holds, without the system's own init: as in single-user mode. What it changes is kept in DIR, unless --ephemeral.\n\n" +
    "The shell is the one that the system's own /etc/passwd names. If standard input and output are a terminal, it gets one of its own. It finds HOME, USER, SHELL, PATH, LANG and TERM as a login sets them, an empty /run, and, with --network=host, the host's /etc/resolv.conf; nothing else of the host.\n\n" +
    'It is a container as those of "tare run", with the same walls but one: set-user-id programs of the system work in it. As root, DIR belongs to root, and nobody else should be able to go there: what root inside makes a set-user-id program, is one outside too. As an ordinary user, DIR is your own, or belongs to your subordinate ids. DIR may be the name of a machine, as for "tare boot".',
  options: SHELL_OPTIONS,
  operands: [
    { name: 'DIR' },
    { name: 'COMMAND', optional: true },
    { name: 'ARGUMENT', optional: true, repeatable: true },
  ],
  stopAtOperand: true,
  examples: [
    { description: "root's shell in a system", command: 'tare shell ./box' },
    {
      description: 'to install something, and keep it',
      command: 'tare shell --network=host ./box -- apt-get install vim',
    },
    { description: 'to try something, and forget it', command: 'tare shell --ephemeral ./box' },
    {
      description: 'a script from outside, as a user of the system',
      command: 'tare shell -u www-data ./box < script.sh',
    },
  ],
  exitStatus: [
    ['N', "The shell's, or the command's own."],
    ['126', 'The command was found, and cannot be executed.'],
    ['127', 'The command was not found.'],
    ['128+N', 'Signal N killed it; 137 also when its time was up.'],
  ],
  run: async ({ options, operands, terminal, name }) => {
    const [directory = '', ...rest] = operands
    const words = commandOf(rest, name)
    const tty = [0, 1].every(isTerminal)
    const wanted = { interactive: true, tty }
    const { ephemeral = false } = options
    const asked = { ...toRunOptions({ ...options, ...ABSENT }, HOST_SOURCE), ephemeral, term: process.env['TERM'] }
    const report = openReport(options.report)
    const program = runShell(findMachine(directory), words, { ...asked, ...streamOptions(wanted) })
    noteReach(program, terminal)
    return followProgram(program, { wanted, asked, report, terminal })
  },
})
