import type { Result } from '../index.ts'
import { openLine } from './report-line.ts'

/** What --report writes: how the program ended, or why it was not run. */
export interface RunReport {
  readonly exitStatus: number
  readonly result?: Result
  readonly error?: unknown
}

const valueOf = ({ exitStatus, result, error }: RunReport): object => {
  if (result !== undefined) {
    const { exitCode, signal, timedOut, oomKilled, usage } = result
    const { userTime, systemTime, peakMemory, wallTime } = usage
    return {
      exitStatus,
      exitCode,
      signal,
      timedOut,
      oomKilled,
      usage: { userTime, systemTime, peakMemory, wallTime },
    }
  }
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : null
  const message = error instanceof Error ? error.message : String(error)
  return { exitStatus, error: { code, message } }
}

/**
 * Opens the file of --report, before anything is started. Returns what writes the report and closes it. Without a path
 * nothing is written. Throws {@link UsageError} if the file can't be opened.
 */
export const openReport = (path: string | undefined): ((report: RunReport) => void) => {
  const write = openLine(path)
  return (report) => write(valueOf(report))
}
