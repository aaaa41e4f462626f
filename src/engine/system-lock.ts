import { closeSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { ERRNO } from '../linux/errno.ts'
import { InputError, TareError } from '../linux/error.ts'
import { fromNodeError } from '../linux/proc.ts'
import { trySyscall } from '../linux/syscall.ts'

const LOCK_SH = 1
const LOCK_EX = 2
const LOCK_NB = 4

/** Who may use a system at the same time: any number of shells, or its own init or a copier and no one else. */
export type SystemUse = 'boot' | 'shell' | 'copy'

const USES = {
  boot: {
    lock: LOCK_EX,
    operation: 'boot',
    reason: 'it is running already, or a shell is open in it',
    hint: '"tare boot ls" shows the machines that are running, "tare ps" what else runs in it.',
  },
  shell: {
    lock: LOCK_SH,
    operation: 'open a shell in',
    reason: 'it is running: its own init has booted it',
    hint: '"tare boot ls" shows its name, and "tare exec -it NAME sh" runs a shell in it.',
  },
  copy: {
    lock: LOCK_EX,
    operation: 'copy',
    reason: 'it is running, or a shell is open in it, or somebody else copies it',
    hint: 'Switch it off first: what is copied while it is written to is no system at any time.',
  },
} as const

/** flock(2) of the directory. Returns a descriptor that holds it for as long as it is open. Throws as {@link startHeld} does. */
export const holdSystem = (directory: string, use: SystemUse): number => {
  const { lock, operation, reason, hint } = USES[use]
  const target = resolve(directory)
  let fd: number
  try {
    fd = openSync(target, 'r')
  } catch (error) {
    throw fromNodeError(error, operation, target)
  }
  const result = trySyscall('flock', fd, lock | LOCK_NB)
  if (result >= 0) return fd
  closeSync(fd)
  if (-result === ERRNO['EAGAIN']) throw new InputError({ operation, target, reason, hint })
  throw new TareError({ operation, target, syscall: 'flock', errno: -result })
}

/**
 * Starts something in a system, which is held until that has ended: two inits in one system would destroy it. Rejects
 * with {@link InputError} where others hold it.
 */
export const startHeld = async <R extends { readonly ended: Promise<unknown> }>(
  directory: string,
  use: SystemUse,
  start: () => Promise<R>,
): Promise<R> => {
  const held = holdSystem(directory, use)
  const release = (): void => closeSync(held)
  try {
    const running = await start()
    // Whoever waits for its end is told how that went.
    void running.ended.then(release, release)
    return running
  } catch (error) {
    release()
    throw error
  }
}
