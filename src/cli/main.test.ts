import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TareError } from '../index.ts'
import type { CommandEntry } from './command.ts'
import { command } from './command.ts'
import { COMMANDS } from './commands.ts'
import { exitStatusOf, signalStatus } from './exit-status.ts'
import { main } from './main.ts'
import { commandManual } from './manual.ts'
import type { Terminal } from './terminal.ts'
import { displayWidth } from './text.ts'

const same = (text: string): string => text

const recorder = (columns = 80): Terminal & { readonly out: string[]; readonly err: string[] } => {
  const [out, err]: [string[], string[]] = [[], []]
  return {
    out,
    err,
    interactive: false,
    columns,
    lineWidth: undefined,
    style: { bold: same, dim: same, red: same, green: same, yellow: same },
    print: (text) => void out.push(text),
    warn: (text) => void err.push(text),
  }
}

const call = async (...argv: readonly string[]) => {
  const terminal = recorder()
  const status = await main(argv, terminal)
  return { status, out: terminal.out.join(''), err: terminal.err.join('') }
}

test('no command, --help, -h and help list the commands', async () => {
  const { status, out, err } = await call()
  assert.equal(status, 0)
  assert.equal(err, '')
  for (const { name } of COMMANDS) assert.match(out, new RegExp(`^ {4}${name} `, 'm'))
  for (const word of ['--help', '-h', 'help']) assert.deepEqual(await call(word), { status, out, err })
})

test('what a command throws becomes a message and status 125', async () => {
  assert.deepEqual(await call('infoo'), {
    status: 125,
    out: '',
    err: 'tare: cannot use "tare infoo": there is no such command\nDid you mean "tare info"?',
  })
  assert.deepEqual(await call('--verbose', 'info'), {
    status: 125,
    out: '',
    err: 'tare: cannot use --verbose of tare: there is no such option before the command\nSee "tare --help".',
  })
  assert.deepEqual(await call('help', 'nothing'), {
    status: 125,
    out: '',
    err: 'tare: cannot show help of "nothing": there is no such command\nSee "tare --help".',
  })
})

test('every command has help that fits the width, whichever way it is asked for', async () => {
  const all = (path: readonly string[], entries: readonly CommandEntry[]): readonly (readonly [string[], string])[] =>
    entries.flatMap((entry): readonly (readonly [string[], string])[] => {
      const words = [...path, entry.name]
      return 'commands' in entry ? [[words, 'COMMANDS'], ...all(words, entry.commands)] : [[words, 'EXIT STATUS']]
    })
  for (const [words, own] of all([], COMMANDS)) {
    const asked = await call(...words, '--help')
    assert.equal(asked.status, 0)
    assert.deepEqual(await call('help', ...words), asked)
    for (const title of ['NAME', 'SYNOPSIS', 'OPTIONS', own]) assert.match(asked.out, new RegExp(`^${title}$`, 'm'))
    for (const line of asked.out.split('\n')) {
      if (!line.startsWith('        ')) assert.ok(displayWidth(line) <= 80, line)
    }
  }
})

test('the manual is set from what the command says of itself', () => {
  const text = command({
    description: 'Runs a program.',
    options: [
      { long: 'memory', short: 'm', argument: 'SIZE', description: 'The most memory.', group: 'Limits' },
      { long: 'network', argument: 'NAME', choices: ['none', 'host'], repeatable: true, description: 'Networks.' },
      { long: 'hostname', short: 'h', argument: 'NAME', description: 'Its name.' },
    ],
    operands: [{ name: 'COMMAND' }, { name: 'ARGUMENT', optional: true, repeatable: true }],
    examples: [{ description: 'list files', command: 'tare run ls' }],
    exitStatus: [['127', 'Not found.']],
    run: async () => 0,
  })
  const expected = `NAME
    tare run - run it

SYNOPSIS
    tare run [OPTION]... COMMAND [ARGUMENT...]

DESCRIPTION
    Runs a program.

OPTIONS
    --network=NAME
        Networks. One of none, host. May be given more than once.
    -h, --hostname=NAME
        Its name.
    --help
        Shows this help.

  Limits
    -m, --memory=SIZE
        The most memory.

EXAMPLES
    list files:
        tare run ls

EXIT STATUS
    0     Done.
    125   Tare failed: the message says at what, and what to do about it.
    127   Not found.
`
  assert.equal(commandManual('tare run', 'run it', text, recorder()), expected)

  const list = commandManual('tare run', 'run it', text, recorder(), [
    { name: 'again', summary: 'run it again', load: async () => text },
  ])
  const inserted = expected
    .replace('[ARGUMENT...]\n', '[ARGUMENT...]\n    tare run COMMAND [ARGUMENT]...\n')
    .replace('OPTIONS', 'COMMANDS\n    again   run it again\n\nOPTIONS')
  assert.equal(list, `${inserted}\n"tare run COMMAND --help" shows all about a command.\n`)
})

test('exit statuses are docker’s', () => {
  const failure = (syscall: string, errno: number): number =>
    exitStatusOf(new TareError({ operation: 'execute', target: '/x', syscall, errno }))
  assert.equal(failure('execve', 2), 127)
  assert.equal(failure('execve', 13), 126)
  assert.equal(failure('execveat', 8), 126)
  assert.equal(failure('openat2', 2), 125)
  assert.equal(exitStatusOf(new Error('any')), 125)
  assert.equal(exitStatusOf('text'), 125)
  assert.equal(signalStatus(9), 137)
})
