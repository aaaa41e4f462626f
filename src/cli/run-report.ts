import { closeSync, openSync, writeSync } from 'node:fs'
import type { Result } from '../index.ts'
import { wrongValue } from './wrong-value.ts'

/** What --report writes: how the program ended, or why it was not run. */
export interface RunReport {
  readonly exitStatus: number
  readonly result?: Result
  readonly error?: unknown
}

const textOf = ({ exitStatus, result, error }: RunReport): string => {
  if (result !== undefined) {
    const { exitCode = null, signal = null, timedOut, oomKilled, usage } = result
    const { userTime, systemTime, peakMemory = null, wallTime } = usage
    return JSON.stringify({
      exitStatus,
      exitCode,
      signal,
      timedOut,
      oomKilled,
      usage: { userTime, systemTime, peakMemory, wallTime },
    })
  }
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : null
  const message = error instanceof Error ? error.message : String(error)
  return JSON.stringify({ exitStatus, error: { code, message } })
}

/**
 * Opens the file of --report, before anything is started. Returns what writes the report and closes it. Without a path
 * nothing is written. Throws {@link UsageError} if the file can't be opened.
 */
export const openReport = (path: string | undefined): ((report: RunReport) => void) => {
  if (path === undefined) return () => undefined
  if (path === '-') return (report) => void writeSync(2, `${textOf(report)}\n`)
  let fd: number
  try {
    fd = openSync(path, 'w')
  } catch (error) {
    throw wrongValue(
      'report',
      path,
      error instanceof Error ? error.message : String(error),
      'Give a file that you may write.',
    )
  }
  return (report) => {
    writeSync(fd, `${textOf(report)}\n`)
    closeSync(fd)
  }
}
