import { UsageError } from './usage-error.ts'

/** The error for a value that an option doesn't take. `option` is its long name without dashes. */
export const wrongValue = (option: string, value: string, reason: string, hint?: string): UsageError =>
  new UsageError(`cannot use --${option}=${value}: ${reason}`, hint)
