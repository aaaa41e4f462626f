import { closeSync, openSync, writeSync } from 'node:fs'
import { wrongValue } from './wrong-value.ts'

const nullable = (_: string, value: unknown): unknown => (value === undefined ? null : value)

/**
 * Opens the file of --report, before anything is started. Returns what writes an object there as a line of JSON and closes
 * it; `-` is standard error, and without a path nothing is written. Throws {@link UsageError} if it can't be opened.
 */
export const openLine = (path: string | undefined): ((value: object) => void) => {
  if (path === undefined) return () => undefined
  const line = (value: object): string => `${JSON.stringify(value, nullable)}\n`
  if (path === '-') return (value) => void writeSync(2, line(value))
  let fd: number
  try {
    fd = openSync(path, 'w')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw wrongValue('report', path, reason, 'Give a file that you may write.')
  }
  return (value) => {
    writeSync(fd, line(value))
    closeSync(fd)
  }
}
