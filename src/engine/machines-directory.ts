import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { InputError } from '../linux/error.ts'
import { fromNodeError } from '../linux/proc.ts'
import { trySyscall } from '../linux/syscall.ts'

/** Where machines are that have a name alone: root's, and each other user's own (XDG Base Directory Specification). */
export const machinesDirectory = (env: NodeJS.ProcessEnv = process.env): string => {
  if (trySyscall('geteuid') === 0) return '/var/lib/tare/machines'
  const base = env['XDG_DATA_HOME']
  return join(base?.startsWith('/') === true ? base : join(homedir(), '.local/share'), 'tare/machines')
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

const isSame = (one: string, other: string): boolean => {
  const [a, b] = [statSync(one), statSync(other)]
  return a.ino === b.ino && a.dev === b.dev
}

const isPath = (word: string): boolean => word === '' || word === '.' || word === '..' || word.includes('/')

/**
 * The directory of the machine that a word means. With a slash it is a path. Without, it is the name of a machine (see
 * {@link machinesDirectory}) or of a directory here; where there are both, which of them is meant is not guessed. Throws
 * {@link InputError} then, and where there is neither.
 */
export const findMachine = (word: string): string => {
  if (isPath(word)) return word
  const [here, stored] = [resolve(word), join(machinesDirectory(), word)]
  const [isHere, isStored] = [isDirectory(here), isDirectory(stored)]
  const operation = `use ${word} as a system`
  if (isHere && isStored && !isSame(here, stored))
    throw new InputError({
      operation,
      reason: 'there is a machine and a directory of that name',
      hint: `Write ./${word} for the directory, or ${stored} for the machine.`,
    })
  if (isStored) return stored
  if (isHere) return here
  throw new InputError({
    operation,
    reason: `there is no directory of that name here, and no machine in ${machinesDirectory()}`,
    hint: `"tare bootstrap debian:bookworm --name ${word}" makes one.`,
  })
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/

/** Throws {@link InputError} for what can be no machine's name. */
const checkName = (name: string): void => {
  const refuse = (reason: string): InputError =>
    new InputError({
      operation: 'name a machine',
      target: JSON.stringify(name),
      reason,
      hint: 'A name is made of letters, digits, and . _ - within: at most 63.',
    })
  if (!NAME.test(name)) throw refuse('that is no name')
  if (name.endsWith('.tare.json')) throw refuse('files of settings are called like this')
}

/**
 * Where a new machine of this name is to be, with the directory for all of them made if it isn't there, so that this user
 * alone may enter: what root of a machine makes set-user-id is so outside, too. Throws {@link InputError} for a bad name.
 */
export const newMachineDirectory = (name: string): string => {
  checkName(name)
  const directory = machinesDirectory()
  try {
    if (mkdirSync(directory, { recursive: true, mode: 0o755 }) !== undefined) chmodSync(directory, 0o700)
  } catch (error) {
    throw fromNodeError(error, 'keep machines in', directory)
  }
  return join(directory, name)
}
