import { InputError } from '../../linux/error.ts'
import type { BackgroundBootOptions } from './background.ts'
import { startInBackground } from './background.ts'
import { cleanUpAfter, isKept } from './machine-cleanup.ts'
import { machineDirectory } from './machine-directory.ts'
import type { MachineInfo } from './machine-info.ts'
import { describeMachine } from './machine-info.ts'
import { RunningMachine } from './running-machine.ts'
import type { MachineRecord } from './machine-record.ts'
import { checkMachineName, readRecord, recordNames } from './machine-record.ts'

/** The record of a machine that is there; cleans up after one whose keeper was killed. */
const findRecord = async (directory: string, name: string): Promise<MachineRecord | undefined> => {
  const record = readRecord(directory, name)
  if (record === undefined || isKept(record)) return record
  await cleanUpAfter(directory, record)
  return undefined
}

/**
 * All machines of this user, those too that were booted in the foreground. What is left of machines whose keeper was
 * killed is removed on the way. Rejects with {@link InputError} where this user has no place for their state.
 */
export const machines = async (): Promise<readonly MachineInfo[]> => {
  const directory = machineDirectory()
  const found: MachineInfo[] = []
  for (const name of recordNames(directory)) {
    const record = await findRecord(directory, name)
    if (record !== undefined) found.push(describeMachine(directory, record))
  }
  return found
}

/** A machine of this user by its name. Rejects with {@link InputError} where there is none. */
export const machine = async (name: string): Promise<RunningMachine> => {
  const directory = machineDirectory()
  const record = await findRecord(directory, checkMachineName(name))
  if (record !== undefined) return new RunningMachine(directory, record)
  throw new InputError({
    operation: 'find machine',
    target: name,
    reason: 'none of this name is running',
    hint: '"tare boot ls" shows which there are.',
  })
}

/**
 * Boots the system in a directory in the background: it stays when this process ends. Resolves when its init has been
 * started; {@link RunningMachine.up} when it says that all is up.
 *
 * Rejects with {@link InputError} for bad options, for a directory without an init, for a system that runs already, for
 * a name that is taken and where this user has no place for the state of machines; and with {@link TareError} if the
 * kernel refuses a step. Nothing is left then.
 *
 * @example
 * ```ts
 * const box = await bootMachine('./box', { memory: '1GiB' })
 * await box.powerOff({ timeout: '30s', force: true })
 * ```
 */
export const bootMachine = async (
  directory: string,
  { name, ...options }: BackgroundBootOptions = {},
): Promise<RunningMachine> => {
  const record = await startInBackground(directory, options, name)
  return new RunningMachine(machineDirectory(), record)
}
