import { formatDuration } from '../index.ts'
import { jsonText } from './json.ts'
import type { Terminal } from './terminal.ts'
import { printable } from './text.ts'

/** A duration in milliseconds, to the tenth of a second: `14.2s`. */
export const tookText = (took: number): string => formatDuration(Math.round(took / 100) * 100)

export interface MadeOptions {
  readonly quiet?: boolean | undefined
  readonly json?: boolean | undefined
}

/** Tells of what a command has made: what was left out, and then in words what it is, or all of it as JSON. */
export const reportMade = <T extends { readonly warnings: readonly string[] }>(
  made: T,
  text: (made: T) => string,
  { quiet, json }: MadeOptions,
  terminal: Terminal,
): void => {
  for (const warning of made.warnings) terminal.warn(`tare: ${printable(warning)}`)
  if (json === true) terminal.print(jsonText(made))
  else if (quiet !== true) terminal.print(`${printable(text(made))}\n`)
}
