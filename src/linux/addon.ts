import { createRequire } from 'node:module'

/**
 * Loads the addon that was built here, or came with the package. The standalone program has ./addon-standalone.ts in the
 * place of this file.
 */
export const loadAddon = (): unknown => {
  const require = createRequire(import.meta.url)
  const places = ['../../../build/tare.node', `../../../prebuilds/linux-${process.arch}/tare.node`]
  const failures: string[] = []
  for (const place of places) {
    try {
      return require(place)
    } catch (cause) {
      failures.push(`  ${place}: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}`)
    }
  }
  throw new Error(`cannot load Tare's native addon; tried\n${failures.join('\n')}\nRun "npm run setup" to build it.`)
}
