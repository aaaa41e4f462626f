import { launchCapabilities } from '../index.ts'
import {
  getSecurebits,
  parseCapabilityChanges,
  parseCapabilityList,
  parseSecurebits,
  readProcessCapabilities,
} from '../linux/index.ts'
import type { Command } from './command.ts'
import { command } from './command.ts'
import { runInForeground } from './foreground.ts'

/** What all lists have in common. */
const LIST = 'Names or numbers with commas between them, all or none.'

const SETS = 'The set as it is to be; or changes to it, where every name has a sign: -all,+chown'

/** All lists of an option that may be given more than once. */
const listOf = (texts: readonly string[]): bigint | undefined =>
  texts.length === 0 ? undefined : texts.reduce((set, text) => set | parseCapabilityList(text), 0n)

export const capRun: Command = command({
  usage: ['[OPTION]... [--] COMMAND [ARGUMENT...]'],
  description:
    'Starts a program with chosen capabilities: the same program as without tare, in the same namespaces and terminal.\n\n' +
    'What a program has is decided when it is executed. Root is given all of the bounding set then; others have what is in ' +
    'the ambient set, which is how --add and --keep hand capabilities on to them. A file that has capabilities of its own ' +
    'gives those instead. To take from the bounding set takes cap_setpcap, which root has. An ordinary user can give up what ' +
    'it has, with --no-new-privs for good.',
  options: [
    {
      long: 'drop',
      argument: 'LIST',
      repeatable: true,
      description: `Takes these from all five sets: the program does not have them and can never gain them. ${LIST}`,
    },
    {
      long: 'keep',
      argument: 'LIST',
      repeatable: true,
      description: 'Takes all others from all five sets. The program has these in force, whoever runs it.',
    },
    {
      long: 'add',
      argument: 'LIST',
      repeatable: true,
      description: 'The program has these in force, whoever runs it. Only what this process has can be handed on.',
    },
    { long: 'bounding', argument: 'LIST', group: 'Single sets', description: `${SETS}. It can only get smaller.` },
    { long: 'inheritable', argument: 'LIST', group: 'Single sets', description: `${SETS}.` },
    {
      long: 'ambient',
      argument: 'LIST',
      group: 'Single sets',
      description: `${SETS}. What is in it is made inheritable, too.`,
    },
    {
      long: 'user',
      short: 'u',
      argument: 'USER[:GROUP]',
      group: 'Process',
      description: 'Runs it as this user, with the groups of the user: by name or by number.',
    },
    {
      long: 'securebits',
      argument: 'LIST',
      group: 'Process',
      description:
        'Changes how root is treated: noroot, no_setuid_fixup, no_cap_ambient_raise, each also with _locked. A list, none, or changes with a sign at each. With noroot, root is given nothing when it executes a file.',
    },
    {
      long: 'no-new-privs',
      group: 'Process',
      description: 'Neither it nor what it starts can gain privileges by the files that it executes.',
    },
  ],
  operands: [{ name: 'COMMAND' }, { name: 'ARGUMENT', optional: true, repeatable: true }],
  stopAtOperand: true,
  examples: [
    {
      description: 'a server as an ordinary user that may bind to port 80, and nothing else',
      command: 'tare cap run --user www-data --keep net_bind_service -- ./server --port 80',
    },
    {
      description: 'a root shell that can not change the network',
      command: 'tare cap run --drop net_admin,net_raw bash',
    },
    {
      description: 'a root that is nothing special',
      command: 'tare cap run --securebits noroot,noroot_locked --keep chown bash',
    },
    { description: 'what would come of it', command: 'tare cap run --keep kill,chown tare cap' },
    { description: 'as an ordinary user: no way to more', command: 'tare cap run --drop all --no-new-privs bash' },
  ],
  exitStatus: [
    ['N', "The command's own."],
    ['126', 'The command was found, and cannot be executed.'],
    ['127', 'The command was not found.'],
    ['128+N', 'Signal N killed it.'],
  ],
  run: async ({ options, operands }) => {
    const present = readProcessCapabilities()
    const changed = (text: string | undefined, set: bigint): bigint | undefined =>
      text === undefined ? undefined : parseCapabilityChanges(text, set)
    const { securebits } = options
    const launched = launchCapabilities({
      drop: listOf(options.drop),
      keep: listOf(options.keep),
      add: listOf(options.add),
      bounding: changed(options.bounding, present.bounding),
      inheritable: changed(options.inheritable, present.inheritable),
      ambient: changed(options.ambient, present.ambient),
      user: options.user,
      securebits: securebits === undefined ? undefined : parseSecurebits(securebits, getSecurebits()),
      noNewPrivileges: options['no-new-privs'] === true,
      program: operands[0],
    })
    return runInForeground(operands, launched)
  },
})
