import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TerminalStream } from './terminal.ts'
import { openTerminal, wantsColour } from './terminal.ts'

test('colour follows FORCE_COLOR, then NO_COLOR, then the terminal', () => {
  assert.equal(wantsColour({}, true), true)
  assert.equal(wantsColour({}, false), false)
  assert.equal(wantsColour({ NO_COLOR: '1' }, true), false)
  assert.equal(wantsColour({ NO_COLOR: '' }, true), true)
  assert.equal(wantsColour({ FORCE_COLOR: '1' }, false), true)
  assert.equal(wantsColour({ FORCE_COLOR: '1', NO_COLOR: '1' }, false), true)
  assert.equal(wantsColour({ FORCE_COLOR: '0' }, true), false)
  assert.equal(wantsColour({ TERM: 'dumb' }, true), false)
})

const stream = (properties: Partial<TerminalStream>, written: string[] = []): TerminalStream => ({
  write: (text) => written.push(text),
  on: () => undefined,
  ...properties,
})

test('width is that of the terminal, within reason', () => {
  const columns = (width: number | undefined, env: Readonly<Record<string, string>> = {}): number =>
    openTerminal({ env, stdout: () => stream({ columns: width }), stderr: () => stream({}) }).columns
  assert.equal(columns(100), 100)
  assert.equal(columns(10), 40)
  assert.equal(columns(400), 120)
  assert.equal(columns(undefined), 80)
  assert.equal(columns(undefined, { COLUMNS: '60' }), 60)
  assert.equal(columns(undefined, { COLUMNS: 'wide' }), 80)
})

test('lines of a table may be as wide as the terminal; where there is none, as wide as they are', () => {
  const lineWidth = (properties: Partial<TerminalStream>): number | undefined =>
    openTerminal({ env: {}, stdout: () => stream(properties), stderr: () => stream({}) }).lineWidth
  assert.equal(lineWidth({ isTTY: true, columns: 400 }), 400)
  assert.equal(lineWidth({ columns: 400 }), undefined)
})

test('data goes to standard output, the rest to standard error, and no stream is opened before', () => {
  const [out, err, opened]: [string[], string[], string[]] = [[], [], []]
  const terminal = openTerminal({
    env: {},
    stdout: () => (opened.push('stdout'), stream({}, out)),
    stderr: () => (opened.push('stderr'), stream({}, err)),
  })
  assert.deepEqual(opened, [])
  terminal.print('data\n')
  terminal.warn('words')
  assert.deepEqual([out, err], [['data\n'], ['words\n']])
  assert.deepEqual(opened, ['stdout', 'stderr'])
  assert.equal(terminal.interactive, false)
  assert.equal(terminal.style.red('x'), 'x')
})
