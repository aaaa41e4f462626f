import type { BootOptions, Machine, MachineEnd } from '../index.ts'
import { boot as bootMachine } from '../index.ts'
import { isTerminal, signalNumber } from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { Console, consoleSize } from './console.ts'
import { signalStatus } from './exit-status.ts'
import type { OptionValues } from './options.ts'
import { parseVolume } from './run-mounts.ts'
import { wrongValue } from './wrong-value.ts'

const OPTIONS = [
  {
    long: 'ephemeral',
    description: 'Keeps changes in memory, and forgets them at the end, instead of changing the directory.',
  },
  {
    long: 'init',
    argument: 'PATH',
    description: 'What is started as PID 1, a path in the system. By default its own init.',
  },
  {
    long: 'env',
    short: 'e',
    argument: 'NAME=VALUE',
    repeatable: true,
    description: 'Sets a variable for init.',
  },
  {
    long: 'hostname',
    short: 'h',
    argument: 'NAME',
    description: 'Its host name, where it has none itself (/etc/hostname). By default the name of the directory.',
  },
  {
    long: 'network',
    argument: 'NETWORK',
    choices: ['none', 'host'],
    description: "Its network: none but a loopback (the default), or the host's.",
  },
  {
    long: 'volume',
    short: 'v',
    argument: 'SOURCE:TARGET[:OPTIONS]',
    repeatable: true,
    description: 'Mounts a directory or file of the host, as "tare run" does.',
  },
  {
    long: 'memory',
    short: 'm',
    argument: 'SIZE',
    description: 'The most memory (512m, 1.5g). Beyond it the kernel kills.',
    group: 'Limits',
  },
  {
    long: 'cpus',
    argument: 'NUMBER',
    description: 'How many processors it may use, such as 0.5.',
    group: 'Limits',
  },
  {
    long: 'pids-limit',
    argument: 'NUMBER',
    description: 'How many processes and threads.',
    group: 'Limits',
  },
] as const

const variable = (text: string): readonly [name: string, value: string] => {
  const equals = text.indexOf('=')
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)]
  throw wrongValue('env', text, 'it is not NAME=VALUE')
}

const pidsLimit = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw wrongValue('pids-limit', text, 'it is not a whole number')
}

const toBootOptions = (values: OptionValues<typeof OPTIONS>, words: readonly string[]): BootOptions => {
  const { ephemeral, init, hostname, network, memory, cpus } = values
  const pids = pidsLimit(values['pids-limit'])
  const console = consoleSize()
  return {
    arguments: words,
    mounts: values.volume.map(parseVolume),
    env: { TERM: process.env['TERM'] ?? 'vt220', ...Object.fromEntries(values.env.map(variable)) },
    ...(ephemeral === true ? { ephemeral } : {}),
    ...(init === undefined ? {} : { init }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(network === 'host' || network === 'none' ? { network } : {}),
    ...(memory === undefined ? {} : { memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(pids === undefined ? {} : { pids }),
    ...(console === undefined ? {} : { console }),
  }
}

const statusOf = (end: MachineEnd): number => {
  if (end.how === 'exit') return end.exitCode
  return end.how === 'killed' ? signalStatus(signalNumber(end.signal)) : 0
}

/** What asks this process to end. */
const ENDING = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export const boot: Command = command({
  usage: ['[OPTION]... [--] DIR [ARGUMENT...]'],
  description:
    'Boots the system in DIR with its own init, in a container, and connects its console with this terminal: log in there, and switch it off from there (poweroff). Changes are kept in DIR, unless --ephemeral.\n\n' +
    'It has a user namespace, a network and control groups of its own. Its root has no power outside; files in DIR that belong to root outside belong to its root inside.\n\n' +
    'Every key is for the system. ^] three times within a second ends it at once, as if the power failed. A signal to tare (TERM, INT, HUP) has it shut down in order; a second one ends it at once. When the system reboots, it is booted again. If tare is killed, all of it ends.',
  options: OPTIONS,
  operands: [{ name: 'DIR' }, { name: 'ARGUMENT', optional: true, repeatable: true }],
  stopAtOperand: true,
  examples: [
    { description: 'a system, to a login prompt', command: 'tare boot ./box' },
    { description: 'the same, and nothing of it is kept', command: 'tare boot --ephemeral -m 1g ./box' },
    { description: 'only what is needed for repairs', command: 'tare boot ./box systemd.unit=rescue.target' },
  ],
  exitStatus: [
    ['0', 'The system was switched off.'],
    ['N', 'Its init ended with this status.'],
    ['128+N', 'Signal N ended its init; 137 if it was ended at once.'],
  ],
  run: async ({ options, operands, terminal }) => {
    const [directory = '', ...words] = operands
    const asked = toBootOptions(options, words)
    let machine: Machine | undefined
    let asking = false
    const end = (): void => {
      if (asking) machine?.kill()
      else machine?.powerOff()
      asking = true
    }
    for (const signal of ENDING) process.on(signal, end)
    const console = new Console({ escaped: () => void machine?.kill(), lost: () => (asking ? undefined : end()) })
    try {
      for (;;) {
        machine = bootMachine(directory, asked)
        const { program } = machine
        const shown = console.show({
          stdin: program.stdin,
          stdout: program.stdout,
          resize: (columns, rows) => program.resize(columns, rows),
        })
        const result = await machine.ended
        await shown
        if (result.how === 'reboot' && !asking) continue
        return statusOf(result)
      }
    } finally {
      console.close()
      for (const signal of ENDING) process.off(signal, end)
      if (isTerminal(0)) terminal.warn('')
    }
  },
})
