import { printable } from './text.ts'

/** Errors that were worded for people begin like this; every other one is a fault of Tare's own. */
export const isWorded = (error: Error): boolean => error.message.startsWith('cannot ')

/** What a person is told of an error: what failed, and for a fault of Tare's own where. */
export const wordsOf = (error: unknown): string => {
  // Messages name paths and processes, whose names others chose.
  if (error instanceof Error && isWorded(error)) return `tare: ${error.message.split('\n').map(printable).join('\n')}`
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return `tare: failed by a fault of its own, which is worth a report:\n${trace}`
}
