import { InputError } from '../../linux/error.ts'
import { openCgroup } from '../../linux/cgroup/create.ts'
import type { Cgroup } from '../../linux/cgroup/cgroup.ts'
import { readCgroupLayout } from '../../linux/cgroup/layout.ts'
import { sendPidfdSignal } from '../../linux/pidfd.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { ContainerDirectory } from './container-directory.ts'
import type { ContainerRecord } from './record.ts'
import { holdProcess, statusOf, wrongStatus } from './status.ts'

const SIGKILL = 9

/** The control groups of a container that are still there; undefined if it has none. */
export const groupsOf = ({ cgroups }: ContainerRecord): Cgroup | undefined => {
  const paths = Object.entries(cgroups).filter(([, path]) => trySyscall('faccessat', -100, path, 0) >= 0)
  return paths.length === 0 ? undefined : openCgroup(readCgroupLayout(), Object.fromEntries(paths))
}

/** Sends a signal to every process in the groups of a container, each held first so that no other is hit. */
const signalGroups = (cgroup: Cgroup, signal: number): void => {
  for (const pid of cgroup.allProcesses()) {
    const pidfd = trySyscall('pidfd_open', pid, 0)
    if (pidfd < 0) continue
    if (cgroup.allProcesses().includes(pid)) sendPidfdSignal(pidfd, signal)
    trySyscall('close', pidfd)
  }
}

/** A frozen process takes SIGKILL only when it is thawed, if its group is one of version 1. */
export const thawGroups = (record: ContainerRecord): void => {
  const cgroup = groupsOf(record)
  if (cgroup?.frozen === true) cgroup.thaw()
}

export interface KillOptions {
  readonly root: string
  readonly id: string
  readonly signal: number
  /** To all processes of the container, also when the first one has ended. */
  readonly all?: boolean | undefined
}

/** `kill`: sends a signal. Throws {@link InputError} for a container that doesn't run. */
export const killContainer = ({ root, id, signal, all = false }: KillOptions): void => {
  const directory = new ContainerDirectory(root, id)
  const record = directory.read()
  if (all) {
    const cgroup = groupsOf(record)
    if (cgroup !== undefined) {
      signalGroups(cgroup, signal)
      if (signal === SIGKILL) thawGroups(record)
      return
    }
  }
  const pidfd = holdProcess(record)
  if (pidfd === undefined) throw wrongStatus('signal', id, statusOf(directory, record))
  try {
    if (!sendPidfdSignal(pidfd, signal)) throw wrongStatus('signal', id, 'stopped')
  } finally {
    trySyscall('close', pidfd)
  }
  if (signal === SIGKILL) thawGroups(record)
}

/** Stops all processes of a container. */
export const pauseContainer = async (root: string, id: string): Promise<void> => {
  const directory = new ContainerDirectory(root, id)
  directory.lock()
  try {
    const record = directory.read()
    const status = statusOf(directory, record)
    if (status !== 'running' && status !== 'created') throw wrongStatus('pause', id, status)
    await requireGroups(record, 'pause').freeze()
  } finally {
    directory.unlock()
  }
}

/** Lets them run again. */
export const resumeContainer = (root: string, id: string): void => {
  const directory = new ContainerDirectory(root, id)
  directory.lock()
  try {
    const record = directory.read()
    const status = statusOf(directory, record)
    if (status !== 'paused') throw wrongStatus('resume', id, status)
    requireGroups(record, 'resume').thaw()
  } finally {
    directory.unlock()
  }
}

/** The groups of a container. Throws {@link InputError} if it has none. */
export const requireGroups = (record: ContainerRecord, verb: string): Cgroup => {
  const cgroup = groupsOf(record)
  if (cgroup !== undefined) return cgroup
  throw new InputError({
    operation: `${verb} container`,
    target: record.id,
    reason: 'it has no control groups',
    hint: 'Create it as root, or where control groups are delegated to you.',
  })
}
