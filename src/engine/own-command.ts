import { createRequire } from 'node:module'

/**
 * The command line of Tare, as a command: what has to be done in a process of its own is done by it. The standalone
 * program has ./own-command-standalone.ts in the place of this file.
 */
export const ownCommand = (): readonly string[] => [
  process.execPath,
  '--',
  // From every folder that the code is in once it is built (scripts/build.mjs).
  createRequire(import.meta.url).resolve('../../../bin/tare'),
]
