import { InputError } from '../../linux/error.ts'
import type { Running } from '../../runtime/running.ts'
import type { ResolvedBoot } from '../resolve-boot.ts'
import { forgetMachine } from './machine-cleanup.ts'
import { makeMachineDirectory } from './machine-directory.ts'
import type { MachineRecord } from './machine-record.ts'
import { writeRecord } from './machine-record.ts'
import { identify } from './process-identity.ts'
import type { Wanted } from './register.ts'
import { register } from './register.ts'

/** That a machine is there, for as long as it is. */
export interface Registration {
  /** Starts it, and forgets it when it has ended. */
  readonly keep: (start: () => Promise<Running>) => Promise<Running>
}

/** Who has no place for the state of machines has it booted all the same: only nobody finds it. */
const UNREGISTERED: Registration = { keep: (start) => start() }

const stateDirectory = (): string | undefined => {
  try {
    return makeMachineDirectory()
  } catch (error) {
    if (error instanceof InputError) return undefined
    throw error
  }
}

const keeping = (state: string, record: MachineRecord): Registration => ({
  keep: async (start) => {
    try {
      const running = await start()
      writeRecord(state, { ...record, container: identify(running.pid), started: true })
      const forget = (): void => forgetMachine(state, record)
      void running.ended.then(forget, forget)
      return running
    } catch (error) {
      forgetMachine(state, record)
      throw error
    }
  },
})

/** Makes a machine in the foreground known to others. Rejects with {@link InputError} for a name that is taken. */
export const registerInForeground = async (
  wanted: Omit<Wanted, 'background'>,
  resolved: ResolvedBoot,
): Promise<Registration> => {
  const state = stateDirectory()
  if (state === undefined) return UNREGISTERED
  return keeping(state, await register(state, { ...wanted, background: false }, resolved))
}
