// Runs its arguments as the commands do that run a program of the host.
import { runInForeground } from '../../src/cli/foreground.ts'

process.exitCode = await runInForeground(process.argv.slice(2), {})
