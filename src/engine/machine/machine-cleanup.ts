import { existsSync } from 'node:fs'
import type { Cgroup } from '../../linux/cgroup/cgroup.ts'
import { openCgroup } from '../../linux/cgroup/create.ts'
import { readCgroupLayout } from '../../linux/cgroup/layout.ts'
import { openNetlink } from '../../linux/netlink/socket.ts'
import { removeLink } from '../../network/stale-links.ts'
import { sendPidfdSignal, whenEnded } from '../../linux/pidfd.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { withMachinesLocked } from './machine-directory.ts'
import type { MachineRecord } from './machine-record.ts'
import { readRecord, removeRecord } from './machine-record.ts'
import { isRunning, openProcess } from './process-identity.ts'

const SIGKILL = 9

/** Whether somebody is there who keeps a machine, boots it or cleans up after it. */
export const isKept = ({ background, started, starter, monitor }: MachineRecord): boolean =>
  (monitor !== undefined && isRunning(monitor)) || ((!background || !started) && isRunning(starter))

/** The control group of a machine: where it still is. */
export const machineCgroup = ({ cgroup }: MachineRecord): Cgroup | undefined => {
  if (cgroup === undefined) return undefined
  const layout = readCgroupLayout()
  const places = layout.hierarchies
    .map(({ name, mountPoint }) => [name, `${mountPoint}/${cgroup}`] as const)
    .filter(([, directory]) => existsSync(directory))
  return places.length === 0 ? undefined : openCgroup(layout, Object.fromEntries(places))
}

/** Ends what is left of a machine, and removes what it used; its record stays. */
export const endMachine = async (record: MachineRecord): Promise<void> => {
  const pidfd = record.container === undefined ? undefined : openProcess(record.container)
  if (pidfd !== undefined) {
    try {
      sendPidfdSignal(pidfd, SIGKILL)
      await whenEnded(pidfd)
    } finally {
      trySyscall('close', pidfd)
    }
  }
  const cgroup = machineCgroup(record)
  await cgroup?.kill()
  await cgroup?.remove()
  if (record.link === undefined) return
  using rules = openNetlink({ protocol: 'netfilter' })
  removeLink(rules, record.link.name)
}

/** Whether two records are of the same boot of the same machine. */
const isSame = (one: MachineRecord, other: MachineRecord | undefined): boolean =>
  other !== undefined && one.created === other.created && one.boots === other.boots

/** Forgets a machine that has ended, unless it has been booted anew meanwhile. */
export const forgetMachine = (directory: string, record: MachineRecord): void =>
  withMachinesLocked(directory, () => {
    if (isSame(record, readRecord(directory, record.name))) removeRecord(directory, record.name)
  })

/** Cleans up after a machine that nobody keeps any more: whoever did was killed. */
export const cleanUpAfter = async (directory: string, record: MachineRecord): Promise<void> => {
  await endMachine(record)
  forgetMachine(directory, record)
}
