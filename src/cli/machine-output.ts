import { newMachineDirectory } from '../index.ts'
import { UsageError } from './usage-error.ts'

/** Where a new system is to be: a directory, or the place of a machine of that name. `command` is what asks. */
export const machineOutput = (command: string, directory: string | undefined, name: string | undefined): string => {
  if (name === undefined && directory !== undefined) return directory
  if (name !== undefined && directory === undefined) return newMachineDirectory(name)
  if (name === undefined) throw new UsageError(`cannot use ${command}: DIR is missing`, 'Give a directory, or --name.')
  throw new UsageError('cannot use --name together with DIR: either says where the system is to be', 'Leave one out.')
}
