import type { Terminal } from './terminal.ts'
import { cutTo } from './text.ts'

/** Takes away the line that the cursor is in. */
const CLEAR = '\r\x1b[K'

/** Of a terminal whose size nobody has set. */
const WIDTH = 80

/** A line that says how far something is, written over itself. */
export interface ProgressLine {
  readonly show: (text: string) => void
  readonly clear: () => void
}

const SILENT: ProgressLine = { show: () => undefined, clear: () => undefined }

/** One line that is written over itself; nothing where standard output is no terminal, or `quiet`. */
export const progressLine = (terminal: Terminal, quiet = false): ProgressLine => {
  if (quiet || !terminal.interactive) return SILENT
  return {
    show: (text) => terminal.print(`${CLEAR}${cutTo(text, (terminal.lineWidth || WIDTH) - 1)}`),
    clear: () => terminal.print(CLEAR),
  }
}
