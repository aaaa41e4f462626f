import { TareError } from '../../linux/error.ts'
import { sendPidfdSignal, whenEnded } from '../../linux/pidfd.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { ContainerDirectory } from './container-directory.ts'
import { runHooks } from './host-hooks.ts'
import { groupsOf, thawGroups } from './kill.ts'
import type { ContainerRecord } from './record.ts'
import { holdProcess, stateOf, statusOf, wrongStatus } from './status.ts'

const SIGKILL = 9

/** Kills all that there is of a container, and waits until it has ended. */
const endProcesses = async (record: ContainerRecord): Promise<void> => {
  const pidfd = holdProcess(record)
  if (pidfd !== undefined) {
    try {
      sendPidfdSignal(pidfd, SIGKILL)
      thawGroups(record)
      await whenEnded(pidfd)
    } finally {
      trySyscall('close', pidfd)
    }
  }
  // Others, where it shares its pid namespace: they don't end with the first.
  const cgroup = groupsOf(record)
  if (cgroup?.populated === true) await cgroup.kill()
}

/** Removes what is left of a container, which is ended first: control groups, and what is known of it. Its directory is locked. */
export const removeContainer = async (directory: ContainerDirectory, record: ContainerRecord): Promise<void> => {
  await endProcesses(record)
  await groupsOf(record)?.remove()
  await runHooks('poststop', record.poststop, stateOf(record, 'stopped')).finally(() => directory.remove())
}

export interface DeleteOptions {
  readonly root: string
  readonly id: string
  /** Also one that runs, was left half made, or isn't there. */
  readonly force?: boolean | undefined
}

/**
 * `delete`: removes a container that has ended; with `force` it is ended first. Throws {@link InputError} for one that
 * runs, or that there isn't.
 */
export const deleteContainer = async ({ root, id, force = false }: DeleteOptions): Promise<void> => {
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
    await removeContainer(directory, record)
  } finally {
    directory.unlock()
  }
}
