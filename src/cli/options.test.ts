import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Grammar } from './options.ts'
import { parseArguments } from './options.ts'
import { UsageError } from './usage-error.ts'

const OPTIONS = [
  { long: 'memory', short: 'm', argument: 'SIZE', description: '' },
  { long: 'env', short: 'e', argument: 'NAME=VALUE', repeatable: true, description: '' },
  { long: 'network', argument: 'NETWORK', choices: ['none', 'host'], description: '' },
  { long: 'interactive', short: 'i', description: '' },
  { long: 'tty', short: 't', description: '' },
  { long: 'rm', description: '' },
  { long: 'no-healthcheck', description: '' },
  { long: 'uts', short: 'u', argument: 'FILE', optional: true, description: '' },
  { long: 'trace', argument: 'COMMAND', optional: true, repeatable: true, description: '' },
] as const

const RUN = {
  options: OPTIONS,
  operands: [{ name: 'COMMAND' }, { name: 'ARGUMENT', optional: true, repeatable: true }],
  stopAtOperand: true,
} as const satisfies Grammar

const MIX = { ...RUN, stopAtOperand: false } as const

const parse = (...argv: readonly string[]) => {
  const parsed = parseArguments('tare run', RUN, argv)
  assert.equal(parsed.kind, 'run')
  assert.ok(parsed.kind === 'run')
  return parsed
}

const refused = (message: string) => (error: unknown) => error instanceof UsageError && error.message === message

test('a value is attached, after an equals sign, or the next word', () => {
  for (const words of [
    ['--memory=64m'],
    ['--memory', '64m'],
    ['-m64m'],
    ['-m', '64m'],
    ['-m=64m'],
    ['-im64m'],
    ['-im', '64m'],
  ]) {
    const { options, operands } = parse(...words, 'ls')
    assert.equal(options.memory, '64m', words.join(' '))
    assert.deepEqual(operands, ['ls'])
  }
  assert.equal(parse('--memory=', 'ls').options.memory, '')
  assert.equal(parse('--env=A=b=c', 'ls').options.env[0], 'A=b=c')
  assert.equal(parse('--memory', '--rm', 'ls').options.memory, '--rm')
})

test('a value that may be left out is attached, to a letter as a path or after an equals sign', () => {
  for (const words of [['--uts'], ['-u'], ['-iu'], ['-ui'], ['-u', '-i']])
    assert.equal(parse(...words, 'ls').options.uts, true, words.join(' '))
  for (const words of [['--uts=/run/x'], ['-u=/run/x'], ['-u/run/x'], ['-iu/run/x']])
    assert.equal(parse(...words, 'ls').options.uts, '/run/x', words.join(' '))
  assert.equal(parse('-u./x', 'ls').options.uts, './x')
  assert.equal(parse('--uts=', 'ls').options.uts, '')
  assert.equal(parse('-ui', 'ls').options.interactive, true)
  assert.deepEqual(parse('--uts', '/run/x', 'ls').operands, ['/run/x', 'ls'], 'it is never the next word')
  assert.equal(parse('ls').options.uts, undefined)
  assert.throws(() => parse('-u', '--uts=x', 'ls'), /--uts of tare run: it is given more than once/)
  assert.throws(() => parse('--no-uts', 'ls'), /--no-uts of tare run: there is no such option/)
})

test('a value that may be left out, more than once', () => {
  assert.deepEqual(parse('ls').options.trace, [])
  assert.deepEqual(parse('--trace', '--trace=a b', '--trace=', 'ls').options.trace, [true, 'a b', ''])
})

test('flags are on, off or not given', () => {
  assert.equal(parse('ls').options.tty, undefined)
  assert.equal(parse('--tty', 'ls').options.tty, true)
  assert.equal(parse('--tty=false', 'ls').options.tty, false)
  assert.equal(parse('--no-tty', 'ls').options.tty, false)
  assert.equal(parse('-t=false', 'ls').options.tty, false)
  const both = parse('-it', 'ls').options
  assert.deepEqual([both.interactive, both.tty], [true, true])
  assert.equal(parse('--no-healthcheck', 'ls').options['no-healthcheck'], true)
})

test('the first operand ends the options of a command that runs a program', () => {
  for (const separator of [[], ['--']]) {
    const { options, operands } = parse('--rm', '-m', '64m', ...separator, 'ls', '-la', '--color', '--', '--help')
    assert.equal(options.rm, true)
    assert.equal(options.memory, '64m')
    assert.deepEqual(operands, ['ls', '-la', '--color', '--', '--help'])
  }
})

test('elsewhere options and operands mix, until --', () => {
  const parsed = parseArguments('tare rm', MIX, ['a', '--rm', '-', '--', '--tty'])
  assert.ok(parsed.kind === 'run')
  assert.deepEqual(parsed.operands, ['a', '-', '--tty'])
  assert.equal(parsed.options.rm, true)
  assert.equal(parsed.options.tty, undefined)
})

test('repeated options add up; others are refused', () => {
  assert.deepEqual(parse('ls').options.env, [])
  assert.deepEqual(parse('-e', 'A=1', '--env=B=2', 'ls').options.env, ['A=1', 'B=2'])
  const hint = 'Leave one out: which of them is meant?'
  assert.throws(
    () => parse('-m1', '--memory=2', 'ls'),
    refused(`cannot use --memory of tare run: it is given more than once\n${hint}`),
  )
  assert.throws(
    () => parse('--rm', '--no-rm', 'ls'),
    refused(`cannot use --no-rm of tare run: it is given more than once\n${hint}`),
  )
})

