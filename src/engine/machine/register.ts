import { InputError } from '../../linux/error.ts'
import type { BootOptions } from '../boot-options.ts'
import type { ResolvedBoot } from '../resolve-boot.ts'
import { nameFrom } from '../shell.ts'
import { cleanUpAfter, isKept } from './machine-cleanup.ts'
import { withMachinesLocked } from './machine-directory.ts'
import type { MachineRecord } from './machine-record.ts'
import { LONGEST_NAME, checkMachineName, readRecord, writeRecord } from './machine-record.ts'
import { identify } from './process-identity.ts'
import { tellsState } from './tells-state.ts'

/** Which machine is to be started. */
export interface Wanted {
  /** Absolute. */
  readonly directory: string
  readonly options: BootOptions
  readonly name: string | undefined
  readonly background: boolean
}

/** Writes the record, unless there is one of that name; returns that. */
const claim = (state: string, record: MachineRecord): MachineRecord | undefined =>
  withMachinesLocked(state, () => {
    const other = readRecord(state, record.name)
    if (other === undefined) writeRecord(state, record)
    return other
  })

/** As {@link claim}, where those don't count whose keeper was killed: they are cleaned up after. */
const claimFrom = async (state: string, record: MachineRecord): Promise<MachineRecord | undefined> => {
  for (;;) {
    const other = claim(state, record)
    if (other === undefined || isKept(other)) return other
    await cleanUpAfter(state, other)
  }
}

/**
 * Says that a machine is about to be there. Rejects with {@link InputError} where another one has its name; in the
 * foreground, where nobody has chosen that, a number is put behind it instead.
 */
export const register = async (
  state: string,
  { directory, options, name, background }: Wanted,
  resolved: ResolvedBoot,
): Promise<MachineRecord> => {
  const wanted = checkMachineName(name ?? nameFrom(directory))
  const now = Date.now()
  for (let number = 1; ; number++) {
    const suffix = number === 1 ? '' : `-${number}`
    const record: MachineRecord = {
      version: 1,
      name: wanted.slice(0, LONGEST_NAME - suffix.length) + suffix,
      directory,
      background,
      options,
      init: resolved.init,
      tellsState: background && tellsState(resolved),
      starter: identify(process.pid),
      monitor: undefined,
      link: undefined,
      container: undefined,
      cgroup: resolved.spec.cgroup?.name,
      created: now,
      booted: now,
      boots: 1,
      started: false,
      asked: undefined,
    }
    const other = await claimFrom(state, record)
    if (other === undefined) return record
    if (background || name !== undefined)
      throw new InputError({
        operation: `boot ${directory} as machine`,
        target: record.name,
        reason: `there is one of this name already, of ${other.directory}`,
        hint: 'Give it another name by --name; "tare boot ls" shows which there are.',
      })
  }
}
