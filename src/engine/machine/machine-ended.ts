import { Buffer } from 'node:buffer'
import { TareError } from '../../linux/error.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { WaitStatus } from '../../linux/wait.ts'
import { decodeWaitStatus } from '../../linux/wait.ts'
import { withTree } from '../../rootfs/system-tree.ts'
import { MONITOR_LOCK_FD, MONITOR_STATUS_FD } from '../../runtime/monitor.ts'
import { resolveBoot } from '../resolve-boot.ts'
import { startMachine } from './background.ts'
import { endMachine, forgetMachine } from './machine-cleanup.ts'
import { machineDirectory, withMachinesLocked } from './machine-directory.ts'
import type { MachineRecord } from './machine-record.ts'
import { readRecord, writeRecord } from './machine-record.ts'
import { identify } from './process-identity.ts'
import { tellsState } from './tells-state.ts'

const SIGHUP = 1
const SIGINT = 2
/** At least what PID 1 says of the program's end (native/plan.h, struct ended). */
const ROOM = 1024

/** What the machine's PID 1 has said of how its init ended; undefined if it was killed before. */
const readEnd = (): WaitStatus | undefined => {
  const bytes = Buffer.alloc(ROOM)
  const length = trySyscall('read', MONITOR_STATUS_FD, bytes, bytes.length)
  return length < 4 ? undefined : decodeWaitStatus(bytes.readUInt32LE(0))
}

/**
 * The kernel ends PID 1 of a pid namespace by SIGHUP when that calls reboot(2) to boot anew, and by SIGINT to switch off.
 * Of what was asked for, an init like runit knows the one only.
 */
const wantsReboot = (end: WaitStatus | undefined, { asked }: MachineRecord): boolean =>
  end?.kind === 'killed' &&
  (end.signal === SIGHUP ? asked !== 'power-off' : end.signal === SIGINT && asked === 'reboot')

/** Unless it was asked to power off meanwhile: whoever asked waits for that. */
const replaceRecord = (directory: string, record: MachineRecord): boolean =>
  withMachinesLocked(directory, () => {
    if (readRecord(directory, record.name)?.asked === 'power-off') return false
    writeRecord(directory, record)
    return true
  })

const bootAgain = async (directory: string, before: MachineRecord): Promise<void> => {
  const resolved = withTree(before.directory, (tree) => resolveBoot(tree, before.options))
  const record: MachineRecord = {
    ...before,
    init: resolved.init,
    tellsState: tellsState(resolved),
    starter: identify(process.pid),
    monitor: undefined,
    container: undefined,
    cgroup: resolved.spec.cgroup?.name,
    booted: Date.now(),
    boots: before.boots + 1,
    started: false,
    asked: undefined,
  }
  if (!replaceRecord(directory, record)) {
    forgetMachine(directory, before)
    return
  }
  try {
    await startMachine(directory, record, resolved, MONITOR_LOCK_FD)
  } catch (error) {
    forgetMachine(directory, record)
    throw error
  }
}

/**
 * What the monitor of a machine becomes when that has ended: removes what it used, and boots it again if it has rebooted.
 * The descriptors are the monitor's. Rejects with {@link TareError} for any process that was no monitor of this machine.
 */
export const machineEnded = async (name: string): Promise<void> => {
  const directory = machineDirectory()
  const record = readRecord(directory, name)
  const self = identify(process.pid)
  if (record?.monitor?.pid !== self.pid || record.monitor.startTime !== self.startTime)
    throw new TareError({
      operation: `clean up after machine ${name}`,
      reason: 'this process has not been beside it',
      hint: 'This command is run by tare itself; "tare poweroff" ends a machine.',
    })
  const end = readEnd()
  await endMachine(record)
  if (!wantsReboot(end, record)) {
    forgetMachine(directory, record)
    return
  }
  try {
    await bootAgain(directory, record)
  } catch (error) {
    forgetMachine(directory, record)
    throw error
  }
}
