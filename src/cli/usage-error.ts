/**
 * A command line that can't be understood; found before anything was started. Worded like every failure of Tare:
 * what can't be done, and on the next line what to do about it.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError'

  constructor(message: string, hint?: string) {
    super(hint === undefined ? message : `${message}\n${hint}`)
  }
}
