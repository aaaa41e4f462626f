import type { BackgroundBootOptions } from '../index.ts'
import { bootMachine } from '../index.ts'
import type { Terminal } from './terminal.ts'

/** `tare boot -d`: prints the name of the machine. Resolves with the exit status. */
export const bootDetached = async (
  directory: string,
  options: BackgroundBootOptions,
  wait: boolean,
  terminal: Terminal,
): Promise<number> => {
  const machine = await bootMachine(directory, options)
  if (wait) await machine.up()
  terminal.print(`${machine.name}\n`)
  return 0
}
