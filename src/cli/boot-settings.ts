import type { BootOptions } from '../index.ts'
import { mergeSettings, readSettings, writeSettings } from '../index.ts'
import { UsageError } from './usage-error.ts'

/** What is to become of a machine's settings. */
interface SettingsUse {
  readonly settings?: boolean | undefined
  readonly save?: boolean | undefined
}

/** What a machine is booted with: its settings, and before them what was given. With `save` that becomes its settings. */
export const wantedOptions = (
  directory: string,
  given: BootOptions,
  { settings = true, save }: SettingsUse,
): BootOptions => {
  if (save === true && !settings)
    throw new UsageError(
      'cannot use --save with --no-settings: what is saved is added to the settings',
      'Leave one out. To have none any more, remove the file.',
    )
  const wanted = settings ? mergeSettings(readSettings(directory), given) : given
  if (save === true) writeSettings(directory, wanted)
  return wanted
}
