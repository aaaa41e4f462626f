import { chmodSync, closeSync, lstatSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { InputError, TareError } from '../../linux/error.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { trySyscall } from '../../linux/syscall.ts'

const LOCK_EX = 2
const ROOT = '/run/tare'
/** That others may go through a directory. */
const THROUGH = 0o001

/**
 * What is private to a user and gone with the host's next boot: root's /run, else XDG_RUNTIME_DIR (XDG Base Directory
 * Specification), else where pam_systemd makes that. Throws {@link InputError} where there is none.
 */
const runtimeDirectory = (): string => {
  const uid = trySyscall('geteuid')
  if (uid === 0) return ROOT
  const given = process.env['XDG_RUNTIME_DIR'] ?? ''
  const path = given.startsWith('/') ? given : `/run/user/${uid}`
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (status?.isDirectory() === true && status.uid === uid && (status.mode & 0o077) === 0) return `${path}/tare`
  const reason =
    given === ''
      ? 'XDG_RUNTIME_DIR is not set, and there is no such directory of yours in /run/user'
      : `XDG_RUNTIME_DIR is ${JSON.stringify(given)}, which is no directory that is yours alone`
  throw new InputError({
    operation: 'keep track of machines',
    reason,
    hint: 'Log in as that user (su - or sudo -u make no session; ssh and machinectl shell do), or set it to a directory that only you may enter (mode 0700).',
  })
}

/** Where the state of machines is kept: one directory for root, and one for each other user. It may not be there yet. */
export const machineDirectory = (): string => `${runtimeDirectory()}/machines`

/**
 * The same, made if need be. Nobody else may look into it; but root of a machine, who is not root outside, goes through
 * root's to the one file there that it owns.
 */
export const makeMachineDirectory = (): string => {
  const directory = machineDirectory()
  const isRoot = trySyscall('geteuid') === 0
  try {
    mkdirSync(directory, { recursive: true, mode: isRoot ? 0o711 : 0o700 })
    for (const path of isRoot ? [dirname(directory), directory] : []) {
      const { mode } = statSync(path)
      if ((mode & THROUGH) === 0) chmodSync(path, (mode & 0o777) | THROUGH)
    }
  } catch (error) {
    throw fromNodeError(error, 'make', directory)
  }
  return directory
}

/** Does something while no other process changes the state of machines. It must be short, and wait for nothing. */
export const withMachinesLocked = <T>(directory: string, work: () => T): T => {
  let fd: number
  try {
    fd = openSync(`${directory}/lock`, 'a', 0o600)
  } catch (error) {
    throw fromNodeError(error, 'lock the state of machines in', directory)
  }
  try {
    const result = trySyscall('flock', fd, LOCK_EX)
    if (result < 0)
      throw new TareError({
        operation: 'lock the state of machines in',
        target: directory,
        syscall: 'flock',
        errno: -result,
      })
    return work()
  } finally {
    closeSync(fd)
  }
}
