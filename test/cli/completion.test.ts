// The scripts that `tare completion` prints, run by the shells they are for.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { bashCompletion } from '../../src/cli/completion-bash.ts'
import { fishCompletion } from '../../src/cli/completion-fish.ts'
import { completionTree } from '../../src/cli/completion-words.ts'
import { zshCompletion } from '../../src/cli/completion-zsh.ts'
import type { CommandEntry } from '../../src/cli/command.ts'
import { command } from '../../src/cli/command.ts'

const run = command({
  description: 'Runs it.',
  options: [
    { long: 'memory', short: 'm', argument: 'SIZE', description: 'The most: memory [it] may’t have. And more.' },
    { long: 'network', argument: 'NETWORK', choices: ['none', 'host'], description: "Which network it's in." },
    { long: 'rm', description: 'Removes it.' },
    { long: 'uts', short: 'u', argument: 'FILE', optional: true, description: 'A new one.' },
  ],
  operands: [{ name: 'COMMAND' }],
  stopAtOperand: true,
  examples: [],
  run: async () => 0,
})

const shell = command({
  description: 'Shell.',
  options: [],
  operands: [{ name: 'SHELL', choices: ['bash', 'zsh'] }],
  examples: [],
  run: async () => 0,
})

const show = command({
  description: 'Shows it.',
  options: [{ long: 'json', description: 'Prints JSON.' }],
  operands: [{ name: 'WHAT', choices: ['this', 'that'], repeatable: true }],
  examples: [],
  run: async () => 0,
})

const move = command({
  description: 'Moves it.',
  options: [],
  operands: [
    { name: 'GROUP', choices: ['group'] },
    { name: 'PID', isProcess: true, repeatable: true },
  ],
  examples: [],
  run: async () => 0,
})

const kill = command({
  description: 'Kills it.',
  options: [],
  operands: [{ name: 'PID', isProcess: true, repeatable: true }],
  examples: [],
  run: async () => 0,
})

const COMMANDS: readonly CommandEntry[] = [
  { name: 'run', summary: "run what's given: at once", load: async () => run },
  { name: 'shell', summary: 'choose a shell', load: async () => shell },
  {
    name: 'oci',
    summary: 'the runtime',
    commands: [
      { name: 'create', summary: 'create it', load: async () => run },
      { name: 'state', summary: 'show it', load: async () => shell },
    ],
  },
  {
    name: 'cap',
    summary: 'a group that does something by itself',
    load: async () => show,
    commands: [{ name: 'get', summary: 'get it', load: async () => run }],
  },
  {
    name: 'job',
    summary: 'for processes',
    commands: [
      { name: 'kill', summary: 'kill some', load: async () => kill },
      { name: 'move', summary: 'move some', load: async () => move },
    ],
  },
]

const tree = await completionTree(COMMANDS)
const scratch = mkdtempSync(join(tmpdir(), 'tare-completion-'))
after(() => rmSync(scratch, { recursive: true }))

const write = (name: string, text: string): string => {
  const path = join(scratch, name)
  writeFileSync(path, text)
  return path
}

const call = (program: string, args: readonly string[]): readonly string[] => {
  const { stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    cwd: scratch,
    env: { ...process.env, HOME: scratch },
  })
  assert.equal(error, undefined)
  assert.equal(stderr, '')
  return stdout.split('\n').filter((line) => line !== '')
}

const isThere = (program: string): boolean => spawnSync(program, ['-c', 'true']).error === undefined

/** What each command line, of which the last word is being written, completes to. */
const EXPECTED: readonly (readonly [words: readonly string[], completions: readonly string[]])[] = [
  [[''], ['run', 'shell', 'oci', 'cap', 'job']],
  [['r'], ['run']],
  [
    ['oci', ''],
    ['create', 'state'],
  ],
  [
    ['shell', ''],
    ['bash', 'zsh'],
  ],
  [['shell', 'z'], ['zsh']],
  [['oci', 'state', 'b'], ['bash']],
  [['run', '--m'], ['--memory']],
  [
    ['run', '--network', ''],
    ['none', 'host'],
  ],
  [['run', '--memory', '1m', '--network', 'h'], ['host']],
  [['oci', 'create', '--r'], ['--rm']],
  [['run', '--ut'], ['--uts']],
  [['run', '--uts', '--r'], ['--rm']],
  [['run', '-u', '--r'], ['--rm']],
  [
    ['cap', ''],
    ['get', 'this', 'that'],
  ],
  [['cap', '--j'], ['--json']],
  [['cap', 'get', '--r'], ['--rm']],
  [['cap', 'this', '--j'], ['--json']],
]

