import type { ExecOptions } from '../index.ts'
import { machine } from '../index.ts'
import { streamOptions } from './attach.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { followProgram } from './follow-program.ts'
import type { OptionValues } from './options.ts'
import { UsageError } from './usage-error.ts'
import { wrongValue } from './wrong-value.ts'

const OPTIONS = [
  {
    long: 'interactive',
    short: 'i',
    description: "The program reads tare's standard input. Without it, there is nothing to be read.",
  },
  {
    long: 'tty',
    short: 't',
    description:
      'Gives the program a terminal of its own, as wide and high as this one. Its standard output and error are one then.',
  },
  {
    long: 'user',
    short: 'u',
    argument: 'USER[:GROUP]',
    description: "Who runs it: names of the machine's own /etc/passwd and /etc/group, or numbers. By default root.",
  },
  {
    long: 'workdir',
    short: 'w',
    argument: 'DIR',
    description: 'Where it begins, a path in the machine. By default /.',
  },
  {
    long: 'env',
    short: 'e',
    argument: 'NAME[=VALUE]',
    repeatable: true,
    description: 'Sets a variable; without a value to that of here.',
  },
  {
    long: 'detach',
    short: 'd',
    description:
      'Returns as soon as it runs, and leaves it to itself, without input and output. Prints its id on this host.',
  },
] as const

const variable = (text: string): readonly [name: string, value: string | undefined] => {
  const equals = text.indexOf('=')
  if (text === '' || equals === 0) throw wrongValue('env', text, 'a variable has a name')
  return equals < 0 ? [text, process.env[text]] : [text.slice(0, equals), text.slice(equals + 1)]
}

const execOptions = ({ user, workdir, env, tty }: OptionValues<typeof OPTIONS>): ExecOptions => ({
  ...(user === undefined ? {} : { user }),
  ...(workdir === undefined ? {} : { workdir }),
  env: {
    ...(tty === true && process.env['TERM'] !== undefined ? { TERM: process.env['TERM'] } : {}),
    ...Object.fromEntries(env.map(variable)),
  },
})

export const exec: Command = command({
  usage: ['[OPTION]... [--] MACHINE PROGRAM [ARGUMENT...]'],
  description:
    'Runs a program in a machine that is running, beside its init: in all its namespaces, in a control group of its own within that of the machine, with the capabilities and the filter of system calls that its init has. It is no service of the machine, and in no login session of it; a program of its own for that is "systemd-run" or "su -" in it.\n\n' +
    'It gets none of your environment but TERM, and what --env names, and none of your descriptors but standard input, output and error. A terminal that it writes to is never yours: give it one of its own, by -t.\n\n' +
    'It ends with tare, unless --detach, and with the machine.',
  options: OPTIONS,
  operands: [{ name: 'MACHINE' }, { name: 'PROGRAM' }, { name: 'ARGUMENT', optional: true, repeatable: true }],
  stopAtOperand: true,
  examples: [
    { description: 'a shell in a machine', command: 'tare exec -it box bash' },
    { description: 'what a service says', command: 'tare exec box journalctl -u nginx' },
    {
      description: 'as a user of the machine, with input from here',
      command: 'tare exec -i -u www-data box sh < job.sh',
    },
  ],
  exitStatus: [
    ['N', "The program's own."],
    ['126', 'The program was found, and cannot be executed.'],
    ['127', 'The program was not found.'],
    ['128+N', 'Signal N killed it.'],
  ],
  run: async ({ options, operands, terminal }) => {
    const [name = '', ...words] = operands
    const { interactive = false, tty = false } = options
    const asked = execOptions(options)
    const found = await machine(name)
    if (options.detach === true) {
      if (interactive || tty)
        throw new UsageError('cannot use --detach with -i or -t: nobody would be there', 'Leave one of them out.')
      terminal.print(`${await found.execDetached(words, asked)}\n`)
      return 0
    }
    const wanted = { interactive, tty }
    const program = found.exec(words, { ...asked, ...streamOptions(wanted) })
    return followProgram(program, { wanted, asked: {}, report: () => undefined, terminal })
  },
})