test('unknown options are named, and what was meant is guessed', () => {
  const see = 'See "tare run --help".'
  const guess = (word: string, wrong: string, meant: string): void =>
    assert.throws(
      () => parse(word, 'ls'),
      refused(`cannot use ${wrong} of tare run: there is no such option\nDid you mean --${meant}? ${see}`),
    )
  guess('--memroy=64m', '--memroy', 'memory')
  guess('--netwrok', '--netwrok', 'network')
  guess('--inter', '--inter', 'interactive')
  guess('-rm', '-r', 'rm')
  assert.throws(
    () => parse('--xyzzy', 'ls'),
    refused(`cannot use --xyzzy of tare run: there is no such option\n${see}`),
  )
  assert.throws(() => parse('-x', 'ls'), refused(`cannot use -x of tare run: there is no such option\n${see}`))
  assert.throws(
    () => parse('--no-memory', 'ls'),
    refused(`cannot use --no-memory of tare run: there is no such option\n${see}`),
  )
})

test('values that are missing, or none of the choices', () => {
  assert.throws(
    () => parse('--memory'),
    refused('cannot use --memory of tare run: its value is missing\nWrite --memory=SIZE.'),
  )
  assert.throws(() => parse('-im'), refused('cannot use -m of tare run: its value is missing\nWrite --memory=SIZE.'))
  assert.equal(parse('--network=host', 'ls').options.network, 'host')
  assert.throws(
    () => parse('--network=hots', 'ls'),
    refused('cannot use --network=hots of tare run: there is no such choice\nDid you mean host?'),
  )
  assert.throws(
    () => parse('--network=x', 'ls'),
    refused('cannot use --network=x of tare run: there is no such choice\nIt takes none or host.'),
  )
  assert.throws(
    () => parse('--tty=maybe', 'ls'),
    refused('cannot use --tty=maybe of tare run: it is either on or off\nWrite --tty or --no-tty.'),
  )
  assert.throws(
    () => parse('--no-tty=true', 'ls'),
    refused('cannot use --no-tty of tare run: it takes no value\nWrite --tty=true.'),
  )
})

test('operands are counted, and checked where they are listed', () => {
  const see = 'See "tare x --help".'
  assert.throws(() => parse('--rm'), refused('cannot use tare run: COMMAND is missing\nSee "tare run --help".'))
  const one: Grammar = { options: [], operands: [{ name: 'SHELL', choices: ['bash', 'zsh'] }] }
  assert.throws(() => parseArguments('tare x', one, []), refused(`cannot use tare x: SHELL is missing\n${see}`))
  assert.throws(
    () => parseArguments('tare x', one, ['bash', 'zsh']),
    refused(`cannot use tare x: "zsh" is one argument too many\n${see}`),
  )
  assert.throws(
    () => parseArguments('tare x', one, ['csh']),
    refused('cannot use tare x: "csh" is no SHELL\nIt takes bash or zsh.'),
  )
})

test('--help and -h ask for help, unless they belong to the program or -h to the command', () => {
  assert.equal(parseArguments('tare run', RUN, ['--help']).kind, 'help')
  assert.equal(parseArguments('tare run', RUN, ['--rm', '-h']).kind, 'help')
  assert.equal(parseArguments('tare run', RUN, ['ls', '--help']).kind, 'run')
  const hostname = {
    options: [{ long: 'hostname', short: 'h', argument: 'NAME', description: '' }],
    operands: [],
  } as const
  const parsed = parseArguments('tare run', hostname, ['-h', 'box'])
  assert.ok(parsed.kind === 'run')
  assert.equal(parsed.options.hostname, 'box')
})

test('whatever options are written come back, and the program’s words stay as they are', () => {
  const value = fc.string({ minLength: 1 }).filter((text) => !text.startsWith('='))
  const env = fc.array(value, { maxLength: 4 })
  fc.assert(
    fc.property(
      fc.option(value),
      env,
      fc.array(fc.string()),
      fc.nat(3),
      fc.boolean(),
      (memory, values, words, style, rm) => {
        const write = (long: string, short: string, text: string): readonly string[] =>
          [[`--${long}=${text}`], [`--${long}`, text], [`-${short}${text}`], [`-${short}`, text]][style] ?? []
        const argv = [
          ...(rm ? ['--rm'] : []),
          ...(memory === null ? [] : write('memory', 'm', memory)),
          ...values.flatMap((text) => write('env', 'e', text)),
          '--',
          'program',
          ...words,
        ]
        const { options, operands } = parse(...argv)
        assert.deepEqual(options.env, values)
        assert.equal(options.memory ?? null, memory)
        assert.equal(options.rm ?? false, rm)
        assert.deepEqual(operands, ['program', ...words])
      },
    ),
  )
})

test('no command line makes the parser throw anything but UsageError', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('--', '-', '-m', '-it', '--env', '--no-rm', '--=', '---', '-=', '--network=none'),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      try {
        parseArguments('tare run', RUN, argv)
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error))
      }
    }),
    { numRuns: 1000 },
  )
})
