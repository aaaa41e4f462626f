import { createRequire } from 'node:module'

/** From every folder that the code is in once it is built (scripts/build.mjs). */
const SCRIPT = '../../../bin/tare'

const scriptPath = (): string | undefined => {
  try {
    return createRequire(import.meta.url).resolve(SCRIPT)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** The command line of Tare, as a command: what has to be done in a process of its own is done by it. */
export const ownCommand = (): readonly string[] => {
  const script = scriptPath()
  // Without a checkout or a package around it, the program that runs is Tare itself.
  return script === undefined ? [process.execPath] : [process.execPath, '--', script]
}
