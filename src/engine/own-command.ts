import { createRequire } from 'node:module'

/**
 * The words that start the command line which belongs to this library: Node, and bin/tare. The standalone program has
 * ./own-command-standalone.ts in the place of this file.
 */
export const ownCommand = (): readonly string[] => [
  process.execPath,
  // As deep as the bundles are, in which this lies too.
  createRequire(import.meta.url).resolve('../../../bin/tare'),
]
