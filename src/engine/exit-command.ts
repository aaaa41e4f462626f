import type { ExitCommand } from '../runtime/monitor.ts'
import { ownCommand } from './own-command.ts'

/** The word by which the command line knows it (src/cli/commands.ts). */
const MACHINE_ENDED = 'machine-ended'

/** Variables that the command needs: to find the state of machines, and the programs that it may start. */
const KEPT = ['PATH', 'HOME', 'USER', 'LOGNAME', 'XDG_RUNTIME_DIR', 'LANG'] as const

/** What a monitor becomes when its machine has ended: the command line, which cleans up or boots it again. */
export const exitCommand = (name: string): ExitCommand => ({
  args: [...ownCommand(), MACHINE_ENDED, name],
  env: KEPT.flatMap((variable) => {
    const value = process.env[variable]
    return value === undefined ? [] : [`${variable}=${value}`]
  }),
})
