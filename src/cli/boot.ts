import type { BootOptions, Machine, MachineEnd } from '../index.ts'
import { boot as bootMachine, findMachine } from '../index.ts'
import { isTerminal, signalNumber } from '../linux/index.ts'
import { bootDetached } from './boot-detached.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { wantedOptions } from './boot-settings.ts'
import { Console, consoleSize } from './console.ts'
import { signalStatus } from './exit-status.ts'
import type { OptionValues } from './options.ts'
import { noteReach } from './network-notice.ts'
import { NETWORK_OPTIONS } from './network-options.ts'
import { parseVolume } from './run-mounts.ts'
import { printable } from './text.ts'
import { UsageError } from './usage-error.ts'
import { wrongValue } from './wrong-value.ts'

const OPTIONS = [
  {
    long: 'detach',
    short: 'd',
    description: 'Boots it in the background, where it stays when tare ends. Prints its name.',
    group: 'In the background',
  },
  {
    long: 'wait',
    description:
      'With --detach: returns only when its init says that all is up (systemd), not as soon as it is started.',
    group: 'In the background',
  },
  {
    long: 'name',
    argument: 'NAME',
    description: 'What other commands know it by. By default the name of the directory.',
  },
  {
    long: 'save',
    description: 'Keeps the options of this command line as settings of the machine, beside those that it has.',
    group: 'Settings',
  },
  {
    long: 'settings',
    description: 'Uses the settings of the machine. It is the default; --no-settings boots with these options alone.',
    group: 'Settings',
  },
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
    choices: ['none', 'host', 'veth'],
    description:
      "Its network: none but a loopback (the default), the host's, or its own with a link to the host (veth), over which it reaches others, and the host reaches it. That takes root.",
    group: 'Network',
  },
  ...NETWORK_OPTIONS,
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
  return {
    ...(words.length === 0 ? {} : { arguments: words }),
    ...(values.volume.length === 0 ? {} : { mounts: values.volume.map(parseVolume) }),
    ...(values.env.length === 0 ? {} : { env: Object.fromEntries(values.env.map(variable)) }),
    ...(ephemeral === undefined ? {} : { ephemeral }),
    ...(init === undefined ? {} : { init }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(network === 'host' || network === 'none' || network === 'veth' ? { network } : {}),
    ...(values.publish.length === 0 ? {} : { publish: values.publish }),
    ...(values.ip === undefined ? {} : { ip: values.ip }),
    ...(values.dns.length === 0 ? {} : { dns: values.dns }),
    ...(memory === undefined ? {} : { memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(pids === undefined ? {} : { pids }),
  }
}

/** What a terminal at hand adds, which is nobody's setting. */
const forTerminal = (options: BootOptions): BootOptions => {
  const size = consoleSize()
  const env = { TERM: process.env['TERM'] ?? 'vt220', ...options.env }
  return { ...options, env, ...(size === undefined ? {} : { console: size }) }
}

const statusOf = (end: MachineEnd): number => {
  if (end.how === 'exit') return end.exitCode
  return end.how === 'killed' ? signalStatus(signalNumber(end.signal)) : 0
}

/** What asks this process to end. */
const ENDING = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export const boot: Command = command({
  usage: ['[OPTION]... [--] MACHINE [ARGUMENT...]'],
  description:
    'Boots the system in a directory with its own init, in a container, and connects its console with this terminal: log in there, and switch it off from there (poweroff). Changes are kept in the directory, unless --ephemeral.\n\n' +
    'MACHINE is a path, or the name of a directory here or of a machine in /var/lib/tare/machines (for others than root ~/.local/share/tare/machines). What it is booted with by itself, its settings, stands in MACHINE.tare.json beside the directory; options go before that for once, or with --save for good.\n\n' +
    'It has a user namespace, a network and control groups of its own. Its root has no power outside; files in the directory that belong to root outside belong to its root inside.\n\n' +
    'Every key is for the system. ^] three times within a second ends it at once, as if the power failed. A signal to tare (TERM, INT, HUP) has it shut down in order; a second one ends it at once. When the system reboots, it is booted again. If tare is killed, all of it ends.',
  options: OPTIONS,
  operands: [{ name: 'MACHINE' }, { name: 'ARGUMENT', optional: true, repeatable: true }],
  stopAtOperand: true,
  examples: [
    { description: 'a system, to a login prompt', command: 'tare boot ./box' },
    { description: 'the same, and nothing of it is kept', command: 'tare boot --ephemeral -m 1g ./box' },
    { description: 'one with a name, and with a limit that it keeps', command: 'tare boot --save -m 1g web' },
    { description: 'only what is needed for repairs', command: 'tare boot ./box systemd.unit=rescue.target' },
  ],
  exitStatus: [
    ['0', 'The system was switched off.'],
    ['N', 'Its init ended with this status.'],
    ['128+N', 'Signal N ended its init; 137 if it was ended at once.'],
  ],
  run: async ({ options, operands, terminal }) => {
    const [machineName = '', ...words] = operands
    const directory = findMachine(machineName)
    const { name } = options
    const asked = {
      ...forTerminal(wantedOptions(directory, toBootOptions(options, words), options)),
      ...(name === undefined ? {} : { name }),
    }
    if (options.detach === true) return bootDetached(directory, asked, options.wait === true, terminal)
    if (options.wait === true)
      throw new UsageError('cannot use --wait without --detach: it is not left in any case', 'Add -d, or leave it out.')
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
        const { program, warnings } = machine
        for (const warning of warnings) terminal.warn(`tare: ${printable(warning)}`)
        if (program.address !== undefined) terminal.warn(`tare: its address is ${program.address}`)
        noteReach(program, terminal)
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
