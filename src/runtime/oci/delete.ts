import { TareError } from '../../linux/error.ts'
import { waitUntil } from '../../linux/cgroup/wait.ts'
import { sendPidfdSignal } from '../../linux/pidfd.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { ContainerDirectory } from './container-directory.ts'
import { runLastHooks } from './host-hooks.ts'
import { groupsOf, thawGroups } from './kill.ts'
import type { ContainerRecord } from './record.ts'
import { holdProcess, isAlive, stateOf, statusOf, wrongStatus } from './status.ts'
import type { Warn } from './warn.ts'

const SIGKILL = 9

/** How long a process that was killed may take to end, in milliseconds. */
const PATIENCE = 10_000

/** Kills all that there is of a container, and waits until it has ended. Throws {@link TareError} if that takes too long. */
export const endProcesses = async (record: ContainerRecord): Promise<void> => {
  const pidfd = holdProcess(record)
  if (pidfd !== undefined) {
    sendPidfdSignal(pidfd, SIGKILL)
    trySyscall('close', pidfd)
    thawGroups(record)
    if (!(await waitUntil(() => !isAlive(record), PATIENCE)))
      throw new TareError({
        operation: 'end container',
        target: record.id,
        reason: `process ${record.pid} was killed and has not ended within ${PATIENCE / 1000} s`,
        hint: 'PID 1 of a namespace ends last: whoever ran a program in it has to take note of that one’s end (wait(2)).',
      })
  }
  // Others, where it shares its pid namespace: they don't end with the first.
  const cgroup = groupsOf(record)
  if (cgroup?.populated === true) await cgroup.kill()
}

/** Removes what is left of a container, which is ended first: control groups, and what is known of it. Its directory is locked. */
export const removeContainer = async (
  directory: ContainerDirectory,
  record: ContainerRecord,
  warn: Warn = () => {},
): Promise<void> => {
  await endProcesses(record)
  await groupsOf(record)?.remove()
  await runLastHooks(record.poststop, stateOf(record, 'stopped'), warn)
  directory.remove()
}

export interface DeleteOptions {
  readonly root: string
  readonly id: string
  /** Also one that runs, was left half made, or isn't there. */
  readonly force?: boolean | undefined
  readonly warn?: Warn | undefined
}

/**
 * `delete`: removes a container that has ended; with `force` it is ended first. Throws {@link InputError} for one that
 * runs, or that there isn't.
 */
export const deleteContainer = async ({ root, id, force = false, warn }: DeleteOptions): Promise<void> => {
  const directory = new ContainerDirectory(root, id)
  try {
    directory.lock()
  } catch (error) {
    if (force && error instanceof TareError && error.code === 'ERR_TARE_INPUT') return
    throw error
  }
  try {
    const record = directory.tryRead()
    if (record === undefined) {
      if (!force) directory.read()
      directory.remove()
      return
    }
    const status = statusOf(directory, record)
    if (!force && status !== 'stopped')
      throw wrongStatus('delete', id, status, 'Stop it first, or use --force, which ends it.')
    await removeContainer(directory, record, warn)
  } finally {
    directory.unlock()
  }
}
