import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** From every folder that the code is in once it is built (scripts/build.mjs). */
const SCRIPT = '../../../bin/tare'

/** The command line of Tare, as a command: what has to be done in a process of its own is done by it. */
export const ownCommand = (): readonly string[] => {
  const script = fileURLToPath(new URL(SCRIPT, import.meta.url))
  // Without a checkout or a package around it, the program that runs is Tare itself.
  return existsSync(script) ? [process.execPath, '--', script] : [process.execPath]
}