/** What completes to processes: this one is among them. */
const OWN = `${process.pid}`
const PROCESSES: readonly (readonly string[])[] = [
  ['job', 'kill', OWN],
  ['job', 'kill', '1', OWN],
  ['job', 'move', 'group', OWN],
]

test('bash', () => {
  const script = write('tare.bash', bashCompletion(tree))
  const complete = (words: readonly string[]): readonly string[] =>
    call('bash', [
      '-c',
      'source "$0"; COMP_WORDS=(tare "$@"); COMP_CWORD=$#; _tare; printf "%s\\n" "${COMPREPLY[@]}"',
      script,
      ...words,
    ])
  for (const [words, completions] of EXPECTED) assert.deepEqual(complete(words), completions, words.join(' '))
  assert.deepEqual(complete(['run', '--network', '=', 'h']), ['host'])
  assert.deepEqual(complete(['run', '--network', '=']), ['none', 'host'])
  assert.deepEqual(complete(['run', '--']), ['--memory', '--network', '--rm', '--uts', '--help'])
  assert.deepEqual(complete(['run', '--uts', '=', 'file', '--r']), ['--rm'])
  assert.deepEqual(complete(['run', '--memory', '=', '1m', '--r']), ['--rm'])
  assert.deepEqual(complete(['run', 'ls', '--']), [])
  assert.deepEqual(complete(['run', '--memory', '']), [])
  for (const words of PROCESSES) assert.ok(complete(words).includes(OWN), words.join(' '))
  assert.deepEqual(complete(['job', 'move', '']), ['group'])
})

test('fish', (t) => {
  if (!isThere('fish')) return t.skip('needs fish')
  const script = write('tare.fish', fishCompletion(tree))
  const complete = (words: readonly string[]): readonly string[] =>
    call('fish', ['--no-config', '-c', `source ${script}; complete -C "tare ${words.join(' ')}"`])
  for (const [words, completions] of EXPECTED) {
    const found = complete(words).map((line) => line.split('\t')[0])
    assert.deepEqual(found.toSorted(), completions.toSorted(), words.join(' '))
  }
  for (const words of PROCESSES) {
    const found = complete(words).map((line) => line.split('\t')[0])
    assert.ok(found.includes(OWN), words.join(' '))
  }
  assert.deepEqual(complete(['ru']), ["run\trun what's given: at once"])
  assert.deepEqual(complete(['run', '--net']), ["--network\tWhich network it's in"])
})

test('zsh', (t) => {
  if (!isThere('zsh')) return t.skip('needs zsh')
  write('_tare', zshCompletion(tree))
  // A shell on a terminal of its own completes the line, and writes down what it was given to offer. The keys after
  // the tab write the last line, so that nothing has to guess how long that takes.
  const driver = write(
    'driver.zsh',
    `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; fpath=('$1' $fpath); autoload -Uz compinit; compinit -u -d '$1/dump
zpty -w shell 'compadd() { local -a found; builtin compadd -O found "$@"; print -rl -- $found >>'$3'; builtin compadd "$@" }'
zpty -w shell 'finish() { print -- --end-- >>'$3' }; zle -N finish; bindkey "^Xd" finish; print RE''ADY'
zpty -r -m shell text '*READY*'
zpty -w -n shell "$2"$'\\t\\x18d'
repeat 200; do
  [[ $(<$3) == *--end--* ]] && break
  sleep 0.05
done
zpty -d shell
`,
  )
  const complete = (words: readonly string[]): readonly string[] => {
    const found = write('found', '')
    spawnSync('zsh', ['-f', driver, scratch, `tare ${words.join(' ')}`, found], { timeout: 20_000 })
    const lines = call('cat', [found])
    assert.equal(lines.at(-1), '--end--')
    return lines.slice(0, -1)
  }
  for (const [words, completions] of EXPECTED) {
    const found = [...new Set(complete(words).map((word) => word.replace(/[=:].*$/, '')))].filter((word) => word !== '')
    assert.deepEqual(found.toSorted(), completions.toSorted(), words.join(' '))
  }
  for (const words of PROCESSES) assert.ok(complete(words).includes(OWN), words.join(' '))
})
