import assert from 'node:assert/strict'
import test from 'node:test'
import { findMachine, machinesDirectory, newMachineDirectory } from './machines-directory.ts'

test('a word with a slash is a path, whatever is there', () => {
  for (const word of ['./box', '/srv/box', 'a/b', '.', '..']) assert.equal(findMachine(word), word)
})

test('a name that nothing has is refused, with how to make it', () => {
  assert.throws(
    () => findMachine('no-such-machine'),
    /^TareError: cannot use no-such-machine as a system: there is no directory of that name here, and no machine in .*\/tare\/machines\n"tare bootstrap/,
  )
})

test('what can be no name is refused', () => {
  for (const name of ['', '.', '..', 'a/b', '-a', '.a', 'a b', 'ä', 'x'.repeat(64), 'a\n'])
    assert.throws(() => newMachineDirectory(name), /^TareError: cannot name a machine .*: that is no name\n/)
  assert.throws(() => newMachineDirectory('a.tare.json'), /files of settings are called like this/)
})

test(
  'an ordinary user has a directory of their own',
  { skip: process.geteuid?.() === 0 ? 'needs an ordinary user' : false },
  () => {
    assert.equal(machinesDirectory({ XDG_DATA_HOME: '/data' }), '/data/tare/machines')
    assert.match(machinesDirectory({ XDG_DATA_HOME: 'data' }), /\/\.local\/share\/tare\/machines$/)
  },
)
