import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitRunWords } from './cgroup-run.ts'

test('the words of tare cgroup run: a group, settings, the program', () => {
  assert.deepEqual(splitRunWords(['/web', 'cpus=1', 'memory.high=1m', 'make', '-j'], false), {
    group: '/web',
    settings: ['cpus=1', 'memory.high=1m'],
    program: ['make', '-j'],
  })
  assert.deepEqual(splitRunWords(['cpus=1', '--', 'env', 'a=b', '--', 'c'], true), {
    group: undefined,
    settings: ['cpus=1'],
    program: ['env', 'a=b', '--', 'c'],
  })
  assert.deepEqual(splitRunWords(['/web', './a=b'], false).program, ['./a=b'])
  assert.deepEqual(splitRunWords(['--', 'cpus=1'], true).program, ['cpus=1'])
})

test('without a program it says so', () => {
  for (const [words, isNew] of [
    [[], false],
    [['/web'], false],
    [['/web', 'cpus=1', '--'], false],
    [['cpus=1'], true],
  ] as const)
    assert.throws(() => splitRunWords(words, isNew), /COMMAND is missing\nWrite tare cgroup run /)
})
