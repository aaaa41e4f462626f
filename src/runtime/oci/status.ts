import type { State, Status } from '../../oci/state.ts'
import { readIfThere } from '../../linux/cgroup/file.ts'
import { InputError, TareError } from '../../linux/error.ts'
import { openPidfd } from '../../linux/pidfd.ts'
import { readProcessStat } from '../../linux/process-stat.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { ContainerDirectory } from './container-directory.ts'
import type { ContainerRecord } from './record.ts'

const GONE: readonly string[] = ['ENOENT', 'ESRCH']

/** When a process began, in milliseconds since boot; undefined where it has ended, waited for or not. */
export const startTimeOf = (pid: number): number | undefined => {
  try {
    const { state, startTime } = readProcessStat(pid)
    return state === 'Z' || state === 'X' ? undefined : startTime
  } catch (error) {
    if (error instanceof TareError && GONE.includes(error.code)) return undefined
    throw error
  }
}

/** Whether the first process of a container lives: that very one, and not another that got its number. */
export const isAlive = ({ pid, startTime }: ContainerRecord): boolean =>
  pid !== undefined && startTime !== undefined && startTimeOf(pid) === startTime

/** A pidfd of the first process of a container; undefined if that has ended. Close it. */
export const holdProcess = (record: ContainerRecord): number | undefined => {
  if (record.pid === undefined || !isAlive(record)) return undefined
  let pidfd: number
  try {
    pidfd = openPidfd(record.pid)
  } catch (error) {
    if (error instanceof TareError && GONE.includes(error.code)) return undefined
    throw error
  }
  // Looked at again: the number may have become another's between the two.
  if (isAlive(record)) return pidfd
  trySyscall('close', pidfd)
  return undefined
}

/** Whether its control groups are frozen. */
const isPaused = ({ cgroups }: ContainerRecord): boolean => {
  const v1 = Object.entries(cgroups).find(([name]) => name.split(',').includes('freezer'))?.[1]
  if (v1 !== undefined) return readIfThere(`${v1}/freezer.state`)?.trim() === 'FROZEN'
  const { unified } = cgroups
  return unified !== undefined && /^frozen 1$/m.test(readIfThere(`${unified}/cgroup.events`) ?? '')
}

/** What has become of a container. */
export const statusOf = (directory: ContainerDirectory, record: ContainerRecord): Status => {
  if (record.pid === undefined) return directory.stage === undefined ? 'stopped' : 'creating'
  if (!isAlive(record)) return 'stopped'
  if (isPaused(record)) return 'paused'
  return directory.stage ?? 'running'
}

/** The state of a container, as hooks and callers are told it (runtime-spec, runtime.md, State). */
export const stateOf = (record: ContainerRecord, status: Status): State => ({
  ociVersion: record.ociVersion,
  id: record.id,
  status,
  pid: status === 'stopped' ? 0 : (record.pid ?? 0),
  bundle: record.bundle,
  ...(Object.keys(record.annotations).length > 0 && { annotations: record.annotations }),
})

/** Refuses what a container can't be asked for as it is. */
export const wrongStatus = (operation: string, id: string, status: Status, hint?: string): InputError =>
  new InputError({
    operation: `${operation} container`,
    target: id,
    // Engines look for these words.
    reason: status === 'stopped' ? 'container not running' : `it is ${status}`,
    hint,
  })

/** Refuses to start what has no program. */
export const withoutProcess = (id: string): InputError =>
  new InputError({
    operation: 'start container',
    target: id,
    reason: 'config.json has no process',
    hint: 'Add one, and create the container anew.',
  })
